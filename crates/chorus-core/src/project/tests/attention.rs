//! Projects that need a person: entered, shown, left by each way out, and never called a success or a failure.

use super::fixture::{Fixture, plan_of, planned_task};
use super::script::over_budget;
use crate::artifact::ArtifactHash;
use crate::attempt::FailureCause;
use crate::brief::{Clarification, Options};
use crate::failure::FailureClass;
use crate::id::TaskKey;
use crate::money::MicroUsd;
use crate::plan::ParentPolicy::{All, Any};
use crate::plan::PlannedTask;
use crate::project::{
    Attention, Choice, Command, HistoryEvent, LongWait, Reading, Refusal, State, TaskState,
};
use crate::time::{Millis, Timestamp};
use crate::verdict::{Verdict, VerdictItem};

pub(super) const FREE: Options = Options {
    assume: false,
    approve: false,
};

pub(super) fn clear() -> Reading {
    Reading::Clarification(Ok(Clarification::default()))
}

pub(super) fn plan(tasks: Vec<PlannedTask>) -> Reading {
    Reading::Plan {
        read: Ok(plan_of(tasks)),
        repaired: None,
        fallback: None,
    }
}

fn unread_plan() -> Reading {
    Reading::Plan {
        read: Err(vec!["no JSON".into()]),
        repaired: None,
        fallback: Some(plan_of(vec![planned_task("whole", &[], All)])),
    }
}

pub(super) fn running(tasks: Vec<PlannedTask>) -> Fixture {
    let mut fixture = Fixture::begun(FREE);
    fixture.succeed("clarify", clear());
    fixture.succeed("plan", plan(tasks));
    fixture
}

pub(super) fn verdict(met: bool, redo: &[&str]) -> Reading {
    let item = VerdictItem {
        requirement: "r1".into(),
        met,
        evidence: "seen".into(),
        redo: redo.iter().map(TaskKey::new).collect(),
        feedback: "give the dates".into(),
    };
    Reading::Verdict(Ok(Verdict {
        items: vec![item],
        ..Verdict::default()
    }))
}

fn away() -> FailureCause {
    FailureCause::Upstream {
        class: FailureClass::Overload,
        message: "503".into(),
    }
}

fn why(fixture: &Fixture) -> Option<Attention> {
    let attention = fixture.project.head.state.attention();
    attention.map(|(_, why)| why.clone())
}

fn code(fixture: &Fixture) -> String {
    why(fixture).map_or_else(String::new, |why| why.code().to_owned())
}

pub(super) fn state(fixture: &Fixture) -> &'static str {
    fixture.project.head.state.as_str()
}

#[test]
fn a_plan_by_rule_is_an_offer_that_starts_only_when_it_is_approved_by_its_hash() {
    let mut fixture = Fixture::begun(FREE);
    fixture.succeed("clarify", clear());
    for _ in 0..3 {
        assert_eq!(state(&fixture), "planning");
        fixture.succeed("plan", unread_plan());
    }
    let Some(Attention::NoPlan {
        message,
        offer: Some(offer),
    }) = why(&fixture)
    else {
        panic!("{:?}", fixture.project.head.state)
    };
    assert!(message.contains("no JSON"), "{message}");
    assert!(fixture.live().is_empty() && offer.tasks == 1);
    let other = Command::Approve {
        hash: ArtifactHash::of(b"another plan"),
        plan: None,
    };
    assert_eq!(fixture.send(other), Err(Refusal::OtherPlan));
    let approve = Command::Approve {
        hash: offer.plan,
        plan: Some(plan_of(vec![planned_task("whole", &[], All)]).plan),
    };
    fixture.send(approve).expect("it is offered");
    assert_eq!(state(&fixture), "running");
    let by_rule =
        |event: &HistoryEvent| matches!(event, HistoryEvent::Planned { fallback: true, .. });
    assert_eq!(
        fixture
            .history
            .iter()
            .filter(|event| by_rule(event))
            .count(),
        1
    );
    assert!(fixture.history.contains(&HistoryEvent::AttentionEnded));
}

