//! Single walks through the machine.

use std::collections::BTreeMap;

use super::house::{House, plan_of, planned_task};
use crate::artifact::ArtifactHash;
use crate::attempt::{FailureCause, Outcome};
use crate::brief::{AnswerReply, Clarification, Options, Question};
use crate::id::{EventId, TaskKey};
use crate::plan::ParentPolicy::{All, Any, Settled};
use crate::plan::{ParentPolicy, PlannedTask};
use crate::project::{Command, HistoryEvent, Reading, Refusal, State, TaskState};
use crate::verdict::{Verdict, VerdictItem};

const FREE: Options = Options {
    assume: false,
    approve: false,
};

fn question(text: &str, default: &str) -> Question {
    Question {
        id: "x".into(),
        text: text.into(),
        why: String::new(),
        options: Vec::new(),
        default: default.into(),
    }
}

fn running(tasks: Vec<PlannedTask>) -> House {
    let mut house = House::begun(FREE);
    house.succeed(
        "clarify",
        Reading::Clarification(Ok(Clarification::default())),
    );
    house.succeed(
        "plan",
        Reading::Plan {
            read: Ok(plan_of(tasks)),
            fallback: None,
        },
    );
    assert_eq!(house.project.head.state, State::Running);
    house
}

fn work() -> Reading {
    Reading::Nothing
}

fn verdict(met: bool, redo: &[&str]) -> Reading {
    let item = VerdictItem {
        requirement: "r1".into(),
        met,
        evidence: "seen".into(),
        redo: redo.iter().map(TaskKey::new).collect(),
        feedback: if met { String::new() } else { "longer".into() },
    };
    Reading::Verdict(Ok(Verdict { items: vec![item] }))
}

fn fail(house: &mut House, key: &str, cause: FailureCause, reading: Reading) {
    let attempt = house
        .named(key)
        .current_attempt()
        .expect("the task is ready")
        .attempt;
    house
        .end(attempt, Outcome::Failed { cause }, reading)
        .expect("its task waits for it");
}

#[test]
fn a_brief_without_questions_goes_straight_through() {
    let mut house = running(vec![
        planned_task("a", &[], All),
        planned_task("b", &["a"], All),
    ]);
    assert_eq!(
        house.named("b").state,
        TaskState::Pending {
            succeeded: 0,
            over: 0
        }
    );
    house.succeed("a", work());
    assert!(
        house.named("b").current_attempt().is_some(),
        "b begins in the decision in which a ended"
    );
    house.succeed("b", work());
    house.succeed("judge.1", verdict(true, &[]));
    assert_eq!(house.project.head.state.as_str(), "done");
    assert_eq!(house.tell(Command::Pause), Err(Refusal::Over("done")));
}

#[test]
fn policies_begin_and_skip_tasks_as_soon_as_they_can() {
    let mut house = running(vec![
        planned_task("a", &[], All),
        planned_task("b", &[], All),
        planned_task("all", &["a", "b"], All),
        planned_task("any", &["a", "b"], Any),
        planned_task("two", &["a", "b", "any"], ParentPolicy::AtLeast(2)),
        planned_task("settled", &["all"], Settled),
    ]);
    let cause = || FailureCause::Request {
        message: "too long".into(),
    };
    fail(&mut house, "a", cause(), Reading::Nothing);
    assert_eq!(
        house.named("all").state,
        TaskState::Skipped,
        "a request that is wrong is not tried again"
    );
    assert!(house.named("settled").current_attempt().is_some());
    house.succeed("b", work());
    assert!(house.named("any").current_attempt().is_some());
    house.succeed("any", work());
    assert!(house.named("two").current_attempt().is_some());
}

