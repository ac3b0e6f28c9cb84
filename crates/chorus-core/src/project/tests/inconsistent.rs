//! Rows that contradict each other stop their own project with a code, and nothing else.

use super::fixture::{Fixture, plan_of, planned_task};
use crate::artifact::ArtifactHash;
use crate::attempt::{AttemptDone, Outcome};
use crate::brief::{Clarification, Options};
use crate::id::{EventId, TaskKey};
use crate::plan::ParentPolicy::All;
use crate::project::decision_builder::DecisionBuilder;
use crate::project::{
    Command, DecideContext, Decision, Effect, HistoryEvent, Inconsistency, Project, Reading,
    Refusal, State, TaskState,
};
use crate::time::Timestamp;
use crate::verdict::{Verdict, VerdictItem};

fn begun(approve: bool) -> Fixture {
    let mut fixture = Fixture::begun(Options {
        assume: false,
        approve,
    });
    let nothing_to_ask = Clarification::default();
    fixture.succeed("clarify", Reading::Clarification(Ok(nothing_to_ask)));
    fixture
}

fn plan() -> Reading {
    let tasks = vec![
        planned_task("a", &[], All),
        planned_task("b", &["a"], All),
        planned_task("c", &[], All),
    ];
    Reading::Plan {
        read: Ok(plan_of(tasks)),
        repaired: None,
        fallback: None,
    }
}

fn running() -> Fixture {
    let mut fixture = begun(false);
    fixture.succeed("plan", plan());
    fixture
}

fn succeeded(fixture: &Fixture, key: &str, reading: Reading) -> Command {
    let task = fixture.task_of(key);
    let done = AttemptDone {
        attempt: task.current_attempt().expect("the task is ready").attempt,
        task: task.id,
        outcome: Outcome::Succeeded {
            result: ArtifactHash::of(key.as_bytes()),
        },
        call: None,
    };
    Command::Finished { done, reading }
}

fn decide(project: &Project, command: Command) -> Result<Decision, Refusal> {
    let mut last = 1_000_000;
    project.decide(
        command,
        DecideContext {
            event: EventId::new(1_000_000),
            now: Timestamp(0),
            number: &mut || {
                last += 1;
                last
            },
        },
    )
}

/// Decides the command, and asserts that it stops the project with this code.
fn check(mut project: Project, command: &Command, code: &str, reason: &str) {
    let live: Vec<_> = project
        .tasks
        .values()
        .filter_map(|task| task.current_attempt())
        .map(|current| Effect::Cancel(current.attempt))
        .collect();
    let decision = decide(&project, command.clone()).expect("the decision stops the project");
    let found = decision.inconsistency.as_ref().map(Inconsistency::code);
    assert_eq!(found, Some(code), "{:?}", decision.inconsistency);
    let why = format!("{code}: {reason}");
    assert_eq!(decision.head.state, State::Failed { why: why.clone() });
    assert_eq!(decision.history, [HistoryEvent::Failed { why }]);
    assert_eq!(decision.effects, live, "every attempt is cancelled");
    project.apply(&decision);
    assert_eq!((project.head.unfinished, project.head.ready), (0, 0));
    assert!(project.tasks.values().all(|task| task.state.is_terminal()));
    assert_eq!(
        decide(&project, command.clone()),
        Err(Refusal::Ended("failed")),
        "the same record on a replay decides nothing"
    );
}

#[test]
fn a_step_outside_the_table_of_projects_stops_the_project() {
    let fixture = begun(false);
    let command = succeeded(&fixture, "plan", plan());
    let mut project = fixture.project;
    project.head.state = State::Submitted;
    check(
        project,
        &command,
        "invalid_transition",
        "no arrow leads the project from submitted to running",
    );
}

#[test]
fn a_pause_around_a_state_that_cannot_be_paused_stops_the_project_on_resuming() {
    let deliverable = ArtifactHash::of(b"deliverable");
    let paused = |was: State| {
        let mut project = running().project;
        let was = Box::new(was);
        project.head.state = State::Paused { was };
        project
    };
    check(
        paused(State::Done { deliverable }),
        &Command::Resume { at: None },
        "invalid_transition",
        "no arrow leads the project from done to paused",
    );
    check(
        paused(paused(State::Running).head.state),
        &Command::Resume { at: None },
        "invalid_transition",
        "no arrow leads the project from paused to paused",
    );
}

#[test]
fn a_counter_that_does_not_agree_with_the_tasks_stops_the_project() {
    let fixture = running();
    let command = succeeded(&fixture, "a", Reading::Nothing);
    let mut project = fixture.project;
    project.head.unfinished = 0;
    check(
        project.clone(),
        &command,
        "wrong_counter",
        "the head counts 0 unfinished tasks, which cannot change by -1",
    );
    (project.head.unfinished, project.head.ready) = (3, 0);
    check(
        project,
        &command,
        "wrong_counter",
        "the head counts 0 ready tasks, which cannot change by -1",
    );
}

#[test]
fn a_reader_without_a_row_stops_the_project() {
    let fixture = running();
    let command = succeeded(&fixture, "a", Reading::Nothing);
    let reader = fixture.task_of("b").id;
    let mut project = fixture.project;
    project.tasks.remove(&reader);
    check(
        project,
        &command,
        "missing_task",
        &format!("task {reader} has no row"),
    );
}

#[test]
fn a_parent_without_a_row_stops_the_project_on_rework() {
    let mut fixture = running();
    for key in ["a", "c", "b"] {
        fixture.succeed(key, Reading::Nothing);
    }
    let item = VerdictItem {
        requirement: "r1".into(),
        met: false,
        evidence: "seen".into(),
        redo: vec![TaskKey::new("b")],
        feedback: "longer".into(),
    };
    let rework = Reading::Verdict(Ok(Verdict {
        items: vec![item],
        ..Verdict::default()
    }));
    let command = succeeded(&fixture, "judge.1", rework);
    let parent = fixture.task_of("a").id;
    let mut project = fixture.project;
    project.tasks.remove(&parent);
    check(
        project,
        &command,
        "missing_task",
        &format!("task {parent} has no row"),
    );
}

#[test]
fn a_stored_plan_with_an_unknown_parent_stops_the_project_on_approval() {
    let mut fixture = begun(true);
    fixture.succeed("plan", plan());
    let broken = plan_of(vec![planned_task("a", &["z"], All)]).plan;
    check(
        fixture.project,
        &Command::Approve {
            hash: ArtifactHash::of(b"plan"),
            plan: Some(broken),
        },
        "unknown_parent",
        "task a of the plan has an unknown parent z",
    );
}

#[test]
fn a_step_outside_the_table_of_tasks_names_the_task() {
    let mut fixture = running();
    fixture.succeed("a", Reading::Nothing);
    let id = fixture.task_of("a").id;
    let context = DecideContext {
        event: EventId::new(1),
        now: Timestamp(0),
        number: &mut || 1,
    };
    let mut builder = DecisionBuilder::new(&fixture.project, context);
    let refused = builder
        .set(id, TaskState::Cancelled)
        .expect_err("a task in a final state stays as it is");
    assert_eq!(
        (refused.code(), refused.to_string().as_str()),
        (
            "invalid_transition",
            "no arrow leads task a from succeeded to cancelled"
        )
    );
    let kept = builder.finish();
    assert!(kept.tasks.is_empty() && kept.head == fixture.project.head);
}