#[test]
fn a_planners_plan_with_faults_is_offered_and_not_reported_as_made_by_a_rule() {
    let mut fixture = Fixture::begun(FREE);
    fixture.succeed("clarify", clear());
    let read = plan_of(vec![planned_task("a", &[], All)]);
    for _ in 0..3 {
        fixture.succeed(
            "plan",
            Reading::Plan {
                read: Err(vec!["the reply was cut off".into()]),
                repaired: Some(read.clone()),
                fallback: None,
            },
        );
    }
    assert_eq!(code(&fixture), "no_plan");
    let approve = Command::Approve {
        hash: read.hash,
        plan: Some(read.plan),
    };
    fixture.send(approve).expect("it is offered");
    assert_eq!(state(&fixture), "running");
    assert!(fixture.history.iter().any(|event| matches!(
        event,
        HistoryEvent::Planned {
            fallback: false,
            repaired: true,
            ..
        }
    )));
}

#[test]
fn an_offer_can_be_rejected_and_the_planner_can_be_asked_again() {
    let held = || {
        let mut fixture = Fixture::begun(FREE);
        fixture.succeed("clarify", clear());
        for _ in 0..3 {
            fixture.succeed("plan", unread_plan());
        }
        fixture
    };
    let mut rejected = held();
    let reject = Command::Reject {
        reason: "two parts".into(),
        plan: None,
    };
    rejected.send(reject).expect("it is offered");
    assert_eq!(state(&rejected), "planning");
    let mut retried = held();
    retried
        .send(Command::Retry { task: None })
        .expect("a task waits");
    assert_eq!(
        (state(&retried), &retried.project.head.offer),
        ("planning", &None)
    );
    retried.succeed("plan", plan(vec![planned_task("a", &[], All)]));
    assert_eq!(state(&retried), "running");
    let mut skipped = held();
    assert!(
        skipped.send(Command::Skip { task: None }).is_err(),
        "there is no project without a plan"
    );
}

#[test]
fn a_failed_clarification_is_no_clear_brief() {
    let request = || FailureCause::Request {
        message: "maximum context length".into(),
    };
    let mut fixture = Fixture::begun(FREE);
    fixture.fail("clarify", request(), Reading::Nothing);
    assert_eq!(code(&fixture), "clarification_failed");
    assert!(
        why(&fixture).is_some_and(|why| why.to_string().contains("maximum context length")),
        "the provider's words are told"
    );
    assert!(
        !fixture
            .history
            .iter()
            .any(|event| matches!(event, HistoryEvent::Clarified { .. })),
        "nothing says that the brief is clear"
    );
    fixture
        .send(Command::Skip { task: None })
        .expect("a task waits");
    assert_eq!(state(&fixture), "planning");
}

#[test]
fn one_dear_task_waits_for_money_and_the_cheap_ones_go_on() {
    let cheap: Vec<String> = (0..10).map(|at| format!("c{at}")).collect();
    let mut tasks = vec![planned_task("dear", &[], All)];
    tasks.extend(cheap.iter().map(|key| planned_task(key, &[], All)));
    tasks.push(planned_task("after", &["c0"], All));
    let mut fixture = running(tasks);
    fixture.fail("dear", over_budget(), Reading::Nothing);
    let Some(Attention::Budget {
        needs,
        spent,
        budget,
        tasks: 1,
    }) = why(&fixture)
    else {
        panic!("{:?}", fixture.project.head.state)
    };
    assert_eq!(
        (needs, spent, budget),
        (MicroUsd(3), MicroUsd(8), MicroUsd(10))
    );
    for key in &cheap {
        fixture.succeed(key, Reading::Nothing);
    }
    fixture.succeed("after", Reading::Nothing);
    assert_eq!(code(&fixture), "budget", "the dear one still waits");
    let budget = MicroUsd(20);
    fixture
        .send(Command::RaiseBudget { budget })
        .expect("the project is live");
    assert_eq!(fixture.budget, Some(budget));
    assert_eq!(state(&fixture), "running");
    fixture.succeed("dear", Reading::Nothing);
    fixture.succeed("judge.1", verdict(true, &[]));
    assert_eq!(state(&fixture), "done");
}

#[test]
fn the_client_can_have_delivered_what_the_budget_paid_for() {
    let mut fixture = running(vec![
        planned_task("a", &[], All),
        planned_task("b", &[], All),
        planned_task("c", &["b"], All),
    ]);
    fixture.fail("b", over_budget(), Reading::Nothing);
    fixture.succeed("a", Reading::Nothing);
    assert_eq!(state(&fixture), "needs_attention");
    fixture
        .send(Command::Skip { task: None })
        .expect("a task waits for money");
    let State::Partial { defects, .. } = &fixture.project.head.state else {
        panic!("{:?}", fixture.project.head.state)
    };
    assert_eq!(defects.len(), 1, "{defects:?}");
    assert!(fixture.history.contains(&HistoryEvent::BudgetExhausted));
}

