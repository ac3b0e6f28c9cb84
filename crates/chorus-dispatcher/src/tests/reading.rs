//! The queue is read whole once, and then in the parts that changed.

use chorus_core::attempt::AttemptState;
use chorus_core::money::MicroUsd;
use chorus_core::port::attempts::QueueSelection;
use chorus_core::port::directory::CredentialState;
use chorus_core::time::{Millis, Timestamp};

use super::fixture::{Fixture, slots};
use super::waiting::set_state;
use crate::Settings;

const RICH: MicroUsd = MicroUsd::from_dollars(1_000);

/// Number of readings of the whole queue, of all readings, and of the rows that they returned.
fn readings(fixture: &Fixture) -> (usize, usize, usize) {
    let faults = fixture.attempts.faults.lock().expect("one thread");
    let whole = faults.readings.iter();
    let whole = whole.filter(|(selection, _)| *selection == QueueSelection::Lines);
    let rows = faults.readings.iter().map(|(_, rows)| rows).sum();
    (whole.count(), faults.readings.len(), rows)
}

fn dispatched(fixture: &Fixture, numbers: std::ops::RangeInclusive<u128>) -> usize {
    let rows = numbers.map(|number| fixture.row(number));
    rows.filter(|row| row.state == AttemptState::Dispatched)
        .count()
}

#[test]
fn a_record_brings_its_row_alone_while_a_thousand_others_wait() {
    let mut fixture = Fixture::new(RICH, slots(50));
    fixture.queue(1..=1_000);
    fixture.start(1);
    fixture.run_until(10_000);
    let (whole, _, rows) = readings(&fixture);
    for number in 1_001..=1_200 {
        fixture.queue([number]);
        fixture.publish_ready(number);
        let at = 10_000 + i64::try_from(number - 1_000).expect("small") * 100;
        fixture.run_until(at);
    }
    let (whole_after, all, rows_after) = readings(&fixture);
    assert_eq!(whole_after, whole, "the queue was read as a whole");
    assert!(all < 400, "{all} readings");
    // Each row is read at its record, and by the readings of the five seconds after it.
    assert!(rows_after - rows < 200 * 60, "{} rows", rows_after - rows);
}

#[test]
fn a_line_longer_than_its_window_is_dispatched_whole_and_its_rest_counted() {
    let mut fixture = Fixture::new(RICH, slots(2_000));
    fixture.queue(1..=1_000);
    let settings = Settings {
        queue_size: 64,
        ..Settings::default()
    };
    fixture.start_with(1, settings);
    fixture.run_until(8_000);
    assert_eq!(dispatched(&fixture, 1..=1_000), 1_000);
    let (_, _, rows) = readings(&fixture);
    assert!(rows < 3_000, "{rows} rows were read for 1,000");
}

#[test]
fn a_row_that_may_start_later_is_read_when_it_comes_due() {
    let mut fixture = Fixture::new(RICH, slots(50));
    fixture.queue_as([1], |attempt| attempt.not_before = Timestamp(30_000));
    fixture.start(1);
    fixture.run_until(29_900);
    fixture.is(1, AttemptState::Queued, 0);
    fixture.run_until(31_000);
    fixture.is(1, AttemptState::Dispatched, 0);
}

#[test]
fn the_longest_path_of_a_long_line_is_not_hidden_by_older_rows() {
    let mut fixture = Fixture::new(RICH, slots(1));
    fixture.queue(1..=500);
    fixture.queue_as([501], |attempt| attempt.path = Millis::from_secs(100_000));
    let settings = Settings {
        queue_size: 64,
        ..Settings::default()
    };
    fixture.start_with(1, settings);
    fixture.run_until(1_000);
    fixture.is(501, AttemptState::Dispatched, 0);
}

#[test]
fn a_row_that_left_the_queue_without_a_record_is_missed_at_the_next_whole_reading() {
    let mut fixture = Fixture::new(RICH, slots(5));
    let parked = CredentialState::Parked {
        until: Timestamp(9_000_000),
        reason: "no money".to_owned(),
    };
    set_state(&fixture, parked);
    fixture.queue(1..=3);
    fixture.start(1);
    fixture.run_until(1_000);
    fixture.cancel(2);
    fixture.run_until(70_000);
    let (_, _, before) = readings(&fixture);
    fixture.run_until(75_000);
    let (_, _, after) = readings(&fixture);
    assert_eq!(after, before, "nothing changed, nothing is read");
    set_state(&fixture, CredentialState::Active);
    fixture.run_until(85_000);
    assert_eq!(dispatched(&fixture, 1..=3), 2);
    let faults = fixture.attempts.faults.lock().expect("one thread");
    let asked = faults.asked.iter().flatten();
    let cancelled = asked.filter(|dispatch| dispatch.attempt.number() == 2);
    assert_eq!(cancelled.count(), 0);
}
