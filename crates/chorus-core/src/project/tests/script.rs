//! Scripts: random plans, random answers in random order, repeated and stale ones among them.

use proptest::prelude::*;

use super::fixture::{Fixture, plan_of, planned_task};
use crate::artifact::ArtifactHash;
use crate::attempt::{AttemptDone, FailureCause, Outcome};
use crate::brief::{AnswerReply, Clarification, Options, Question};
use crate::failure::FailureClass;
use crate::id::TaskKey;
use crate::money::MicroUsd;
use crate::plan::{ParentPolicy, PlannedTask};
use crate::project::{Command, Planned, Queue, Reading, Subject};
use crate::task_kind::TaskKind;
use crate::verdict::{Undecided, Verdict, VerdictItem};

/// Input of one run. The same script always gives the same run.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) options: Options,
    pub(super) plan: Vec<(Vec<usize>, ParentPolicy)>,
    /// Seed of the answers. An answer follows from the seed, the task's key, its version and the try, never
    /// from the order.
    pub(super) answers: u64,
    /// Index of the live attempt that ends next, by step; repeated from its start.
    pub(super) order: Vec<u8>,
    pub(super) parts: u32,
    pub(super) money: bool,
    pub(super) conflicts: bool,
}

pub(super) fn scripts() -> impl Strategy<Value = Script> {
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
    pub(super) fn plan(&self) -> Planned {
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

    /// Draws a number from the task and the try, independent of the order.
    fn draw(&self, fixture: &Fixture, queue: &Queue) -> u64 {
        let task = fixture.task(queue.task);
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

    fn answer(&self, fixture: &Fixture, queue: &Queue) -> (Outcome, Reading) {
        let draw = self.draw(fixture, queue);
        let task = fixture.task(queue.task);
        let result = ArtifactHash::of(format!("{} {draw}", task.key).as_bytes());
        let fallback = || Some(self.plan());
        if draw.is_multiple_of(5) {
            let reading = if task.kind == TaskKind::Plan {
                Reading::Plan {
                    read: Err(Vec::new()),
                    repaired: None,
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
                repaired: None,
                fallback: fallback(),
            },
            TaskKind::Plan => Reading::Plan {
                read: Ok(self.plan()),
                repaired: None,
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
            2 if self.money => over_budget(),
            3 => FailureCause::KillsWorkers,
            _ => FailureCause::Upstream {
                class: FailureClass::Transient,
                message: "502".into(),
            },
        }
    }

    fn verdict(&self, draw: u64, about: &Subject) -> Verdict {
        let number = match about {
            Subject::Part { number, .. } => *number,
            Subject::Undecided { requirements } => return decided(requirements, draw),
            Subject::Itself | Subject::Question { .. } => panic!("a judge task is about a part"),
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
            undecided: (draw.is_multiple_of(5))
                .then(|| Undecided {
                    requirement: format!("open{number}"),
                    note: "half of it".into(),
                })
                .into_iter()
                .collect(),
        }
    }

    /// Runs to the end; `disturb` may send commands after each step.
    pub(super) fn run(&self, mut disturb: impl FnMut(&mut Fixture, u8)) -> Fixture {
        let mut fixture = Fixture::begun(self.options);
        fixture.parts = self.parts;
        fixture.conflicts = self.conflicts;
        for step in 0..2_000usize {
            if fixture.project.head.is_terminal() {
                return fixture;
            }
            let pick = self.order[step % self.order.len()];
            let live = fixture.live();
            if live.is_empty() {
                self.unblock(&mut fixture);
                continue;
            }
            let queue = live[usize::from(pick) % live.len()].clone();
            let (outcome, reading) = self.answer(&fixture, &queue);
            fixture
                .end(queue.attempt, outcome.clone(), reading.clone())
                .expect("its task waits for it");
            let done = AttemptDone {
                attempt: queue.attempt,
                task: queue.task,
                outcome,
                call: None,
            };
            let before = fixture.project.clone();
            assert!(
                fixture.send(Command::Finished { done, reading }).is_err(),
                "a repeated record decides nothing"
            );
            assert_eq!(fixture.project, before);
            disturb(&mut fixture, pick);
        }
        panic!("the project does not end: {:?}", fixture.project.head.state);
    }

    /// Sends the command that the project waits for when nothing is under way.
    fn unblock(&self, fixture: &mut Fixture) {
        let offer = fixture.project.head.offer.as_ref().map(|offer| offer.plan);
        let code = fixture
            .project
            .head
            .state
            .attention()
            .map(|(_, why)| why.code().to_owned());
        let command = match fixture.project.head.state.as_str() {
            "paused" => Command::Resume { at: None },
            "needs_attention" => match code.as_deref() {
                Some("no_plan") if self.answers.is_multiple_of(2) => match offer {
                    Some(hash) => Command::Approve {
                        hash,
                        plan: Some(self.plan().plan),
                    },
                    None => Command::Retry { task: None },
                },
                Some("budget") if self.answers.is_multiple_of(2) => Command::Skip { task: None },
                Some("budget") => Command::RaiseBudget {
                    budget: MicroUsd(1),
                },
                Some("no_plan" | "no_result") => Command::Retry { task: None },
                _ if self.answers.is_multiple_of(5) => Command::Retry { task: None },
                _ => Command::Skip { task: None },
            },
            "waiting_client" => Command::Answer {
                answers: std::collections::BTreeMap::new(),
                assume_rest: true,
                questions: None,
            },
            "waiting_approval"
                if self.answers.is_multiple_of(3) && fixture.project.head.rejections.is_empty() =>
            {
                Command::Reject {
                    reason: "no".into(),
                    plan: None,
                }
            }
            "waiting_approval" => Command::Approve {
                hash: ArtifactHash::of(b"plan"),
                plan: Some(self.plan().plan),
            },
            stuck => panic!("nothing is under way although the project is {stuck}"),
        };
        fixture
            .send(command)
            .expect("the project waits for the command");
    }
}

/// The failure of a call that the budget does not cover.
pub(super) fn over_budget() -> FailureCause {
    FailureCause::OverBudget {
        needs: MicroUsd(3),
        spent: MicroUsd(8),
        budget: MicroUsd(10),
    }
}

pub(super) fn question() -> Question {
    Question {
        id: String::new(),
        text: "which?".into(),
        why: String::new(),
        options: Vec::new(),
        default: "that".into(),
    }
}

/// Verdict of the last judge, who may leave one undecided even so.
fn decided(requirements: &[Undecided], draw: u64) -> Verdict {
    let item = |open: &Undecided| VerdictItem {
        requirement: open.requirement.clone(),
        met: draw.is_multiple_of(2),
        evidence: "seen".into(),
        redo: Vec::new(),
        feedback: String::new(),
    };
    Verdict {
        items: requirements.iter().map(item).collect(),
        ..Verdict::default()
    }
}
