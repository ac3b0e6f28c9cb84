//! Ends of calls reach breakers and estimates by records, and a new term begins with the ends of the last one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use chorus_core::attempt::AttemptState;
use chorus_core::failure::FailureClass;
use chorus_core::llm::Usage;
use chorus_core::money::MicroUsd;

use super::fixture::{Fixture, OTHER_PROJECT, slots};

const RICH: MicroUsd = MicroUsd::from_dollars(100);

/// Calls after which the breaker of a failing route opens.
const OPENS_AFTER: u128 = 4;

/// A dispatcher with its first calls under way.
fn under_way(calls: u128, slots_of_account: u64) -> Fixture {
    let mut fixture = Fixture::new(RICH, slots(slots_of_account));
    fixture.start(1);
    fixture.queue(1..=calls);
    fixture.run_until(1_100);
    (1..=calls).for_each(|number| assert!(fixture.claim_and_send(number, 500_000)));
    fixture
}

#[test]
fn a_route_that_fails_opens_its_breaker_before_the_next_admission() {
    let mut fixture = under_way(OPENS_AFTER, 50);
    for number in 1..=OPENS_AFTER {
        fixture.finish(number, Some(FailureClass::Overload));
    }
    fixture.queue([100]);
    fixture.run_until(2_500);
    fixture.is(100, AttemptState::Queued, 0);
    fixture.run_until(5_000);
    fixture.is(100, AttemptState::Dispatched, 0);
}

#[test]
fn doubled_records_count_once() {
    let mut fixture = under_way(1, 50);
    let record = fixture.finish(1, Some(FailureClass::Overload));
    for _ in 0..10 {
        fixture.publish(record.clone());
    }
    fixture.queue([100]);
    fixture.run_until(2_200);
    fixture.is(100, AttemptState::Dispatched, 0);
}

#[test]
fn lost_records_cost_order_only() {
    let mut fixture = under_way(OPENS_AFTER, 50);
    for number in 1..=OPENS_AFTER {
        fixture.finish_without_record(number, Some(FailureClass::Overload));
    }
    fixture.queue([100]);
    fixture.run_until(2_500);
    fixture.is(100, AttemptState::Dispatched, 0);
}

#[test]
fn a_new_term_sends_a_probe_first_where_the_last_one_saw_failures() {
    let mut fixture = under_way(OPENS_AFTER, 50);
    fixture.services.clear();
    for number in 1..=OPENS_AFTER {
        fixture.finish_without_record(number, Some(FailureClass::Overload));
    }
    fixture.start(2);
    fixture.queue([100, 101]);
    let term = i64::try_from(crate::Settings::default().term_lasts.0).expect("small");
    fixture.run_until(1_100 + term + 10_000);
    assert_eq!(fixture.deliveries.warm_ups.load(Ordering::Relaxed), 2);
    fixture.is(100, AttemptState::Dispatched, 0);
    fixture.is(101, AttemptState::Queued, 0);
}

#[test]
fn ten_thousand_deliveries_of_one_project_are_never_read_again() {
    let calls = 10_000;
    let mut fixture = Fixture::new(MicroUsd::from_dollars(100_000), slots(100_000));
    let deliveries = Arc::clone(&fixture.deliveries);
    fixture.start(1);
    let mut at = 0;
    for first in (1..=calls).step_by(1_000) {
        fixture.queue(first..first + 1_000);
        at += 2_000;
        fixture.run_until(at);
        for number in first..first + 1_000 {
            assert!(fixture.claim_and_send(number, at + 500_000));
            fixture.finish(number, None);
        }
    }
    fixture.run_until(at + 2_000);
    assert_eq!(deliveries.readings_of_projects.load(Ordering::Relaxed), 0);
    assert_eq!(deliveries.warm_ups.load(Ordering::Relaxed), 1);
}

#[test]
fn a_new_term_counts_what_the_last_one_served_to_each_project() {
    let mut fixture = Fixture::new(RICH, slots(1));
    fixture.usage = Some(Usage {
        input: 10_000,
        output: 5_000,
        ..Usage::default()
    });
    fixture.queue_as([1], |attempt| attempt.project = OTHER_PROJECT);
    fixture.start(1);
    fixture.run_until(1_100);
    assert!(fixture.claim_and_send(1, 3_000));
    fixture.finish_without_record(1, None);
    fixture.services.clear();
    fixture.queue_as([10], |attempt| attempt.project = OTHER_PROJECT);
    fixture.run_until(1_200);
    fixture.queue([11]);
    fixture.start(2);
    let term = i64::try_from(crate::Settings::default().term_lasts.0).expect("small");
    fixture.run_until(1_100 + term + 10_000);
    fixture.is(11, AttemptState::Dispatched, 0);
    fixture.is(10, AttemptState::Queued, 0);
}
