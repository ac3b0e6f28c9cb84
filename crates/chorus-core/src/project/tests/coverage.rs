//! Coverage of the tables of arrows: random scripts and a few explicit walks take every arrow.

use std::collections::{BTreeMap, BTreeSet};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::fixture::{Fixture, plan_of, planned_task};
use super::recorder::Taken;
use super::script::{over_budget, question, scripts};
use crate::attempt::AttemptState;
use crate::brief::{Clarification, Options};
use crate::id::TaskId;
use crate::plan::ParentPolicy::All;
use crate::project::decide::ending::stop_inconsistent;
use crate::project::{
    Command, Inconsistency, PROJECT_ARROWS, ProjectStateKind, Reading, Reopening, TASK_ARROWS,
};
use crate::verdict::{Verdict, VerdictItem};

/// Scripts of the generator with its fixed seed.
const SCRIPTS: usize = 200;

/// Live states, each of them a place where a client or a lost artifact can step in.
const LIVE: [ProjectStateKind; 8] = [
    ProjectStateKind::Submitted,
    ProjectStateKind::Clarifying,
    ProjectStateKind::WaitingClient,
    ProjectStateKind::Planning,
    ProjectStateKind::WaitingApproval,
    ProjectStateKind::Running,
    ProjectStateKind::Merging,
    ProjectStateKind::Evaluating,
];

/// A project in this live state.
fn project_in(state: ProjectStateKind) -> Fixture {
    let approve = state == ProjectStateKind::WaitingApproval;
    let mut fixture = Fixture::new(Options {
        assume: false,
        approve,
    });
    fixture.conflicts = state == ProjectStateKind::Merging;
    let steps: [fn(&mut Fixture); 4] = [submit, clarify, plan, work];
    for step in steps {
        if fixture.project.head.state.kind() == state {
            break;
        }
        if state == ProjectStateKind::WaitingClient && fixture.project.tasks.len() == 1 {
            ask_client(&mut fixture);
            break;
        }
        step(&mut fixture);
    }
    assert_eq!(fixture.project.head.state.kind(), state);
    fixture
}

fn submit(fixture: &mut Fixture) {
    fixture.submit();
}

fn clarify(fixture: &mut Fixture) {
    let nothing_to_ask = Clarification::default();
    fixture.succeed("clarify", Reading::Clarification(Ok(nothing_to_ask)));
}

fn ask_client(fixture: &mut Fixture) {
    let clarification = Clarification {
        questions: vec![question()],
        assumptions: Vec::new(),
    };
    fixture.succeed("clarify", Reading::Clarification(Ok(clarification)));
}

fn plan(fixture: &mut Fixture) {
    let read = Ok(plan_of(vec![planned_task("a", &[], All)]));
    fixture.succeed(
        "plan",
        Reading::Plan {
            read,
            repaired: None,
            fallback: None,
        },
    );
}

fn work(fixture: &mut Fixture) {
    fixture.succeed("a", Reading::Nothing);
}

fn verdict(met: bool) -> Reading {
    let item = VerdictItem {
        requirement: "r1".into(),
        met,
        evidence: "seen".into(),
        redo: Vec::new(),
        feedback: String::new(),
    };
    Reading::Verdict(Ok(Verdict {
        items: vec![item],
        ..Verdict::default()
    }))
}

fn lose_artifact(fixture: &mut Fixture) {
    let what = "the brief".to_owned();
    fixture
        .send(Command::ArtifactMissing { what })
        .expect("the project is live");
    let attention = fixture.project.head.state.attention();
    let code = attention.map(|(_, why)| why.code().to_owned());
    assert_eq!(code.as_deref(), Some("artifact_missing"));
}

/// A project with rows that contradict each other in this state.
fn stopped(mut fixture: Fixture) -> Fixture {
    let before = fixture.project.head.state.kind();
    let missing = Inconsistency::MissingTask(TaskId::new(1));
    let decision = stop_inconsistent(&fixture.project, missing);
    fixture.project.apply(&decision);
    for (_, state) in fixture.attempts.values_mut() {
        *state = AttemptState::Cancelled;
    }
    let after = fixture.project.head.state.kind();
    fixture.taken.project.insert((before, after));
    fixture
}

/// Walks that begin in each live state.
fn walks_from(state: ProjectStateKind) -> Vec<Fixture> {
    let send = |commands: &[Command]| {
        let mut fixture = project_in(state);
        for command in commands {
            fixture.send(command.clone()).expect("the project is live");
        }
        fixture
    };
    let mut lost = project_in(state);
    lose_artifact(&mut lost);
    lost.send(Command::Pause { at: None }).expect("it is live");
    lost.send(Command::Resume { at: None })
        .expect("it is paused");
    assert_eq!(lost.project.head.state.as_str(), "needs_attention");
    let retried = || {
        let mut lost = project_in(state);
        lose_artifact(&mut lost);
        lost.send(Command::Retry { task: None }).expect("it waits");
        assert_eq!(lost.project.head.state.kind(), state);
        lost
    };
    let mut cancelled_in_attention = project_in(state);
    lose_artifact(&mut cancelled_in_attention);
    let cancel = cancelled_in_attention.send(Command::Cancel);
    cancel.expect("the project is live");
    let resumed = send(&[Command::Pause { at: None }, Command::Resume { at: None }]);
    assert_eq!(resumed.project.head.state.kind(), state);
    let cancelled = [
        send(&[Command::Cancel]),
        send(&[Command::Pause { at: None }, Command::Cancel]),
        cancelled_in_attention,
    ];
    for fixture in &cancelled {
        assert_eq!(fixture.project.head.state.as_str(), "cancelled");
    }
    let failed = [
        stopped(project_in(state)),
        stopped(send(&[Command::Pause { at: None }])),
        stopped(lost),
    ];
    cancelled
        .into_iter()
        .chain(failed)
        .chain([retried(), resumed])
        .collect()
}

