//! Random plans, random answers in random order, repeated and stale ones among them.

use proptest::prelude::*;

use super::house::{House, plan_of, planned_task};
use crate::artifact::ArtifactHash;
use crate::attempt::{AttemptDone, FailureCause, Outcome};
use crate::brief::{AnswerReply, Clarification, Options, Question};
use crate::failure::FailureClass;
use crate::id::TaskKey;
use crate::plan::{ParentPolicy, PlannedTask};
use crate::project::{Command, Planned, Queue, Reading, Subject};
use crate::task_kind::TaskKind;
use crate::verdict::{Verdict, VerdictItem};

/// What a run is made of.
#[derive(Debug, Clone)]
struct Script {
    options: Options,
    plan: Vec<(Vec<usize>, ParentPolicy)>,
    /// Seed of the answers: an answer follows from it, the task's key, its version and the try, never from the order.
    answers: u64,
    /// Which live attempt ends next, by step; cycled.
    order: Vec<u8>,
    parts: u32,
    money: bool,
    conflicts: bool,
}

fn scripts() -> impl Strategy<Value = Script> {
    let policy = prop_oneof![
        3 => Just(ParentPolicy::All),
        1 => Just(ParentPolicy::Any),
        1 => (1..3u32).prop_map(ParentPolicy::AtLeast),
        1 => Just(ParentPolicy::Settled),
    ];
    let task = (proptest::collection::vec(0..20usize, 0..3), policy);
    let plan = proptest::collection::vec(task, 1..9);
    let options =
        (any::<bool>(), any::<bool>()).prop_map(|(assume, approve)| Options { assume, approve });
    let order = proptest::collection::vec(any::<u8>(), 1..40);
    (
        options,
        plan,
        any::<u64>(),
        order,
        1..3u32,
        any::<(bool, bool)>(),
    )
        .prop_map(|(options, plan, answers, order, parts, with)| {
            let (money, conflicts) = with;
            Script {
                options,
                plan,
                answers,
                order,
                parts,
                money,
                conflicts,
            }
        })
}

impl Script {
    fn plan(&self) -> Planned {
        let task = |(at, (parents, policy)): (usize, &(Vec<usize>, ParentPolicy))| -> PlannedTask {
            let mut parents: Vec<_> = parents
                .iter()
                .filter(|_| at > 0)
                .map(|parent| format!("t{}", parent % at.max(1)))
                .collect();
            parents.sort();
            parents.dedup();
            let parents: Vec<_> = parents.iter().map(String::as_str).collect();
            planned_task(&format!("t{at}"), &parents, *policy)
        };
        plan_of(self.plan.iter().enumerate().map(task).collect())
    }

    /// A number that follows from what is done, not from when.
    fn draw(&self, house: &House, queue: &Queue) -> u64 {
        let task = house.task(queue.task);
        let name = format!(
            "{} {} {} {} {}",
            self.answers,
            task.key,
            task.plan_version,
            queue.number,
            task.answers.len()
        );
        let hash = ArtifactHash::of(name.as_bytes()).to_string();
        u64::from_str_radix(&hash[..8], 16).expect("a hash is hex")
    }

    fn answer(&self, house: &House, queue: &Queue) -> (Outcome, Reading) {
        let draw = self.draw(house, queue);
        let task = house.task(queue.task);
        let result = ArtifactHash::of(format!("{} {draw}", task.key).as_bytes());
        let fallback = || Some(self.plan());
        if draw.is_multiple_of(5) {
            let reading = if task.kind == TaskKind::Plan {
                Reading::Plan {
                    read: Err(Vec::new()),
                    fallback: fallback(),
                }
            } else {
                Reading::Nothing
            };
            return (
                Outcome::Failed {
                    cause: self.cause(draw / 5),
                },
                reading,
            );
        }
        let (garbled, draw) = (draw.is_multiple_of(7), draw / 7);
        let wrong = || vec!["unreadable".to_owned()];
        let reading = match task.kind {
            TaskKind::Work if draw.is_multiple_of(4) => {
                return (
                    Outcome::Asked { question: result },
                    Reading::Question("which?".into()),
                );
            }
            TaskKind::Work => Reading::Nothing,
            TaskKind::Clarify if garbled => Reading::Clarification(Err(wrong())),
            TaskKind::Clarify => {
                let questions = (0..draw % 3).map(|_| question()).collect();
                Reading::Clarification(Ok(Clarification {
                    questions,
                    assumptions: Vec::new(),
                }))
            }
            TaskKind::Plan if garbled => Reading::Plan {
                read: Err(wrong()),
                fallback: fallback(),
            },
            TaskKind::Plan => Reading::Plan {
                read: Ok(self.plan()),
                fallback: None,
            },
            TaskKind::Answer if garbled => Reading::Answer(Err(wrong())),
            TaskKind::Answer if draw.is_multiple_of(3) => {
                Reading::Answer(Ok(AnswerReply::AskClient(question())))
            }
            TaskKind::Answer => Reading::Answer(Ok(AnswerReply::Answer("this".into()))),
            TaskKind::Resolve if garbled => Reading::Resolutions(Err(wrong())),
            TaskKind::Resolve => Reading::Resolutions(Ok(Vec::new())),
            TaskKind::Judge if garbled => Reading::Verdict(Err(wrong())),
            TaskKind::Judge => Reading::Verdict(Ok(self.verdict(draw, &task.about))),
        };
        (Outcome::Succeeded { result }, reading)
    }

    fn cause(&self, draw: u64) -> FailureCause {
        match draw % 6 {
            0 => FailureCause::Empty,
            1 => FailureCause::Request {
                message: "no".into(),
            },
            2 if self.money => FailureCause::OverBudget,
            3 => FailureCause::KillsWorkers,
            _ => FailureCause::Upstream {
                class: FailureClass::Transient,
                message: "502".into(),
            },
        }
    }

