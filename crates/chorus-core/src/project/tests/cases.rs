//! Single walks through the machine.

use std::collections::BTreeMap;

use super::fixture::{Fixture, plan_of, planned_task};
use crate::attempt::FailureCause;
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

fn running(tasks: Vec<PlannedTask>) -> Fixture {
    let mut fixture = Fixture::begun(FREE);
    fixture.succeed(
        "clarify",
        Reading::Clarification(Ok(Clarification::default())),
    );
    fixture.succeed(
        "plan",
        Reading::Plan {
            read: Ok(plan_of(tasks)),
            repaired: None,
            fallback: None,
        },
    );
    assert_eq!(fixture.project.head.state, State::Running);
    fixture
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
    Reading::Verdict(Ok(Verdict {
        items: vec![item],
        ..Verdict::default()
    }))
}

#[test]
fn a_brief_without_questions_goes_straight_through() {
    let mut fixture = running(vec![
        planned_task("a", &[], All),
        planned_task("b", &["a"], All),
    ]);
    assert_eq!(
        fixture.task_of("b").state,
        TaskState::Pending {
            succeeded: 0,
            ended: 0
        }
    );
    fixture.succeed("a", work());
    assert!(
        fixture.task_of("b").current_attempt().is_some(),
        "b begins in the decision in which a ended"
    );
    fixture.succeed("b", work());
    fixture.succeed("judge.1", verdict(true, &[]));
    assert_eq!(fixture.project.head.state.as_str(), "done");
    assert_eq!(
        fixture.send(Command::Pause { at: None }),
        Err(Refusal::Ended("done"))
    );
}

