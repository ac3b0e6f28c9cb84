//! Dispatchers die, stores are away, records get lost: nothing is taken away too early, nothing stays undone.

use std::sync::Arc;

use chorus_core::attempt::AttemptState;
use chorus_core::money::MicroUsd;
use chorus_core::port::bus::Topic;
use chorus_core::time::Timestamp;
use chorus_limits::{Memory, Start};

use super::fixture::{Fixture, slots};
use crate::Settings;

const RICH: MicroUsd = MicroUsd::from_dollars(100);

#[test]
fn an_unclaimed_delivery_is_queued_again_with_another_lease() {
    let mut fixture = Fixture::new(RICH, slots(1));
    fixture.start(1);
    fixture.queue([1]);
    fixture.run_until(30_900);
    fixture.is(1, AttemptState::Dispatched, 0);
    fixture.run_until(40_000);
    fixture.is(1, AttemptState::Dispatched, 1);
    assert_eq!(fixture.limits.live_leases(), 1);
    assert_eq!(fixture.row(1).lost, 0, "no worker was lost");
}

#[test]
fn after_an_outage_nothing_is_taken_away_for_one_whole_lease() {
    let mut fixture = Fixture::new(RICH, slots(8));
    fixture.start(1);
    fixture.queue([1]);
    fixture.run_until(1_100);
    assert!(fixture.claim_and_send(1, 500_000));
    let wait = i64::try_from(Settings::default().whole_lease().0).expect("small");
    fixture.attempts.faults.lock().expect("one thread").down = Some((60_000, 90_000));
    // It beats until the store goes away, and cannot while it is.
    for second in 1..60 {
        fixture.run_until(second * 1_000);
        fixture.store_beat(1);
    }
    fixture.run_until(90_000 + wait - 2_000);
    fixture.is(1, AttemptState::Running, 0);
    fixture.run_until(90_000 + wait + 5_000);
    assert_eq!(
        fixture.row(1).lost,
        1,
        "a worker that stays silent is lost all the same"
    );
}

#[test]
fn a_new_term_waits_one_whole_lease_too() {
    let mut fixture = Fixture::new(RICH, slots(8));
    fixture.start(1);
    fixture.queue([1]);
    fixture.run_until(1_100);
    assert!(fixture.claim_and_send(1, 500_000));
    fixture.run_until(20_000);
    fixture.services.clear();
    fixture.run_until(50_000);
    fixture.start(2);
    fixture.run_until(79_000);
    fixture.is(1, AttemptState::Running, 0);
    fixture.run_until(85_000);
    assert_eq!(fixture.row(1).lost, 1);
}

#[test]
fn a_lease_is_put_back_with_its_groups_although_nothing_of_its_tenant_is_queued() {
    let mut fixture = Fixture::new(RICH, slots(1));
    fixture.start(1);
    fixture.queue([1]);
    fixture.run_until(1_100);
    assert!(fixture.claim_and_send(1, 100_000));
    fixture.services.clear();
    fixture.limits = Arc::new(Memory::new(fixture.time.port(), Start::Full));
    fixture.start(2);
    fixture.run_until(30_000);
    fixture.queue([2]);
    fixture.run_until(35_000);
    fixture.is(2, AttemptState::Queued, 0);
}

#[test]
fn a_second_dispatcher_takes_over_with_the_leases_of_the_first() {
    let mut fixture = Fixture::new(RICH, slots(1));
    fixture.start(1);
    fixture.start(2);
    fixture.queue(1..=2);
    fixture.run_until(1_100);
    assert!(fixture.claim_and_send(1, 100_000));
    // The first dies, and the limiter forgets everything.
    drop(fixture.services.remove(0));
    fixture.services.clear();
    fixture.limits = Arc::new(Memory::new(fixture.time.port(), Start::Full));
    fixture.start(3);
    fixture.run_until(30_000);
    assert_eq!(
        fixture.limits.live_leases(),
        1,
        "the lease of the running call is put back before anything is reserved"
    );
    fixture.is(2, AttemptState::Queued, 0);
    fixture.beat_until(1, 100_000);
    fixture.run_until(101_500);
    fixture.is(2, AttemptState::Dispatched, 0);
}

#[test]
fn only_one_of_two_dispatchers_works_at_a_time() {
    let mut fixture = Fixture::new(RICH, slots(8));
    fixture.start(1);
    fixture.start(2);
    fixture.queue(1..=5);
    fixture.run_until(10_000);
    assert_eq!(fixture.limits.live_leases(), 5);
    let faults = fixture.attempts.faults.lock().expect("one thread");
    let terms: Vec<u64> = faults
        .asked
        .iter()
        .flatten()
        .map(|dispatch| dispatch.term.0)
        .collect();
    assert_eq!(terms, [1; 5]);
}

#[test]
fn records_that_were_never_sent_are_swept_and_unfolded_ones_are_sent_again() {
    let mut fixture = Fixture::new(RICH, slots(8));
    fixture.start(1);
    fixture.run_until(5_000);
    let (command, sent) = fixture.records(&Topic::ProjectCmd).remove(0);
    assert!(
        sent,
        "the record of the submission was left unsent by its committer"
    );
    let first = fixture.sent_at(command.id);
    fixture.run_until(25_000);
    assert!(
        fixture.sent_at(command.id) > first,
        "it was not folded, so it is sent again"
    );
}

#[test]
fn slots_of_an_ended_process_come_back_after_the_grace_of_its_provider() {
    let mut fixture = Fixture::new(RICH, slots(1));
    fixture.start(1);
    fixture.queue([1]);
    fixture.run_until(1_100);
    assert!(fixture.claim_and_send(1, 500_000));
    fixture.services.clear();
    fixture.limits = Arc::new(Memory::lost(fixture.time.port()));
    fixture.run_until(20_000);
    let alone_since = Some(Timestamp(20_000));
    fixture.start_with(
        2,
        Settings {
            alone_since,
            ..Settings::default()
        },
    );
    fixture.run_until(22_000);
    fixture.is(1, AttemptState::Queued, 1);
    fixture.run_until(29_900);
    fixture.is(1, AttemptState::Queued, 1);
    fixture.run_until(31_500);
    fixture.is(1, AttemptState::Dispatched, 1);
}
