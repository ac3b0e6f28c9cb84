//! Reasons of waiting, slots of workers, parked credentials, and conditions of whole projects.

use chorus_core::attempt::{AttemptState, WaitReason};
use chorus_core::id::CredentialId;
use chorus_core::money::MicroUsd;
use chorus_core::port::bus::Topic;
use chorus_core::port::directory::{CredentialState, Mark};
use chorus_core::port::{Directory, Waits};
use chorus_core::project::{ClientCommand, LongWait};
use chorus_core::record;
use chorus_core::time::{Millis, Timestamp};

use super::fixture::{Fixture, PROJECT, slots};
use crate::Settings;

const RICH: MicroUsd = MicroUsd::from_dollars(100);

fn reasons(fixture: &Fixture) -> Vec<WaitReason> {
    let waits = fixture.time.run(fixture.store.waits_of(PROJECT, 100));
    let waits = waits.expect("memory answers").into_iter();
    waits.map(|wait| wait.reason).collect()
}

fn in_state(
    fixture: &Fixture,
    numbers: std::ops::RangeInclusive<u128>,
    state: AttemptState,
) -> usize {
    numbers
        .filter(|number| fixture.row(*number).state == state)
        .count()
}

pub(super) fn set_state(fixture: &Fixture, state: CredentialState) {
    let set = fixture.store.set_state(CredentialId::new(1), state);
    fixture.time.run(set).expect("memory answers");
}

/// Conditions that were sent to the project.
fn conditions(fixture: &Fixture) -> Vec<Option<LongWait>> {
    let commands = fixture.records(&Topic::ProjectCmd).into_iter();
    let mut found: Vec<_> = commands
        .filter_map(|(record, _)| {
            match record::read::<ClientCommand>(&record, record::COMMAND).ok()? {
                ClientCommand::Condition { at, wait } => Some((at, wait)),
                _ => None,
            }
        })
        .collect();
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, wait)| wait).collect()
}

#[test]
fn a_pool_without_a_worker_gets_one_delivery_and_the_other_rows_name_the_pool() {
    let mut fixture = Fixture::new(RICH, slots(50));
    fixture.start_without_worker(1, Settings::default());
    fixture.queue(1..=5);
    fixture.run_until(4_000);
    assert_eq!(in_state(&fixture, 1..=5, AttemptState::Dispatched), 1);
    let pool = "claude".into();
    assert_eq!(reasons(&fixture), vec![WaitReason::NoWorker { pool }; 4]);
    fixture.announce(64, Millis::from_secs(60));
    fixture.run_until(6_000);
    assert_eq!(in_state(&fixture, 1..=5, AttemptState::Dispatched), 5);
}

#[test]
fn no_more_is_dispatched_than_workers_can_begin() {
    let mut fixture = Fixture::new(RICH, slots(500));
    fixture.announce(2, Millis::from_secs(600));
    fixture.start_without_worker(1, Settings::default());
    fixture.queue(1..=50);
    fixture.run_until(20_000);
    assert_eq!(in_state(&fixture, 1..=50, AttemptState::Dispatched), 2);
    assert_eq!(fixture.limits.live_leases(), 2);
    let pool = "claude".into();
    assert_eq!(reasons(&fixture)[0], WaitReason::WorkerBusy { pool });
    for number in 1..=2 {
        assert!(fixture.claim_and_send(number, 500_000));
        fixture.finish(number, None);
    }
    fixture.run_until(20_100);
    assert_eq!(in_state(&fixture, 3..=50, AttemptState::Dispatched), 2);
}

#[test]
fn a_parked_credential_is_tried_by_one_call_and_made_active_by_its_reply() {
    let mut fixture = Fixture::new(RICH, slots(50));
    let parked = CredentialState::Parked {
        until: Timestamp(30_000),
        reason: "no money".to_owned(),
    };
    set_state(&fixture, parked);
    fixture.start(1);
    fixture.queue(1..=5);
    fixture.run_until(10_000);
    let WaitReason::CredentialsParked { reasons: named, .. } = &reasons(&fixture)[0] else {
        panic!("another reason: {:?}", reasons(&fixture));
    };
    assert_eq!(named[0].why, "no money");
    assert_eq!(named[0].until, Some(Timestamp(30_000)));
    fixture.run_until(31_000);
    assert_eq!(
        in_state(&fixture, 1..=5, AttemptState::Dispatched),
        1,
        "one probe"
    );
    let probe = (1..=5).find(|number| fixture.row(*number).state == AttemptState::Dispatched);
    let probe = probe.expect("it was dispatched");
    assert!(fixture.claim_and_send(probe, 500_000));
    fixture.finish(probe, None);
    fixture.run_until(33_000);
    assert_eq!(in_state(&fixture, 1..=5, AttemptState::Dispatched), 4);
    let accounts = fixture.time.run(fixture.store.accounts(&"home".into()));
    let account = accounts.expect("memory answers").remove(0);
    assert_eq!(account.credentials[0].state, CredentialState::Active);
    assert!(
        account.credentials[0]
            .mark
            .is_some_and(|mark| { mark.replaces(Some(&Mark::of_call(Timestamp(30_000)))) })
    );
}

#[test]
fn a_long_wait_is_a_condition_of_the_project_once_and_ends_with_its_next_delivery() {
    let mut fixture = Fixture::new(RICH, slots(50));
    let parked = CredentialState::Parked {
        until: Timestamp(9_000_000),
        reason: "no money".to_owned(),
    };
    set_state(&fixture, parked);
    fixture.start(1);
    fixture.queue(1..=3);
    fixture.run_until(4_000);
    assert_eq!(conditions(&fixture), []);
    fixture.run_until(20_000);
    let found = conditions(&fixture);
    assert_eq!(found.len(), 1, "nothing will change for long: {found:?}");
    fixture.run_until(150_000);
    assert_eq!(conditions(&fixture), found, "once");
    let wait = found[0].clone().expect("it waits");
    assert_eq!(wait.reason, "credentials_parked");
    assert!(
        wait.message.contains("an account: no money") && !wait.message.contains("ann@"),
        "{}",
        wait.message
    );
    assert!(
        matches!(wait.detail, Some(WaitReason::CredentialsParked { .. })),
        "a reader with the right to names makes them of it"
    );
    assert_eq!(wait.until, Some(Timestamp(9_000_000)));
    set_state(&fixture, CredentialState::Active);
    fixture.run_until(160_000);
    assert_eq!(in_state(&fixture, 1..=3, AttemptState::Dispatched), 3);
    assert_eq!(conditions(&fixture)[1..], [None], "the end, once");
}

#[test]
fn a_project_without_queued_attempts_is_tried_again_once_an_account_can_serve_it() {
    let mut fixture = Fixture::new(RICH, slots(50));
    let refused = CredentialState::Refused {
        reason: "expired".to_owned(),
    };
    set_state(&fixture, refused);
    fixture.hold_up();
    fixture.start(1);
    fixture.run_until(20_000);
    assert_eq!(conditions(&fixture), [], "nothing can serve it yet");
    set_state(&fixture, CredentialState::Active);
    fixture.run_until(30_000);
    assert_eq!(conditions(&fixture), [None]);
}