#[test]
fn questions_about_the_brief_wait_for_the_client() {
    let mut house = House::begun(FREE);
    let questions = vec![
        question("which edition?", "the first"),
        question("for whom?", "students"),
    ];
    house.succeed(
        "clarify",
        Reading::Clarification(Ok(Clarification {
            questions,
            assumptions: Vec::new(),
        })),
    );
    assert_eq!(house.project.head.state.as_str(), "waiting_client");
    let answers = |id: &str| BTreeMap::from([(id.to_owned(), "the second".to_owned())]);
    assert_eq!(
        house.tell(Command::Answer {
            answers: answers("q9"),
            assume_rest: false
        }),
        Err(Refusal::NothingAsked)
    );
    house
        .tell(Command::Answer {
            answers: answers("q1"),
            assume_rest: false,
        })
        .expect("it is open");
    assert_eq!(house.project.head.state.as_str(), "waiting_client");
    house
        .tell(Command::Answer {
            answers: BTreeMap::new(),
            assume_rest: true,
        })
        .expect("one is open");
    assert_eq!(house.project.head.state.as_str(), "planning");
    let said: Vec<_> = house
        .project
        .head
        .answers
        .iter()
        .map(|answered| (answered.answer.as_str(), answered.assumed))
        .collect();
    assert_eq!(said, [("the second", false), ("students", true)]);
}

#[test]
fn with_assumptions_nobody_is_asked() {
    let mut house = House::begun(Options {
        assume: true,
        approve: false,
    });
    let questions = vec![question("which edition?", "the first")];
    house.succeed(
        "clarify",
        Reading::Clarification(Ok(Clarification {
            questions,
            assumptions: Vec::new(),
        })),
    );
    assert_eq!(house.project.head.state.as_str(), "planning");
}

#[test]
fn a_malformed_plan_never_fails_a_project() {
    let mut house = House::begun(FREE);
    for _ in 0..3 {
        fail(&mut house, "clarify", FailureCause::Empty, Reading::Nothing);
    }
    for try_ in 1..=3 {
        assert_eq!(
            house
                .named("plan")
                .current_attempt()
                .map(|doing| doing.number),
            Some(try_)
        );
        let fallback = Some(plan_of(vec![planned_task("whole", &[], All)]));
        house.succeed(
            "plan",
            Reading::Plan {
                read: Err(vec!["no JSON".into()]),
                fallback,
            },
        );
    }
    assert!(
        house
            .history
            .iter()
            .any(|event| matches!(event, HistoryEvent::Planned { fallback: true, .. }))
    );
    house.succeed("whole", work());
    assert_eq!(house.project.head.state.as_str(), "evaluating");
}

#[test]
fn the_client_can_refuse_a_plan() {
    let mut house = House::begun(Options {
        assume: false,
        approve: true,
    });
    house.succeed(
        "clarify",
        Reading::Clarification(Ok(Clarification::default())),
    );
    let planned = plan_of(vec![planned_task("a", &[], All)]);
    house.succeed(
        "plan",
        Reading::Plan {
            read: Ok(planned.clone()),
            fallback: None,
        },
    );
    assert_eq!(house.project.head.state, State::WaitingApproval);
    house
        .tell(Command::Reject {
            reason: "shorter".into(),
        })
        .expect("a plan waits");
    assert_eq!(house.project.head.rejections, ["shorter"]);
    house.succeed(
        "plan.2",
        Reading::Plan {
            read: Ok(planned.clone()),
            fallback: None,
        },
    );
    house
        .tell(Command::Approve { plan: planned.plan })
        .expect("a plan waits");
    assert_eq!(
        (
            house.project.head.plan_version(),
            house.named("a").plan_version
        ),
        (2, 2)
    );
}

#[test]
fn a_question_burns_no_try() {
    let mut house = running(vec![planned_task("a", &[], All)]);
    house.question("a", "which spelling?");
    assert!(matches!(house.named("a").state, TaskState::Asking { .. }));
    house.succeed(
        "answer.a.1",
        Reading::Answer(Ok(AnswerReply::Answer("British".into()))),
    );
    assert_eq!(
        house.named("a").current_attempt().map(|doing| doing.number),
        Some(1)
    );
    assert_eq!(house.named("a").answers[0].answer, "British");
}