/// A paused project with a last judge task that succeeded before the pause.
fn judged_in_pause(met: bool) -> Fixture {
    let mut fixture = project_in(ProjectStateKind::Evaluating);
    fixture
        .send(Command::Pause { at: None })
        .expect("the project is live");
    fixture.succeeded_before_pause("judge.1", verdict(met));
    fixture
}

/// A project out of budget while conflicts are resolved, delivered as it is.
fn out_of_budget_while_merging() -> Fixture {
    let mut fixture = project_in(ProjectStateKind::Merging);
    fixture.fail("resolve.1", over_budget(), Reading::Nothing);
    assert_eq!(fixture.project.head.state.as_str(), "needs_attention");
    fixture
        .send(Command::Skip { task: None })
        .expect("a task waits for money");
    assert_eq!(fixture.project.head.state.as_str(), "partial");
    fixture
}

/// A project that ended without a result, reopened where it stopped.
fn reopened(state: ProjectStateKind, expected: ProjectStateKind) -> Fixture {
    let mut fixture = stopped(project_in(state));
    fixture
        .send(Command::Reopen(Reopening::default()))
        .expect("a failed project can be reopened");
    assert_eq!(fixture.project.head.state.kind(), expected);
    fixture
}

/// A partial project, reopened.
fn reopened_partial() -> Fixture {
    let mut fixture = out_of_budget_while_merging();
    fixture
        .send(Command::Reopen(Reopening::default()))
        .expect("a partial project can be reopened");
    fixture
}

/// A task that the client skips, after a question of its worker or before.
fn skipped(asks: bool) -> Fixture {
    let mut fixture = project_in(ProjectStateKind::Running);
    if asks {
        fixture.question("a", "which spelling?");
    }
    let task = Some("a".to_owned());
    fixture
        .send(Command::Skip { task })
        .expect("the task has not ended");
    fixture
}

/// A reader that keeps its result after rework of what it reads.
fn kept_reader() -> Fixture {
    let mut fixture = Fixture::begun(Options {
        assume: false,
        approve: false,
    });
    clarify(&mut fixture);
    let tasks = vec![planned_task("a", &[], All), planned_task("b", &["a"], All)];
    let read = Ok(plan_of(tasks));
    let plan = Reading::Plan {
        read,
        repaired: None,
        fallback: None,
    };
    fixture.succeed("plan", plan);
    fixture.succeed_with("a", "a", Reading::Nothing);
    fixture.succeed("b", Reading::Nothing);
    fixture.rework("a");
    fixture.succeed_with("a", "a", Reading::Nothing);
    fixture
}

/// A project with an unreadable answer to the task of this key.
fn unreadable(state: ProjectStateKind, key: &str, reading: Reading) -> Fixture {
    let mut fixture = project_in(state);
    fixture.succeed(key, reading);
    assert_eq!(fixture.project.head.state.kind(), state);
    fixture
}

fn explicit_walks() -> Vec<Fixture> {
    let faults = || vec!["no JSON".to_owned()];
    let plan = Reading::Plan {
        read: Err(faults()),
        repaired: None,
        fallback: None,
    };
    let mut walks: Vec<_> = LIVE.into_iter().flat_map(walks_from).collect();
    walks.extend([
        judged_in_pause(true),
        judged_in_pause(false),
        out_of_budget_while_merging(),
        reopened_partial(),
        kept_reader(),
        skipped(false),
        skipped(true),
        reopened(ProjectStateKind::Submitted, ProjectStateKind::Submitted),
        reopened(ProjectStateKind::Clarifying, ProjectStateKind::Clarifying),
        reopened(ProjectStateKind::Planning, ProjectStateKind::Planning),
        reopened(ProjectStateKind::Running, ProjectStateKind::Running),
        unreadable(
            ProjectStateKind::Clarifying,
            "clarify",
            Reading::Clarification(Err(faults())),
        ),
        unreadable(ProjectStateKind::Planning, "plan", plan),
        unreadable(
            ProjectStateKind::Merging,
            "resolve.1",
            Reading::Resolutions(Err(faults())),
        ),
    ]);
    walks
}

/// The same scripts on every run, each undisturbed and with commands in between.
fn random_walks() -> Vec<Fixture> {
    let mut runner = TestRunner::deterministic();
    let mut walks = Vec::new();
    for _ in 0..SCRIPTS {
        let script = scripts()
            .new_tree(&mut runner)
            .expect("scripts have no filters")
            .current();
        walks.push(script.run(|_, _| {}));
        walks.push(script.run(|fixture, pick| {
            let command = match pick % 9 {
                0 => Command::Pause { at: None },
                1 => Command::Resume { at: None },
                2 => Command::Answer {
                    answers: BTreeMap::new(),
                    assume_rest: true,
                    questions: None,
                },
                _ => return,
            };
            // A command that means nothing in the present state is refused.
            let _ = fixture.send(command);
        }));
    }
    walks
}

#[test]
fn every_arrow_of_the_tables_is_taken_and_no_other() {
    let mut taken = Taken::default();
    for walk in explicit_walks().into_iter().chain(random_walks()) {
        taken.extend(walk.taken);
    }
    let table = Taken {
        project: PROJECT_ARROWS
            .iter()
            .map(|arrow| (arrow.from, arrow.to))
            .collect(),
        task: TASK_ARROWS
            .iter()
            .map(|arrow| (arrow.from, arrow.to))
            .collect(),
    };
    let missing: BTreeSet<_> = table.project.difference(&taken.project).collect();
    assert!(missing.is_empty(), "no test takes {missing:?}");
    assert_eq!(taken, table);
}
