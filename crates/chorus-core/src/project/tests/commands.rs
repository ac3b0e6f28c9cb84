//! Commands of clients that come late, twice, or after the end.

use std::collections::{BTreeMap, BTreeSet};

use super::attention::{FREE, clear, plan, running, state, verdict};
use super::fixture::{Fixture, plan_of, planned_task};
use super::script::question;
use crate::artifact::ArtifactHash;
use crate::brief::{Clarification, Options};
use crate::id::EventId;
use crate::money::MicroUsd;
use crate::plan::ParentPolicy::All;
use crate::project::{Command, Reading, Refusal, Reopening};
use crate::time::Timestamp;

#[test]
fn a_partial_project_is_reopened_with_what_the_judge_wanted_and_keeps_its_results() {
    let mut fixture = running(vec![
        planned_task("a", &[], All),
        planned_task("b", &[], All),
    ]);
    for key in ["a", "b"] {
        fixture.succeed(key, Reading::Nothing);
    }
    fixture.succeed("judge.1", verdict(false, &["a"]));
    fixture.succeed("a", Reading::Nothing);
    fixture.succeed("judge.2", verdict(false, &["a"]));
    assert_eq!(state(&fixture), "partial");
    let kept = fixture.task_of("b").clone();
    let reopening = Reopening {
        rounds: Some(1),
        budget: Some(MicroUsd(9)),
        instruction: "in British spelling".into(),
    };
    fixture
        .send(Command::Reopen(reopening))
        .expect("it is partial");
    assert_eq!(
        (state(&fixture), fixture.budget),
        ("running", Some(MicroUsd(9)))
    );
    assert_eq!(fixture.task_of("b"), &kept, "a finished result is kept");
    let feedback = fixture
        .task_of("a")
        .rework
        .clone()
        .map(|rework| rework.feedback);
    assert_eq!(
        feedback.as_deref(),
        Some("in British spelling\ngive the dates")
    );
    fixture.succeed("a", Reading::Nothing);
    let judge = format!("judge.{}", fixture.project.head.round + 1);
    fixture.succeed(&judge, verdict(true, &[]));
    assert_eq!(state(&fixture), "done");
}

#[test]
fn a_cancelled_project_stays_cancelled() {
    let mut fixture = running(vec![planned_task("a", &[], All)]);
    fixture.send(Command::Cancel).expect("it is live");
    let reopen = Command::Reopen(Reopening::default());
    assert!(fixture.send(reopen).is_err());
    let paused = Command::Pause { at: None };
    assert_eq!(fixture.send(paused), Err(Refusal::Ended("cancelled")));
}

#[test]
fn a_late_approval_of_an_earlier_plan_is_refused() {
    let mut fixture = Fixture::begun(Options {
        assume: false,
        approve: true,
    });
    fixture.succeed("clarify", clear());
    fixture.succeed("plan", plan(vec![planned_task("a", &[], All)]));
    let reject = Command::Reject {
        reason: "shorter".into(),
        plan: None,
    };
    fixture.send(reject).expect("a plan waits");
    let mut second = plan_of(vec![planned_task("b", &[], All)]);
    second.hash = ArtifactHash::of(b"second plan");
    fixture.succeed(
        "plan.2",
        Reading::Plan {
            read: Ok(second),
            repaired: None,
            fallback: None,
        },
    );
    let late = Command::Approve {
        hash: ArtifactHash::of(b"plan"),
        plan: Some(plan_of(vec![planned_task("a", &[], All)]).plan),
    };
    assert_eq!(fixture.send(late), Err(Refusal::OtherPlan));
    assert_eq!(state(&fixture), "waiting_approval");
}

#[test]
fn assuming_the_rest_takes_only_the_questions_that_were_seen() {
    let mut fixture = Fixture::begun(FREE);
    let asked = Clarification {
        questions: vec![question(), question()],
        assumptions: Vec::new(),
    };
    fixture.succeed("clarify", Reading::Clarification(Ok(asked)));
    let assume = |ids: &[&str]| Command::Answer {
        answers: BTreeMap::new(),
        assume_rest: true,
        questions: Some(
            ids.iter()
                .map(|id| (*id).to_owned())
                .collect::<BTreeSet<_>>(),
        ),
    };
    fixture.send(assume(&["q1"])).expect("it is open");
    let open: Vec<_> = fixture
        .project
        .head
        .open
        .iter()
        .map(|open| open.question.id.clone())
        .collect();
    assert_eq!(open, ["q2"]);
}

#[test]
fn the_title_of_the_client_is_kept() {
    let mut fixture = Fixture::new(FREE);
    fixture.project.head.title = "My guide".into();
    fixture.project.head.has_title_of_client = true;
    fixture.submit();
    fixture.succeed("clarify", clear());
    fixture.succeed("plan", plan(vec![planned_task("a", &[], All)]));
    assert_eq!(fixture.project.head.title, "My guide");
}

#[test]
fn a_later_resume_undoes_a_keyed_pause_whatever_the_ids_are() {
    let mut fixture = running(vec![planned_task("a", &[], All)]);
    let keyed = EventId::new(u128::MAX - 5);
    let at = |millis| Some(Timestamp(millis));
    fixture
        .send_as(keyed, Command::Pause { at: at(1) })
        .expect("it runs");
    fixture
        .send(Command::Resume { at: at(2) })
        .expect("it is paused");
    assert_eq!(state(&fixture), "running");
    assert_eq!(
        fixture.send(Command::Pause { at: at(1) }),
        Err(Refusal::Overtaken)
    );
}