#[test]
fn the_client_is_asked_beside_running_tasks() {
    let mut house = running(vec![
        planned_task("a", &[], All),
        planned_task("b", &[], All),
    ]);
    house.question("a", "whose name?");
    house.succeed(
        "answer.a.1",
        Reading::Answer(Ok(AnswerReply::AskClient(question("whose name?", "ours")))),
    );
    assert_eq!(
        house.project.head.state,
        State::Running,
        "b is still under way"
    );
    house.succeed("b", work());
    assert_eq!(house.project.head.state.as_str(), "waiting_client");
    let answers = BTreeMap::from([("q1".to_owned(), "hers".to_owned())]);
    house
        .tell(Command::Answer {
            answers,
            assume_rest: false,
        })
        .expect("it is open");
    assert_eq!(house.project.head.state, State::Running);
    assert_eq!(house.named("a").answers[0].answer, "hers");
}

#[test]
fn a_worker_that_only_asks_is_told_to_stop_asking_and_fails_in_the_end() {
    let mut house = running(vec![
        planned_task("a", &[], All),
        planned_task("b", &[], All),
    ]);
    let mut asked = 0;
    while !house.named("a").state.is_terminal() {
        house.question("a", "why?");
        let answer = format!("answer.a.{}", asked + 1);
        if house
            .project
            .active()
            .any(|task| task.key.as_str() == answer && task.current_attempt().is_some())
        {
            asked += 1;
            house.succeed(
                &answer,
                Reading::Answer(Ok(AnswerReply::Answer("because".into()))),
            );
        }
    }
    assert_eq!((asked, house.named("a").state.as_str()), (3, "failed"));
}

#[test]
fn rework_replaces_named_tasks_and_their_readers() {
    let mut house = running(vec![
        planned_task("a", &[], All),
        planned_task("b", &["a"], All),
        planned_task("c", &[], All),
    ]);
    for key in ["a", "c", "b"] {
        house.succeed(key, work());
    }
    let (a, b, c) = (
        house.named("a").id,
        house.named("b").id,
        house.named("c").id,
    );
    house.succeed("judge.1", verdict(false, &["a"]));
    assert_eq!(house.project.head.state, State::Running);
    assert_eq!(
        house.named("c").id,
        c,
        "what nobody named and what reads nothing new stands"
    );
    let (new_a, new_b) = (house.named("a"), house.named("b"));
    assert_eq!(
        (house.task(a).superseded_by, house.task(b).superseded_by),
        (Some(new_a.id), Some(new_b.id))
    );
    assert_eq!(new_b.parents, [new_a.id]);
    assert_eq!(
        new_a.rework.as_ref().map(|rework| rework.feedback.as_str()),
        Some("longer")
    );
    assert!(new_a.current_attempt().is_some() && new_b.current_attempt().is_none());
    house.succeed("a", work());
    house.succeed("b", work());
    house.succeed("judge.2", verdict(true, &[]));
    assert_eq!(house.project.head.state.as_str(), "done");
}

#[test]
fn rework_in_the_middle_cancels_what_is_under_way_and_points_what_waits_to_the_new_task() {
    let tasks = vec![
        planned_task("a", &[], All),
        planned_task("b", &["a"], All),
        planned_task("c", &["b", "d"], All),
        planned_task("d", &[], All),
    ];
    let mut house = running(tasks);
    house.succeed("a", work());
    house.succeed("d", work());
    let (b, c) = (house.named("b").clone(), house.named("c").id);
    house.rework("a");
    let attempt = b.current_attempt().expect("b was ready").attempt;
    assert_eq!(
        house.attempts[&attempt].1,
        crate::attempt::AttemptState::Cancelled
    );
    assert_eq!(
        (
            house.task(b.id).state.as_str(),
            house.named("b").state.as_str()
        ),
        ("cancelled", "pending")
    );
    assert_eq!(
        (house.named("c").id, house.named("c").parents[0]),
        (c, house.named("b").id),
        "what had not begun is the same task"
    );
    for key in ["a", "b", "c"] {
        house.succeed(key, work());
    }
    assert_eq!(house.project.head.state.as_str(), "evaluating");
}