#[test]
fn policies_begin_and_skip_tasks_as_soon_as_they_can() {
    let mut fixture = running(vec![
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
    fixture.fail("a", cause(), Reading::Nothing);
    assert_eq!(
        fixture.task_of("all").state,
        TaskState::Skipped,
        "a request that is wrong is not tried again"
    );
    assert!(fixture.task_of("settled").current_attempt().is_some());
    fixture.succeed("b", work());
    assert!(fixture.task_of("any").current_attempt().is_some());
    fixture.succeed("any", work());
    assert!(fixture.task_of("two").current_attempt().is_some());
}

#[test]
fn questions_about_the_brief_wait_for_the_client() {
    let mut fixture = Fixture::begun(FREE);
    let questions = vec![
        question("which edition?", "the first"),
        question("for whom?", "students"),
    ];
    fixture.succeed(
        "clarify",
        Reading::Clarification(Ok(Clarification {
            questions,
            assumptions: Vec::new(),
        })),
    );
    assert_eq!(fixture.project.head.state.as_str(), "waiting_client");
    let answers = |id: &str| BTreeMap::from([(id.to_owned(), "the second".to_owned())]);
    assert_eq!(
        fixture.send(Command::Answer {
            answers: answers("q9"),
            assume_rest: false,
            questions: None
        }),
        Err(Refusal::NothingAsked)
    );
    fixture
        .send(Command::Answer {
            answers: answers("q1"),
            assume_rest: false,
            questions: None,
        })
        .expect("it is open");
    assert_eq!(fixture.project.head.state.as_str(), "waiting_client");
    fixture
        .send(Command::Answer {
            answers: BTreeMap::new(),
            assume_rest: true,
            questions: None,
        })
        .expect("one is open");
    assert_eq!(fixture.project.head.state.as_str(), "planning");
    let answered: Vec<_> = fixture
        .project
        .head
        .answers
        .iter()
        .map(|answered| (answered.answer.as_str(), answered.assumed))
        .collect();
    assert_eq!(answered, [("the second", false), ("students", true)]);
}

#[test]
fn with_assumptions_the_client_is_not_asked() {
    let mut fixture = Fixture::begun(Options {
        assume: true,
        approve: false,
    });
    let questions = vec![question("which edition?", "the first")];
    fixture.succeed(
        "clarify",
        Reading::Clarification(Ok(Clarification {
            questions,
            assumptions: Vec::new(),
        })),
    );
    assert_eq!(fixture.project.head.state.as_str(), "planning");
}

#[test]
fn the_client_can_reject_a_plan() {
    let mut fixture = Fixture::begun(Options {
        assume: false,
        approve: true,
    });
    fixture.succeed(
        "clarify",
        Reading::Clarification(Ok(Clarification::default())),
    );
    let planned = plan_of(vec![planned_task("a", &[], All)]);
    fixture.succeed(
        "plan",
        Reading::Plan {
            read: Ok(planned.clone()),
            repaired: None,
            fallback: None,
        },
    );
    assert_eq!(fixture.project.head.state, State::WaitingApproval);
    fixture
        .send(Command::Reject {
            reason: "shorter".into(),
            plan: None,
        })
        .expect("a plan waits");
    assert_eq!(fixture.project.head.rejections, ["shorter"]);
    fixture.succeed(
        "plan.2",
        Reading::Plan {
            read: Ok(planned.clone()),
            repaired: None,
            fallback: None,
        },
    );
    fixture
        .send(Command::Approve {
            hash: planned.hash,
            plan: Some(planned.plan),
        })
        .expect("a plan waits");
    assert_eq!(
        (
            fixture.project.head.plan_version(),
            fixture.task_of("a").plan_version
        ),
        (2, 2)
    );
}

#[test]
fn a_question_burns_no_try() {
    let mut fixture = running(vec![planned_task("a", &[], All)]);
    fixture.question("a", "which spelling?");
    assert!(matches!(
        fixture.task_of("a").state,
        TaskState::Asking { .. }
    ));
    fixture.succeed(
        "answer.a.1",
        Reading::Answer(Ok(AnswerReply::Answer("British".into()))),
    );
    assert_eq!(
        fixture
            .task_of("a")
            .current_attempt()
            .map(|current| current.number),
        Some(1)
    );
    assert_eq!(fixture.task_of("a").answers[0].answer, "British");
}

#[test]
fn the_client_is_asked_beside_running_tasks() {
    let mut fixture = running(vec![
        planned_task("a", &[], All),
        planned_task("b", &[], All),
    ]);
    fixture.question("a", "whose name?");
    fixture.succeed(
        "answer.a.1",
        Reading::Answer(Ok(AnswerReply::AskClient(question("whose name?", "ours")))),
    );
    assert_eq!(
        fixture.project.head.state,
        State::Running,
        "b is still under way"
    );
    fixture.succeed("b", work());
    assert_eq!(fixture.project.head.state.as_str(), "waiting_client");
    let answers = BTreeMap::from([("q1".to_owned(), "hers".to_owned())]);
    fixture
        .send(Command::Answer {
            answers,
            assume_rest: false,
            questions: None,
        })
        .expect("it is open");
    assert_eq!(fixture.project.head.state, State::Running);
    assert_eq!(fixture.task_of("a").answers[0].answer, "hers");
}

#[test]
fn a_worker_that_only_asks_uses_up_its_tries_and_fails() {
    let mut fixture = running(vec![
        planned_task("a", &[], All),
        planned_task("b", &[], All),
    ]);
    let mut asked = 0;
    while !fixture.task_of("a").state.is_terminal() {
        fixture.question("a", "why?");
        let answer = format!("answer.a.{}", asked + 1);
        if fixture
            .project
            .active()
            .any(|task| task.key.as_str() == answer && task.current_attempt().is_some())
        {
            asked += 1;
            fixture.succeed(
                &answer,
                Reading::Answer(Ok(AnswerReply::Answer("because".into()))),
            );
        }
    }
    assert_eq!((asked, fixture.task_of("a").state.as_str()), (3, "failed"));
}

#[test]
fn rework_replaces_named_tasks_and_their_readers() {
    let mut fixture = running(vec![
        planned_task("a", &[], All),
        planned_task("b", &["a"], All),
        planned_task("c", &[], All),
    ]);
    for key in ["a", "c", "b"] {
        fixture.succeed(key, work());
    }
    let (a, b, c) = (
        fixture.task_of("a").id,
        fixture.task_of("b").id,
        fixture.task_of("c").id,
    );
    fixture.succeed("judge.1", verdict(false, &["a"]));
    assert_eq!(fixture.project.head.state, State::Running);
    assert_eq!(
        fixture.task_of("c").id,
        c,
        "a task that is not named and reads nothing new stays"
    );
    let (new_a, new_b) = (fixture.task_of("a"), fixture.task_of("b"));
    assert_eq!(
        (fixture.task(a).superseded_by, fixture.task(b).superseded_by),
        (Some(new_a.id), Some(new_b.id))
    );
    assert_eq!(new_b.parents, [new_a.id]);
    assert_eq!(
        new_a.rework.as_ref().map(|rework| rework.feedback.as_str()),
        Some("longer")
    );
    assert!(new_a.current_attempt().is_some() && new_b.current_attempt().is_none());
    fixture.succeed("a", work());
    fixture.succeed("b", work());
    fixture.succeed("judge.2", verdict(true, &[]));
    assert_eq!(fixture.project.head.state.as_str(), "done");
}

#[test]
fn readers_keep_their_results_when_a_part_that_is_done_again_comes_out_the_same() {
    let mut fixture = running(vec![
        planned_task("a", &[], All),
        planned_task("other", &[], All),
        planned_task("b", &["a", "other"], All),
        planned_task("c", &["b"], All),
    ]);
    for key in ["a", "other", "b", "c"] {
        fixture.succeed_with(key, key, work());
    }
    let read = fixture.task_of("c").result();
    fixture.succeed("judge.1", verdict(false, &["a"]));
    fixture.succeed_with("a", "a", work());
    assert_eq!(fixture.task_of("b").state.as_str(), "succeeded");
    assert_eq!(fixture.task_of("c").result(), read);
    assert_eq!(fixture.task_of("c").plan_version, 2);
    assert_eq!(fixture.project.head.state.as_str(), "evaluating");
}

#[test]
fn a_reader_of_a_changed_part_is_done_again_and_its_own_readers_only_if_it_changes() {
    let mut fixture = running(vec![
        planned_task("a", &[], All),
        planned_task("b", &["a"], All),
        planned_task("c", &["b"], All),
    ]);
    for key in ["a", "b", "c"] {
        fixture.succeed_with(key, key, work());
    }
    let read = fixture.task_of("c").result();
    fixture.succeed("judge.1", verdict(false, &["a"]));
    fixture.succeed_with("a", "another a", work());
    assert!(fixture.task_of("b").current_attempt().is_some());
    fixture.succeed_with("b", "b", work());
    assert_eq!(fixture.task_of("c").result(), read);
    assert_eq!(fixture.project.head.state.as_str(), "evaluating");
}

#[test]
fn a_reader_that_the_judge_names_is_done_again_although_its_parents_come_out_the_same() {
    let mut fixture = running(vec![
        planned_task("a", &[], All),
        planned_task("b", &["a"], All),
    ]);
    for key in ["a", "b"] {
        fixture.succeed_with(key, key, work());
    }
    fixture.succeed("judge.1", verdict(false, &["a", "b"]));
    fixture.succeed_with("a", "a", work());
    assert!(fixture.task_of("b").current_attempt().is_some());
}

#[test]
fn rework_in_the_middle_cancels_what_is_under_way_and_points_what_waits_to_the_new_task() {
    let tasks = vec![
        planned_task("a", &[], All),
        planned_task("b", &["a"], All),
        planned_task("c", &["b", "d"], All),
        planned_task("d", &[], All),
    ];
    let mut fixture = running(tasks);
    fixture.succeed("a", work());
    fixture.succeed("d", work());
    let (b, c) = (fixture.task_of("b").clone(), fixture.task_of("c").id);
    fixture.rework("a");
    let attempt = b.current_attempt().expect("b was ready").attempt;
    assert_eq!(
        fixture.attempts[&attempt].1,
        crate::attempt::AttemptState::Cancelled
    );
    assert_eq!(
        (
            fixture.task(b.id).state.as_str(),
            fixture.task_of("b").state.as_str()
        ),
        ("cancelled", "pending")
    );
    assert_eq!(
        (fixture.task_of("c").id, fixture.task_of("c").parents[0]),
        (c, fixture.task_of("b").id),
        "what had not begun is the same task"
    );
    for key in ["a", "b", "c"] {
        fixture.succeed(key, work());
    }
    assert_eq!(fixture.project.head.state.as_str(), "evaluating");
}

#[test]
fn rework_that_does_not_help_delivers_the_best_so_far() {
    let mut fixture = running(vec![planned_task("a", &[], All)]);
    fixture.succeed("a", work());
    fixture.succeed("judge.1", verdict(false, &["a"]));
    fixture.succeed("a", work());
    fixture.succeed("judge.2", verdict(false, &["a"]));
    let State::Partial { defects, .. } = &fixture.project.head.state else {
        panic!("{:?}", fixture.project.head.state)
    };
    assert_eq!(defects, &["r1: seen"]);
}

#[test]
fn a_paused_project_folds_but_starts_nothing() {
    let mut fixture = running(vec![
        planned_task("a", &[], All),
        planned_task("b", &["a"], All),
    ]);
    fixture.send(Command::Pause { at: None }).expect("it runs");
    fixture
        .send(Command::Pause { at: None })
        .expect("it is paused already");
    assert_eq!(
        (
            fixture.touched,
            fixture
                .history
                .iter()
                .filter(|event| **event == HistoryEvent::Paused)
                .count()
        ),
        (0, 1)
    );
    fixture.succeeded_before_pause("a", work());
    assert!(fixture.task_of("b").current_attempt().is_some() && fixture.live().is_empty());
    fixture
        .send(Command::Resume { at: None })
        .expect("it is paused");
    assert_eq!(fixture.live().len(), 1);
    fixture.succeed("b", work());
    assert_eq!(fixture.project.head.state.as_str(), "evaluating");
}

#[test]
fn a_command_is_folded_once() {
    let mut fixture = running(vec![planned_task("a", &[], All)]);
    let (pause, resume) = (EventId::new(1), EventId::new(2));
    fixture
        .send_as(pause, Command::Pause { at: None })
        .expect("it runs");
    fixture
        .send_as(resume, Command::Resume { at: None })
        .expect("it is paused");
    assert_eq!(
        fixture.send_as(pause, Command::Pause { at: None }),
        Err(Refusal::Repeated)
    );
}

#[test]
fn completing_one_task_of_ten_thousand_writes_its_readers_only() {
    let mut tasks: Vec<_> = (0..10_000)
        .map(|at| planned_task(&format!("t{at}"), &[], All))
        .collect();
    tasks.push(planned_task("one", &["t0"], All));
    tasks.push(planned_task("two", &["t0", "t1"], All));
    let mut fixture = running(tasks);
    fixture.succeed("t0", work());
    assert_eq!(fixture.touched, 3);
    assert!(
        serde_json::to_vec(&fixture.project.head)
            .expect("heads are JSON")
            .len()
            < 2_000,
        "the head does not grow with the plan"
    );
}
