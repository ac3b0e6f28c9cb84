//! The service over in-memory ports and a manual clock: attempts are answered by a [`FakeModel`], ports lose replies,
//! the service is dropped and started again.

mod clock;
mod faults;
mod fixture;
mod model;

use std::collections::BTreeMap;

use chorus_core::brief::Options;
use chorus_core::id::EventId;
use chorus_core::merge::ResolvedBy;
use chorus_core::port::bus::Topic;
use chorus_core::project::{ClientCommand, HistoryEvent};

use fixture::Fixture;
use model::FakeModel;

const FREE: Options = Options {
    assume: true,
    approve: false,
};

/// Runs a project to its end and returns its state and its deliverable's hash and text.
fn check(fixture: &mut Fixture, expected: &str) -> (String, String) {
    fixture.run_to_end();
    let head = fixture.head();
    assert_eq!(head.state.as_str(), expected, "{:?}", head.state);
    let deliverable = head
        .deliverable()
        .map(|hash| hash.to_string())
        .unwrap_or_default();
    (deliverable, fixture.texts())
}

#[test]
fn a_brief_becomes_a_checked_deliverable() {
    let mut fixture = Fixture::new(1, FakeModel::honest(), FREE);
    let (_, text) = check(&mut fixture, "done");
    for part in ["Part of One", "Part of Two", "Part of Three", "Whole"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let history = fixture.history();
    let count =
        |wanted: fn(&HistoryEvent) -> bool| history.iter().filter(|event| wanted(event)).count();
    assert_eq!(
        count(|event| matches!(event, HistoryEvent::ConflictFound { .. })),
        1,
        "two chapters give two years"
    );
    let resolved = |event: &HistoryEvent| matches!(event, HistoryEvent::ConflictResolved { resolution } if resolution.by == ResolvedBy::Model);
    assert_eq!(
        count(resolved),
        1,
        "a conflict is resolved once, also when rework merges again"
    );
    assert_eq!(
        count(|event| matches!(event, HistoryEvent::Reworked { .. })),
        1
    );
    assert_eq!(
        count(|event| matches!(event, HistoryEvent::Merged { .. })),
        2
    );
    assert!(
        fixture.unfolded().is_empty(),
        "every command and every finished attempt was folded"
    );
}

#[test]
fn crashes_lost_replies_and_any_order_give_the_same_bytes() {
    let expected = check(&mut Fixture::new(1, FakeModel::honest(), FREE), "done");
    for seed in 2..40 {
        let mut fixture = Fixture::new(seed, FakeModel::honest(), FREE);
        fixture.inject_faults();
        assert_eq!(check(&mut fixture, "done"), expected, "seed {seed}");
        assert!(fixture.unfolded().is_empty(), "seed {seed}");
    }
}

#[test]
fn two_orchestrators_share_the_work_without_harm() {
    let expected = check(&mut Fixture::new(1, FakeModel::honest(), FREE), "done");
    for seed in 40..50 {
        let mut fixture = Fixture::new(seed, FakeModel::honest(), FREE);
        fixture.add_orchestrator();
        fixture.inject_faults();
        assert_eq!(check(&mut fixture, "done"), expected, "seed {seed}");
    }
}

#[test]
fn a_planner_that_writes_prose_leads_to_an_offer_that_only_the_client_starts() {
    let mut fixture = Fixture::new(
        3,
        FakeModel {
            plans: false,
            ..FakeModel::honest()
        },
        FREE,
    );
    fixture.run_until("needs_attention");
    assert!(fixture.queued().is_empty(), "nothing was started unasked");
    let offer = fixture.head().offer.expect("a rule offers a plan");
    let unseen = ClientCommand::Approve { plan: None };
    fixture.command(&unseen);
    fixture.run_folded();
    assert_eq!(fixture.head().state.as_str(), "needs_attention");
    let plan = Some(offer.plan);
    fixture.command(&ClientCommand::Approve { plan });
    check(&mut fixture, "done");
    let history = fixture.history();
    assert!(
        history
            .iter()
            .any(|event| matches!(event, HistoryEvent::Planned { fallback: true, .. }))
    );
    let refused: Vec<_> = history
        .iter()
        .filter_map(|event| match event {
            HistoryEvent::CommandRefused { command, code, .. } => {
                Some((command.as_str(), code.as_str()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        refused,
        [("approve", "other_plan")],
        "a command that names no plan is refused where it shows"
    );
}

#[test]
fn an_answer_in_prose_is_refused_and_mended() {
    let mut fixture = Fixture::new(
        10,
        FakeModel {
            answers_in_prose: true,
            asks: true,
            ..FakeModel::honest()
        },
        FREE,
    );
    check(&mut fixture, "done");
    let answered = |key: &str| {
        let ends = fixture
            .history()
            .into_iter()
            .filter_map(|event| match event {
                HistoryEvent::TaskFailed { task, .. } if task.key.as_str() == key => Some(false),
                HistoryEvent::TaskSucceeded { task, .. } if task.key.as_str() == key => Some(true),
                _ => None,
            });
        ends.collect::<Vec<_>>()
    };
    for key in ["clarify", "plan", "answer.t2.1", "resolve.1", "judge.1"] {
        assert_eq!(answered(key), [false, true], "{key}");
    }
}

#[test]
fn a_worker_that_asks_is_answered_and_goes_on() {
    let mut fixture = Fixture::new(
        4,
        FakeModel {
            asks: true,
            ..FakeModel::honest()
        },
        FREE,
    );
    let (_, text) = check(&mut fixture, "done");
    assert!(text.contains("in British spelling"), "{text}");
}

#[test]
fn a_judge_that_is_never_content_gets_the_best_so_far_delivered() {
    let mut fixture = Fixture::new(
        5,
        FakeModel {
            content: false,
            ..FakeModel::honest()
        },
        FREE,
    );
    let (_, text) = check(&mut fixture, "partial");
    assert!(text.contains("Part of One"));
}

#[test]
fn without_its_brief_a_project_waits_until_it_is_restored() {
    let mut fixture = Fixture::new(6, FakeModel::honest(), FREE);
    fixture.lose_brief();
    fixture.run_until("needs_attention");
    let attention = fixture
        .head()
        .state
        .attention()
        .map(|(_, why)| why.to_string());
    assert!(
        attention.is_some_and(|why| why.contains("the brief")),
        "{:?}",
        fixture.head().state
    );
    fixture.restore_brief();
    fixture.command(&ClientCommand::Retry { task: None });
    check(&mut fixture, "done");
}

#[test]
fn an_unreadable_row_stops_its_project_and_lets_the_records_of_others_go() {
    let mut fixture = Fixture::new(14, FakeModel::honest(), FREE);
    fixture.run_until("running");
    fixture.break_rows(true);
    fixture.command(&ClientCommand::Pause { at: None });
    for _ in 0..50 {
        fixture.step();
    }
    assert!(
        !fixture.unfolded().is_empty(),
        "the commands stay where the dispatcher finds them"
    );
    assert_eq!(
        fixture.unacknowledged(),
        0,
        "no record of the partition is held up"
    );
    fixture.break_rows(false);
    fixture.run_until("paused");
    fixture.command(&ClientCommand::Resume { at: None });
    check(&mut fixture, "done");
}

#[test]
fn rows_that_contradict_each_other_fail_their_project_once_and_the_service_runs_on() {
    let mut fixture = Fixture::new(13, FakeModel::honest(), FREE);
    fixture.run_until("running");
    fixture.corrupt(|head| head.ready = 0);
    check(&mut fixture, "failed");
    let history = fixture.history();
    let failures: Vec<_> = history
        .iter()
        .filter_map(|event| match event {
            HistoryEvent::Failed { why } => Some(why.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        failures,
        ["wrong_counter: the head counts 0 ready tasks, which cannot change by -1"]
    );
    assert!(fixture.queued().is_empty(), "no attempt is left");
    assert!(fixture.unfolded().is_empty(), "no record comes back");
}

#[test]
fn a_plan_waits_for_approval_and_a_pause_for_resuming() {
    let mut fixture = Fixture::new(
        7,
        FakeModel::honest(),
        Options {
            assume: true,
            approve: true,
        },
    );
    fixture.run_until("waiting_approval");
    fixture.command(&ClientCommand::Approve { plan: None });
    fixture.run_until("running");
    let attempt = fixture.queued()[0].clone();
    fixture.finish_without_record(&attempt);
    fixture.command(&ClientCommand::Pause { at: None });
    fixture.run_until("paused");
    assert!(fixture.queued().is_empty());
    fixture.command(&ClientCommand::Resume { at: None });
    check(&mut fixture, "done");
    let again = fixture.attempts_of(attempt.task);
    assert_eq!(
        again, 1,
        "what ended just before the pause is not done again"
    );
}

#[test]
fn questions_to_the_client_wait_for_answers() {
    let mut fixture = Fixture::new(
        8,
        FakeModel {
            unclear: true,
            ..FakeModel::honest()
        },
        Options {
            assume: false,
            approve: false,
        },
    );
    fixture.run_until("waiting_client");
    fixture.command(&ClientCommand::Answer {
        answers: BTreeMap::from([("q1".into(), "students".into())]),
        assume_rest: false,
        questions: None,
    });
    let (_, text) = check(&mut fixture, "done");
    assert!(
        text.contains("for students"),
        "writers see the answers of the client: {text}"
    );
}

#[test]
fn a_record_that_cannot_be_read_becomes_a_dead_letter() {
    let mut fixture = Fixture::new(9, FakeModel::honest(), FREE);
    fixture.garbage(EventId::new(77));
    check(&mut fixture, "done");
    assert_eq!(fixture.records(&Topic::Dlq), 1);
    assert!(fixture.unfolded().is_empty(), "it is not sent for ever");
}