#[test]
fn rework_that_does_not_help_delivers_the_best_so_far() {
    let mut house = running(vec![planned_task("a", &[], All)]);
    house.succeed("a", work());
    house.succeed("judge.1", verdict(false, &["a"]));
    house.succeed("a", work());
    house.succeed("judge.2", verdict(false, &["a"]));
    let State::Partial { defects, .. } = &house.project.head.state else {
        panic!("{:?}", house.project.head.state)
    };
    assert_eq!(defects, &["r1: seen"]);
}

#[test]
fn a_judge_that_cannot_be_read_is_no_consent() {
    let mut house = running(vec![planned_task("a", &[], All)]);
    house.succeed("a", work());
    while house.project.head.state.as_str() == "evaluating" {
        house.succeed("judge.1", Reading::Verdict(Err(vec!["no JSON".into()])));
    }
    assert_eq!(house.project.head.state.as_str(), "partial");
}

#[test]
fn without_money_what_there_is_is_delivered() {
    let mut house = running(vec![
        planned_task("a", &[], All),
        planned_task("b", &[], All),
        planned_task("c", &["b"], All),
    ]);
    fail(&mut house, "b", FailureCause::OverBudget, Reading::Nothing);
    assert!(
        house.named("a").current_attempt().is_some(),
        "a call that may be paid for already goes on"
    );
    house.succeed("a", work());
    let State::Partial { defects, .. } = &house.project.head.state else {
        panic!("{:?}", house.project.head.state)
    };
    assert_eq!(defects.len(), 1, "{defects:?}");
    assert!(house.history.contains(&HistoryEvent::BudgetExhausted));
}

#[test]
fn without_money_for_a_plan_the_project_fails() {
    let mut house = House::begun(FREE);
    fail(
        &mut house,
        "clarify",
        FailureCause::OverBudget,
        Reading::Nothing,
    );
    assert_eq!(house.project.head.state.as_str(), "failed");
}

#[test]
fn a_paused_project_folds_but_starts_nothing() {
    let mut house = running(vec![
        planned_task("a", &[], All),
        planned_task("b", &["a"], All),
    ]);
    let attempt = house
        .named("a")
        .current_attempt()
        .expect("a is ready")
        .attempt;
    let (queue, _) = house.attempts[&attempt].clone();
    house.tell(Command::Pause).expect("it runs");
    house.tell(Command::Pause).expect("it is paused already");
    assert_eq!(
        (
            house.touched,
            house
                .history
                .iter()
                .filter(|event| **event == HistoryEvent::Paused)
                .count()
        ),
        (0, 1)
    );
    let done = crate::attempt::AttemptDone {
        attempt,
        task: queue.task,
        outcome: Outcome::Succeeded {
            result: ArtifactHash::of(b"a"),
        },
        call: None,
    };
    house
        .tell(Command::Finished {
            done,
            reading: work(),
        })
        .expect("it ended a moment before the pause");
    assert!(house.named("b").current_attempt().is_some() && house.live().is_empty());
    house.tell(Command::Resume).expect("it is paused");
    assert_eq!(house.live().len(), 1);
    house.succeed("b", work());
    assert_eq!(house.project.head.state.as_str(), "evaluating");
}

#[test]
fn a_command_is_folded_once() {
    let mut house = running(vec![planned_task("a", &[], All)]);
    let (pause, resume) = (EventId::new(1), EventId::new(2));
    house.tell_as(pause, Command::Pause).expect("it runs");
    house
        .tell_as(resume, Command::Resume)
        .expect("it is paused");
    assert_eq!(house.tell_as(pause, Command::Pause), Err(Refusal::Repeated));
}

#[test]
fn completing_one_task_of_ten_thousand_writes_its_readers_only() {
    let mut tasks: Vec<_> = (0..10_000)
        .map(|at| planned_task(&format!("t{at}"), &[], All))
        .collect();
    tasks.push(planned_task("one", &["t0"], All));
    tasks.push(planned_task("two", &["t0", "t1"], All));
    let mut house = running(tasks);
    house.succeed("t0", work());
    assert_eq!(house.touched, 3);
    assert!(
        serde_json::to_vec(&house.project.head)
            .expect("heads are JSON")
            .len()
            < 2_000,
        "the head does not grow with the plan"
    );
}
