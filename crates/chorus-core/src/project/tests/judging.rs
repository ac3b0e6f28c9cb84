//! Walks through judging and rework: what is undecided, failed parents, feedback of several rounds.

use super::fixture::{Fixture, plan_of, planned_task};
use crate::attempt::FailureCause;
use crate::brief::{Clarification, Options};
use crate::id::TaskKey;
use crate::plan::ParentPolicy::{All, Settled};
use crate::plan::PlannedTask;
use crate::project::{HistoryEvent, Reading, State, Subject};
use crate::verdict::{Undecided, Verdict, VerdictItem};

fn running(tasks: Vec<PlannedTask>, parts: u32) -> Fixture {
    let mut fixture = Fixture::begun(Options {
        assume: false,
        approve: false,
    });
    fixture.parts = parts;
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
    fixture
}

fn item(requirement: &str, redo: &[(&str, &str)]) -> VerdictItem {
    let words = |(_, words): &(&str, &str)| (*words).to_owned();
    VerdictItem {
        requirement: requirement.into(),
        met: redo.is_empty(),
        evidence: redo.iter().map(words).collect::<Vec<_>>().join("; "),
        redo: redo.iter().map(|(task, _)| TaskKey::new(task)).collect(),
        feedback: redo.iter().map(words).collect::<Vec<_>>().join("\n"),
    }
}

fn judged(items: Vec<VerdictItem>, undecided: &[&str]) -> Reading {
    let open = |requirement: &&str| Undecided {
        requirement: (*requirement).to_owned(),
        note: "half of it is here".into(),
    };
    Reading::Verdict(Ok(Verdict {
        items,
        undecided: undecided.iter().map(open).collect(),
    }))
}

fn done(fixture: &mut Fixture, keys: &[&str]) {
    for key in keys {
        fixture.succeed(key, Reading::Nothing);
    }
}

#[test]
fn what_excerpts_leave_undecided_is_decided_by_one_more_judge() {
    for (last, state) in [
        (judged(vec![item("r2", &[])], &[]), "done"),
        (judged(Vec::new(), &["r2"]), "partial"),
    ] {
        let mut fixture = running(vec![planned_task("a", &[], All)], 2);
        done(&mut fixture, &["a"]);
        fixture.succeed("judge.1.1", judged(vec![item("r1", &[])], &["r2"]));
        fixture.succeed("judge.1.2", judged(vec![item("r2", &[])], &[]));
        let Subject::Undecided { requirements } = &fixture.task_of("judge.1.last").about else {
            panic!("the last judge is asked about what is undecided")
        };
        assert_eq!(requirements.len(), 1);
        assert_eq!(requirements[0].requirement, "r2");
        assert_eq!(fixture.project.head.state.as_str(), "evaluating");
        fixture.succeed("judge.1.last", last);
        assert_eq!(fixture.project.head.state.as_str(), state);
        if let State::Partial { defects, .. } = &fixture.project.head.state {
            assert!(
                defects[0].contains("no judge could decide it"),
                "{defects:?}"
            );
        }
    }
}

#[test]
fn nothing_that_a_judge_left_out_is_accepted() {
    let mut fixture = running(vec![planned_task("a", &[], All)], 1);
    done(&mut fixture, &["a"]);
    fixture.succeed("judge.1", judged(Vec::new(), &["r1"]));
    fixture.succeed("judge.1.last", judged(Vec::new(), &[]));
    assert_eq!(fixture.project.head.state.as_str(), "partial");
}

#[test]
fn rework_of_a_part_tries_its_failed_parents_again() {
    let mut fixture = running(
        vec![
            planned_task("root", &[], All),
            planned_task("parent", &["root"], All),
            planned_task("part", &["parent"], All),
            planned_task("other", &[], Settled),
        ],
        1,
    );
    fixture.fail("root", FailureCause::KillsWorkers, Reading::Nothing);
    done(&mut fixture, &["other"]);
    assert_eq!(fixture.task_of("part").state.as_str(), "skipped");
    fixture.succeed(
        "judge.1",
        judged(vec![item("r1", &[("part", "it is missing")])], &[]),
    );
    assert!(fixture.task_of("root").current_attempt().is_some());
    done(&mut fixture, &["root", "parent", "part"]);
    assert!(fixture.task_of("part").result().is_some());
    fixture.succeed("judge.2", judged(vec![item("r1", &[])], &[]));
    assert_eq!(fixture.project.head.state.as_str(), "done");
}

#[test]
fn feedback_of_round_one_is_there_in_round_two() {
    let mut fixture = running(
        vec![planned_task("a", &[], All), planned_task("b", &["a"], All)],
        1,
    );
    done(&mut fixture, &["a", "b"]);
    let first = vec![
        item("r1", &[("b", "give the dates")]),
        item("r2", &[]),
        item("r3", &[("a", "x")]),
    ];
    fixture.succeed("judge.1", judged(first, &[]));
    done(&mut fixture, &["a", "b"]);
    let second = vec![
        item("r1", &[]),
        item("r2", &[]),
        item("r3", &[("a", "name the keeper")]),
    ];
    fixture.succeed("judge.2", judged(second, &[]));
    let reader = fixture.task_of("b").rework.clone().expect("it reads a");
    assert_eq!(
        (reader.feedback.as_str(), reader.earlier.as_slice()),
        ("", &["give the dates".to_owned()][..])
    );
    assert!(reader.previous.is_some(), "the text to keep is known");
}

#[test]
fn a_newer_text_with_an_equal_score_goes_on_and_is_delivered() {
    let mut fixture = running(vec![planned_task("a", &[], All)], 1);
    done(&mut fixture, &["a"]);
    fixture.succeed(
        "judge.1",
        judged(vec![item("r1", &[("a", "no dates, names or places")])], &[]),
    );
    done(&mut fixture, &["a"]);
    fixture.succeed(
        "judge.2",
        judged(vec![item("r1", &[("a", "one name is misspelt")])], &[]),
    );
    assert_eq!(
        fixture.project.head.state,
        State::Running,
        "it is not stuck"
    );
    done(&mut fixture, &["a"]);
    fixture.succeed(
        "judge.3",
        judged(vec![item("r1", &[("a", "one name is misspelt")])], &[]),
    );
    let State::Partial { defects, .. } = &fixture.project.head.state else {
        panic!("{:?}", fixture.project.head.state)
    };
    assert_eq!(defects, &["r1: one name is misspelt"]);
    let judged = |event: &&HistoryEvent| matches!(event, HistoryEvent::Judged { .. });
    assert_eq!(fixture.history.iter().filter(judged).count(), 3);
}