    fn verdict(&self, draw: u64, about: &Subject) -> Verdict {
        let Subject::Part { number, .. } = about else {
            panic!("a judge task is about a part")
        };
        let item = |at: u64| {
            let met = !(draw >> at).is_multiple_of(3);
            let redo = if met {
                Vec::new()
            } else {
                vec![TaskKey::new(format!(
                    "t{}",
                    (draw >> at) % self.plan.len() as u64
                ))]
            };
            VerdictItem {
                requirement: format!("r{number}.{at}"),
                met,
                evidence: "seen".into(),
                redo,
                feedback: "more".into(),
            }
        };
        Verdict {
            items: (0..3).map(item).collect(),
        }
    }

    /// Runs to the end; `meddle` may disturb after each step.
    fn run(&self, mut meddle: impl FnMut(&mut House, u8)) -> House {
        let mut house = House::begun(self.options);
        house.parts = self.parts;
        house.conflicts = self.conflicts;
        for step in 0..2_000usize {
            if house.project.head.is_terminal() {
                return house;
            }
            let pick = self.order[step % self.order.len()];
            let live = house.live();
            if live.is_empty() {
                self.unblock(&mut house);
                continue;
            }
            let queue = live[usize::from(pick) % live.len()].clone();
            let (outcome, reading) = self.answer(&house, &queue);
            house
                .end(queue.attempt, outcome.clone(), reading.clone())
                .expect("its task waits for it");
            let done = AttemptDone {
                attempt: queue.attempt,
                task: queue.task,
                outcome,
                call: None,
            };
            let before = house.project.clone();
            assert!(
                house.tell(Command::Finished { done, reading }).is_err(),
                "a repeated record decides nothing"
            );
            assert_eq!(house.project, before);
            meddle(&mut house, pick);
        }
        panic!("the project does not end: {:?}", house.project.head.state);
    }

    /// Nothing is under way: only the client can make it go on.
    fn unblock(&self, house: &mut House) {
        let command = match house.project.head.state.as_str() {
            "paused" => Command::Resume,
            "waiting_client" => Command::Answer {
                answers: std::collections::BTreeMap::new(),
                assume_rest: true,
            },
            "waiting_approval"
                if self.answers.is_multiple_of(3) && house.project.head.rejections.is_empty() =>
            {
                Command::Reject {
                    reason: "no".into(),
                }
            }
            "waiting_approval" => Command::Approve {
                plan: self.plan().plan,
            },
            stuck => panic!("nothing is under way although the project is {stuck}"),
        };
        house.tell(command).expect("the client's word is awaited");
    }
}

fn question() -> Question {
    Question {
        id: String::new(),
        text: "which?".into(),
        why: String::new(),
        options: Vec::new(),
        default: "that".into(),
    }
}

/// What must not depend on the order in which attempts ended.
fn end_of(house: &House) -> (String, Option<ArtifactHash>, Vec<String>) {
    let head = &house.project.head;
    let standing = house
        .project
        .active()
        .filter(|task| task.kind == TaskKind::Work);
    let mut tasks: Vec<_> = standing
        .map(|task| {
            format!(
                "{} {} {} {:?}",
                task.key,
                task.plan_version,
                task.state.as_str(),
                task.result()
            )
        })
        .collect();
    tasks.sort();
    (head.state.as_str().to_owned(), head.deliverable(), tasks)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_project_comes_to_an_end_and_keeps_its_invariants(script in scripts()) {
        let house = script.run(|_, _| {});
        prop_assert!(house.project.head.is_terminal());
    }

    #[test]
    fn the_order_of_independent_finishes_does_not_matter(script in scripts(), other in proptest::collection::vec(any::<u8>(), 1..40)) {
        let script = Script { money: false, ..script };
        let shuffled = Script { order: other, ..script.clone() };
        prop_assert_eq!(end_of(&script.run(|_, _| {})), end_of(&shuffled.run(|_, _| {})));
    }

    #[test]
    fn the_latest_word_on_pausing_holds_in_whatever_order_words_come(
        words in proptest::collection::vec((any::<bool>(), any::<u32>(), 1..3usize), 1..8),
    ) {
        let mut house = House::begun(Options { assume: true, approve: false });
        let spoken: Vec<_> = words.iter().map(|(pause, place, times)| (*place, house.event(), *pause, *times)).collect();
        let mut coming = spoken.clone();
        coming.sort_unstable();
        for (_, event, pause, times) in coming {
            for _ in 0..times {
                // Words that were overtaken or repeated are refused; what holds in the end is what counts.
                let _ = house.tell_as(event, if pause { Command::Pause } else { Command::Resume });
            }
        }
        let (.., last, _) = spoken[spoken.len() - 1];
        prop_assert_eq!(house.project.head.state.as_str() == "paused", last);
        prop_assert_eq!(house.live().is_empty(), last);
    }

    #[test]
    fn clients_who_meddle_at_any_time_break_nothing(script in scripts()) {
        let mut stale = Vec::new();
        let house = script.run(|house, pick| {
            let command = match pick % 9 {
                0 => Command::Pause,
                1 => Command::Resume,
                2 => Command::Approve { plan: script.plan().plan },
                3 => Command::Answer { answers: std::collections::BTreeMap::new(), assume_rest: true },
                4 if pick == 4 => Command::Cancel,
                _ => return,
            };
            let event = house.event();
            let told = house.tell_as(event, command.clone());
            stale.push((event, command, told.is_ok()));
            for (event, command, done) in stale.clone() {
                if done {
                    assert!(house.tell_as(event, command).is_err(), "a repeated command decides nothing");
                }
            }
        });
        prop_assert!(house.project.head.is_terminal());
    }
}