#[test]
fn without_money_for_a_plan_the_project_waits_and_fails_only_at_the_clients_word() {
    let mut fixture = Fixture::begun(FREE);
    fixture.fail("clarify", over_budget(), Reading::Nothing);
    assert_eq!(code(&fixture), "budget");
    fixture
        .send(Command::Skip { task: None })
        .expect("a task waits for money");
    assert_eq!(state(&fixture), "failed");
}

#[test]
fn an_outage_burns_no_try_grows_its_distances_and_ends_by_itself() {
    let mut fixture = running(vec![planned_task("a", &[], All)]);
    let mut delays = Vec::new();
    for _ in 0..6 {
        fixture.fail("a", away(), Reading::Nothing);
        assert_eq!(code(&fixture), "provider_away");
        delays.push(fixture.live()[0].delay);
    }
    let seconds = [10, 20, 40, 60, 60, 60].map(Millis::from_secs);
    assert_eq!(delays, seconds);
    fixture.fail("a", FailureCause::Empty, Reading::Nothing);
    assert!(
        fixture.task_of("a").current_attempt().is_some(),
        "an answer that was empty is the first try that counts"
    );
    assert_eq!(state(&fixture), "running");
    fixture.succeed("a", Reading::Nothing);
    assert_eq!(state(&fixture), "evaluating");
}

#[test]
fn an_outage_of_every_phase_ends_none_of_them() {
    let mut fixture = Fixture::begun(FREE);
    for _ in 0..5 {
        fixture.fail("clarify", away(), Reading::Nothing);
    }
    assert_eq!(code(&fixture), "provider_away");
    fixture.succeed("clarify", clear());
    for _ in 0..5 {
        fixture.fail("plan", away(), unread_plan());
    }
    assert!(fixture.project.head.offer.is_none() && code(&fixture) == "provider_away");
    fixture.succeed("plan", plan(vec![planned_task("a", &[], All)]));
    fixture.succeed("a", Reading::Nothing);
    for _ in 0..5 {
        fixture.fail("judge.1", away(), Reading::Nothing);
    }
    assert_eq!(fixture.project.head.state.work().as_str(), "evaluating");
    fixture.succeed("judge.1", verdict(true, &[]));
    assert_eq!(state(&fixture), "done");
}

#[test]
fn a_judge_that_cannot_be_read_is_no_consent_and_no_end() {
    let mut fixture = running(vec![planned_task("a", &[], All)]);
    fixture.succeed("a", Reading::Nothing);
    for _ in 0..2 {
        fixture.succeed("judge.1", Reading::Verdict(Err(vec!["no JSON".into()])));
    }
    assert_eq!(code(&fixture), "judge_unread");
    fixture
        .send(Command::Retry { task: None })
        .expect("a task waits");
    fixture.succeed("judge.1", Reading::Verdict(Err(vec!["no JSON".into()])));
    fixture.succeed("judge.1", Reading::Verdict(Err(vec!["no JSON".into()])));
    fixture
        .send(Command::Skip { task: None })
        .expect("a task waits");
    assert_eq!(state(&fixture), "partial");
}

#[test]
fn a_lost_artifact_stops_the_work_until_it_is_restored() {
    let mut fixture = running(vec![planned_task("a", &[], All)]);
    let what = "the brief".to_owned();
    fixture
        .send(Command::ArtifactMissing { what })
        .expect("the project is live");
    assert!(fixture.live().is_empty() && code(&fixture) == "artifact_missing");
    fixture
        .send(Command::Retry { task: None })
        .expect("it was restored");
    assert_eq!((state(&fixture), fixture.live().len()), ("running", 1));
}

