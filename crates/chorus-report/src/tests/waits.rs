//! Waits of calls by reason, and of the project for its client.

use chorus_core::attempt::{DeliveryEnd, Requeue};
use chorus_core::failure::FailureClass;
use chorus_core::project::HistoryEvent;

use super::fixture::{delivery, ended, event, finished, input, ready, requeued, task};
use crate::build;

#[test]
fn each_wait_of_a_call_is_counted_by_its_reason() {
    let mut input = input();
    input.add(task(1, "t1", &[]));
    input.events = vec![event(1, 1_000, ready(1))];
    let limited = Requeue::Limited {
        class: FailureClass::RateWindow,
    };
    input.deliveries = vec![
        requeued(delivery(1, 0, 1_500), 1_600, 2_000, limited),
        ended(
            delivery(1, 1, 9_000),
            Some(9_000),
            12_000,
            DeliveryEnd::WorkerLost,
        ),
        finished(delivery(1, 2, 12_300), 12_300, 13_000),
    ];
    let found: Vec<_> = build(&input)
        .waits
        .iter()
        .map(|wait| {
            (
                wait.reason.clone(),
                wait.count,
                wait.total_ms,
                wait.longest_task.clone(),
            )
        })
        .collect();
    let expected = [
        ("limit", 7_000),
        ("room", 500),
        ("loss", 300),
        ("worker", 100),
    ]
    .map(|(reason, millis)| (reason.to_owned(), 1, millis, "t1".to_owned()));
    assert_eq!(found, expected);
}

#[test]
fn time_in_which_the_client_was_asked_counts_only_while_nothing_ran() {
    let mut input = input();
    input.events = vec![
        event(1, 1_000, HistoryEvent::ApprovalAsked),
        event(2, 61_000, HistoryEvent::Approved),
        event(3, 70_000, HistoryEvent::Paused),
        event(4, 100_000, HistoryEvent::Resumed),
        event(5, 100_000, HistoryEvent::ApprovalAsked),
        event(6, 100_200, HistoryEvent::Approved),
    ];
    input.deliveries = vec![
        finished(delivery(1, 0, 65_000), 65_000, 80_000),
        finished(delivery(2, 0, 90_000), 90_000, 91_000),
    ];
    let report = build(&input);
    let found: Vec<_> = report
        .pauses
        .iter()
        .map(|pause| (pause.start_ms, pause.end_ms, pause.why.as_str()))
        .collect();
    let expected = [
        (1_000, 61_000, "approval"),
        (80_000, 90_000, "paused"),
        (91_000, 100_000, "paused"),
    ];
    assert_eq!(found, expected);
    assert_eq!(report.totals.client_ms, 79_000);
}
