//! The service over in-memory ports and a virtual clock: attempts are answered by a brain that reads its
//! prompts, ports lose replies, the service is dropped and begun again.

mod bench;
mod brain;
mod faults;
mod time;

use std::collections::BTreeMap;

use chorus_core::brief::Options;
use chorus_core::id::EventId;
use chorus_core::merge::ResolvedBy;
use chorus_core::port::bus::Topic;
use chorus_core::project::{ClientCommand, HistoryEvent};

use bench::Bench;
use brain::Brain;

const FREE: Options = Options {
    assume: true,
    approve: false,
};

/// Runs a project to its end and returns its state and its deliverable's hash and text.
fn check(bench: &mut Bench, expected: &str) -> (String, String) {
    bench.run_to_end();
    let head = bench.head();
    assert_eq!(head.state.as_str(), expected, "{:?}", head.state);
    let deliverable = head
        .deliverable()
        .map(|hash| hash.to_string())
        .unwrap_or_default();
    (deliverable, bench.texts())
}

#[test]
fn a_brief_becomes_a_checked_deliverable() {
    let mut bench = Bench::new(1, Brain::honest(), FREE);
    let (_, text) = check(&mut bench, "done");
    for part in ["Part of One", "Part of Two", "Part of Three", "Whole"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let history = bench.history();
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
        bench.unfolded().is_empty(),
        "every command and every finished attempt was folded"
    );
}

#[test]
fn crashes_lost_replies_and_any_order_give_the_same_bytes() {
    let expected = check(&mut Bench::new(1, Brain::honest(), FREE), "done");
    for seed in 2..40 {
        let mut bench = Bench::new(seed, Brain::honest(), FREE);
        bench.trouble();
        assert_eq!(check(&mut bench, "done"), expected, "seed {seed}");
        assert!(bench.unfolded().is_empty(), "seed {seed}");
    }
}

#[test]
fn two_orchestrators_share_the_work_without_harm() {
    let expected = check(&mut Bench::new(1, Brain::honest(), FREE), "done");
    for seed in 40..50 {
        let mut bench = Bench::new(seed, Brain::honest(), FREE);
        bench.add_orchestrator();
        bench.trouble();
        assert_eq!(check(&mut bench, "done"), expected, "seed {seed}");
    }
}

#[test]
fn a_planner_that_writes_prose_gets_the_plan_by_rule() {
    let mut bench = Bench::new(
        3,
        Brain {
            plans: false,
            ..Brain::honest()
        },
        FREE,
    );
    check(&mut bench, "done");
    assert!(
        bench
            .history()
            .iter()
            .any(|event| matches!(event, HistoryEvent::Planned { fallback: true, .. }))
    );
}

#[test]
fn whoever_answers_in_prose_is_told_and_mends_it() {
    let mut bench = Bench::new(
        10,
        Brain {
            mumbles: true,
            asks: true,
            ..Brain::honest()
        },
        FREE,
    );
    check(&mut bench, "done");
    let answered = |key: &str| {
        let ends = bench.history().into_iter().filter_map(|event| match event {
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
    let mut bench = Bench::new(
        4,
        Brain {
            asks: true,
            ..Brain::honest()
        },
        FREE,
    );
    let (_, text) = check(&mut bench, "done");
    assert!(text.contains("in British spelling"), "{text}");
}

#[test]
fn a_judge_that_is_never_content_gets_the_best_so_far_delivered() {
    let mut bench = Bench::new(
        5,
        Brain {
            content: false,
            ..Brain::honest()
        },
        FREE,
    );
    let (_, text) = check(&mut bench, "partial");
    assert!(text.contains("Part of One"));
}

#[test]
fn without_its_brief_a_project_fails_and_says_why() {
    let mut bench = Bench::new(6, Brain::honest(), FREE);
    bench.lose_brief();
    check(&mut bench, "failed");
    assert!(
        bench.history().iter().any(
            |event| matches!(event, HistoryEvent::Failed { why } if why.contains("the brief"))
        )
    );
}

#[test]
fn a_plan_waits_for_approval_and_a_pause_for_resuming() {
    let mut bench = Bench::new(
        7,
        Brain::honest(),
        Options {
            assume: true,
            approve: true,
        },
    );
    bench.run_until("waiting_approval");
    bench.command(&ClientCommand::Approve);
    bench.run_until("running");
    let attempt = bench.queued()[0].clone();
    bench.finish_unheard(&attempt);
    bench.command(&ClientCommand::Pause);
    bench.run_until("paused");
    assert!(bench.queued().is_empty());
    bench.command(&ClientCommand::Resume);
    check(&mut bench, "done");
    let again = bench.attempts_of(attempt.task);
    assert_eq!(
        again, 1,
        "what ended just before the pause is not done again"
    );
}

#[test]
fn questions_to_the_client_wait_for_answers() {
    let mut bench = Bench::new(
        8,
        Brain {
            unclear: true,
            ..Brain::honest()
        },
        Options {
            assume: false,
            approve: false,
        },
    );
    bench.run_until("waiting_client");
    bench.command(&ClientCommand::Answer {
        answers: BTreeMap::from([("q1".into(), "students".into())]),
        assume_rest: false,
    });
    let (_, text) = check(&mut bench, "done");
    assert!(
        text.contains("for students"),
        "workers are told what the client said: {text}"
    );
}

#[test]
fn what_cannot_be_read_goes_to_the_dead_letters() {
    let mut bench = Bench::new(9, Brain::honest(), FREE);
    bench.garbage(EventId::new(77));
    check(&mut bench, "done");
    assert_eq!(bench.records(&Topic::Dlq), 1);
    assert!(bench.unfolded().is_empty(), "it is not sent for ever");
}