#[test]
fn without_any_result_the_client_decides() {
    let mut fixture = running(vec![
        planned_task("a", &[], All),
        planned_task("b", &["a"], Any),
    ]);
    fixture.fail("a", FailureCause::KillsWorkers, Reading::Nothing);
    assert_eq!(code(&fixture), "no_result");
    fixture
        .send(Command::Retry { task: None })
        .expect("it waits for a retry");
    assert_eq!((state(&fixture), fixture.live().len()), ("running", 1));
    fixture.succeed("a", Reading::Nothing);
    fixture.succeed("b", Reading::Nothing);
    assert_eq!(state(&fixture), "evaluating");
}

#[test]
fn a_failed_task_is_retried_with_its_readers_while_others_run() {
    let mut fixture = running(vec![
        planned_task("a", &[], All),
        planned_task("b", &["a"], All),
        planned_task("c", &[], All),
    ]);
    fixture.fail("a", FailureCause::KillsWorkers, Reading::Nothing);
    assert_eq!(fixture.task_of("b").state, TaskState::Skipped);
    let retry = |task: &str| Command::Retry {
        task: Some(task.to_owned()),
    };
    assert_eq!(
        fixture.send(retry("c")),
        Err(Refusal::NoSuchTask("c".into())),
        "a task under way is not retried"
    );
    fixture.send(retry("b")).expect("it was skipped");
    assert!(
        fixture.task_of("a").current_attempt().is_some(),
        "the parent that failed is tried again first"
    );
    for key in ["a", "b", "c"] {
        fixture.succeed(key, Reading::Nothing);
    }
    assert_eq!(
        (state(&fixture), fixture.project.head.round),
        ("evaluating", 0)
    );
}

#[test]
fn a_task_can_be_skipped_in_any_live_state() {
    let tasks = || {
        vec![
            planned_task("a", &[], All),
            planned_task("b", &["a"], All),
            planned_task("c", &[], All),
        ]
    };
    let skip = |task: &str| Command::Skip {
        task: Some(task.to_owned()),
    };
    let mut ready = running(tasks());
    ready.send(skip("a")).expect("it is ready");
    let mut pending = running(tasks());
    pending.send(skip("b")).expect("it is pending");
    let mut asking = running(tasks());
    asking.question("a", "which spelling?");
    asking.send(skip("a")).expect("it asks");
    let mut held = running(tasks());
    held.fail("a", over_budget(), Reading::Nothing);
    held.send(skip("a")).expect("it waits");
    assert_eq!(state(&held), "running");
    for (mut fixture, key) in [(ready, "a"), (pending, "b"), (asking, "a"), (held, "a")] {
        assert_eq!(fixture.task_of(key).state, TaskState::Skipped);
        if key == "b" {
            fixture.succeed("a", Reading::Nothing);
        }
        fixture.succeed("c", Reading::Nothing);
        assert_eq!(state(&fixture), "evaluating");
        assert!(fixture.send(skip("c")).is_err(), "it has a result");
    }
}

#[test]
fn a_long_wait_is_shown_until_the_dispatcher_or_an_answer_ends_it() {
    let wait = |since| LongWait {
        reason: "credentials_parked".into(),
        message: "all accounts of pool gpt are parked: out of money".into(),
        detail: None,
        since: Timestamp(since),
        until: None,
    };
    let found = |at, wait| Command::Condition {
        at: Timestamp(at),
        wait,
    };
    let mut fixture = running(vec![planned_task("a", &[], All)]);
    fixture.send(found(20, Some(wait(5)))).expect("it is news");
    assert_eq!(code(&fixture), "credentials_parked");
    assert!(why(&fixture).is_some_and(|why| why.choices().contains(&Choice::EnableAccount)));
    assert_eq!(
        fixture.send(found(10, None)),
        Err(Refusal::Overtaken),
        "an older finding came late"
    );
    assert_eq!(fixture.live().len(), 1, "the attempt stays queued");
    fixture.send(found(30, None)).expect("it is news");
    assert_eq!(state(&fixture), "running");
}

#[test]
fn tasks_without_an_account_go_on_when_there_is_one() {
    let mut fixture = running(vec![planned_task("a", &[], All)]);
    let message = "no imported account can serve any model of role writer".to_owned();
    fixture.fail("a", FailureCause::NoAccount { message }, Reading::Nothing);
    assert_eq!(code(&fixture), "no_account");
    let ended = Command::Condition {
        at: Timestamp(1),
        wait: None,
    };
    fixture.send(ended).expect("it is news");
    assert_eq!((state(&fixture), fixture.live().len()), ("running", 1));
}
