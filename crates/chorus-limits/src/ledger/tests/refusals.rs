//! Corrections by headers, and reactions to refusals.

use std::sync::Arc;

use chorus_core::failure::FailureClass;
use chorus_core::id::LeaseId;
use chorus_core::limit::{Dimension, End, LimitSignals, ObservedLevel, Reserved, Window, Zone};
use chorus_core::time::{Millis, Timestamp};

use super::{Fixture, MINUTE, limit, used};
use crate::ledger::group::SentCall;

impl Fixture {
    fn observe(
        &mut self,
        sent_at: i64,
        failure: Option<FailureClass>,
        retry_after: Option<u64>,
        levels: Vec<ObservedLevel>,
    ) {
        let signals = LimitSignals {
            sent_at: Timestamp(sent_at),
            failure,
            retry_after: retry_after.map(Millis),
            levels,
        };
        let (group, now) = (Arc::clone(&self.group), Timestamp(self.now));
        self.ledger.configure(&group, now);
        let key = self.ledger.groups.key(&group.id);
        let addressed = self.ledger.addressed(&[key], &signals, now);
        let entry = self.ledger.leases.get(&LeaseId::new(1));
        let group = self.ledger.groups.get_mut(key).expect("it was configured");
        let call = entry.map_or_else(SentCall::default, |entry| SentCall::of(entry, key, group));
        group.observe(&signals, &addressed[0], &call, now);
    }
}

fn header(dimension: Dimension, limit: u64, remaining: u64, rounded_to: u64) -> ObservedLevel {
    ObservedLevel {
        dimension,
        limit: Some(limit),
        remaining: Some(remaining),
        full_at: None,
        rounded_to,
        window: None,
    }
}

fn input(amount: u64) -> Fixture {
    Fixture::new(vec![limit(Dimension::InputTokens, amount, MINUTE)])
}

#[test]
fn a_header_lowers_and_raises_the_ledger_to_what_it_makes_possible() {
    let mut fixture = input(60_000);
    fixture.granted(1, 10_000, 1);
    fixture.send(1, 60_000);
    fixture.observe(
        0,
        None,
        None,
        vec![header(Dimension::InputTokens, 60_000, 20_000, 1_000)],
    );
    fixture.left(Dimension::InputTokens, 19_500);
    fixture.observe(
        0,
        None,
        None,
        vec![header(Dimension::InputTokens, 60_000, 40_000, 1)],
    );
    fixture.left(Dimension::InputTokens, 40_000);
}

#[test]
fn what_was_sent_after_a_headers_request_is_subtracted_from_it() {
    let mut fixture = input(60_000);
    fixture.granted(1, 10_000, 1);
    fixture.send(1, 60_000);
    fixture.now = 100;
    fixture.granted(2, 5_000, 1);
    fixture.send(2, 60_000);
    fixture.observe(
        50,
        None,
        None,
        vec![header(Dimension::InputTokens, 60_000, 30_000, 1)],
    );
    // Fifty tokens came back since the request.
    fixture.left(Dimension::InputTokens, 25_050);
    fixture.granted(3, 4_000, 1);
    fixture.left(Dimension::InputTokens, 21_050);
}

#[test]
fn a_late_header_cannot_take_away_twice_what_it_may_have_shown() {
    let mut fixture = input(60_000);
    for lease in 1..=4 {
        fixture.now = lease * 10;
        fixture.granted(lease.unsigned_abs().into(), 5_000, 1);
        fixture.send(lease.unsigned_abs().into(), 60_000);
    }
    fixture.now = 6_000;
    fixture.observe(
        10,
        None,
        None,
        vec![header(Dimension::InputTokens, 60_000, 45_000, 1)],
    );
    // It may have shown all four calls; what came back since is ours to count.
    fixture.left(Dimension::InputTokens, 45_490);
}

#[test]
fn settling_a_call_that_a_header_has_shown_does_not_count_twice() {
    let mut fixture = input(60_000);
    fixture.granted(1, 10_000, 1);
    fixture.send(1, 60_000);
    fixture.observe(
        0,
        None,
        None,
        vec![header(Dimension::InputTokens, 60_000, 52_000, 1)],
    );
    fixture.end(1, &used(8_000, 1));
    fixture.left(Dimension::InputTokens, 52_000);
}

#[test]
fn a_header_of_an_earlier_request_is_old_news() {
    let mut fixture = input(60_000);
    fixture.granted(1, 1_000, 1);
    fixture.now = 200;
    fixture.observe(
        150,
        None,
        None,
        vec![header(Dimension::InputTokens, 60_000, 30_000, 1)],
    );
    fixture.observe(
        100,
        None,
        None,
        vec![header(Dimension::InputTokens, 60_000, 58_000, 1)],
    );
    fixture.left(Dimension::InputTokens, 29_050);
}

#[test]
fn a_header_changes_the_limit_itself() {
    let mut fixture = input(60_000);
    fixture.granted(1, 1_000, 1);
    fixture.observe(
        0,
        None,
        None,
        vec![header(Dimension::InputTokens, 30_000, 30_000, 1)],
    );
    fixture.left(Dimension::InputTokens, 29_000);
    assert!(matches!(fixture.ask(2, 30_001, 1), Reserved::Never(_)));
    fixture.granted(3, 29_000, 1);
    fixture.waits_until(4, 500, None);
}

#[test]
fn a_refusal_for_a_rate_empties_its_bucket_and_closes_the_group_until_the_named_time() {
    let mut fixture = Fixture::new(vec![
        limit(Dimension::Requests, 60, MINUTE),
        limit(Dimension::InputTokens, 60_000, MINUTE),
    ]);
    fixture.granted(1, 100, 1);
    fixture.send(1, 60_000);
    let empty = header(Dimension::Requests, 60, 0, 1);
    fixture.observe(0, Some(FailureClass::RateWindow), Some(7_000), vec![empty]);
    fixture.left(Dimension::Requests, 0);
    fixture.left(Dimension::InputTokens, 59_900);
    fixture.waits_until(2, 10, Some(7_000));
    fixture.now = 7_000;
    fixture.granted(2, 10, 1);
}

#[test]
fn a_refusal_that_names_no_limit_is_blamed_on_the_scarcest() {
    let mut fixture = Fixture::new(vec![
        limit(Dimension::Requests, 60, MINUTE),
        limit(Dimension::InputTokens, 6_000, MINUTE),
    ]);
    fixture.granted(1, 3_000, 1);
    fixture.send(1, 60_000);
    fixture.observe(0, Some(FailureClass::RateWindow), None, Vec::new());
    fixture.left(Dimension::InputTokens, 0);
    fixture.left(Dimension::Requests, 59);
}

#[test]
fn too_many_calls_at_once_lower_the_cap_and_good_ends_raise_it() {
    let mut fixture = Fixture::new(vec![limit(Dimension::Requests, 6_000, MINUTE)]);
    for lease in 1..=4 {
        fixture.granted(lease, 1, 1);
        fixture.send(lease, 60_000);
    }
    fixture.observe(0, Some(FailureClass::Concurrency), None, Vec::new());
    fixture.end(
        4,
        &End::Refused {
            counts_request: false,
        },
    );
    fixture.waits_until(5, 1, None);
    fixture.end(3, &used(1, 1));
    fixture.granted(5, 1, 1);
    fixture.waits_until(6, 1, None);
    for lease in [1, 2, 5] {
        fixture.end(lease, &used(1, 1));
    }
    for lease in 11..=14 {
        fixture.granted(lease, 1, 1);
    }
}

#[test]
fn growing_too_fast_halves_the_calls_in_flight() {
    let mut fixture = Fixture::new(vec![limit(Dimension::Requests, 6_000, MINUTE)]);
    for lease in 1..=8 {
        fixture.granted(lease, 1, 1);
        fixture.send(lease, 60_000);
    }
    fixture.observe(0, Some(FailureClass::Ramp), Some(100), Vec::new());
    (1..=5).for_each(|lease| {
        fixture.end(
            lease,
            &End::Refused {
                counts_request: false,
            },
        );
    });
    fixture.now = 100;
    fixture.granted(20, 1, 1);
    fixture.waits_until(21, 1, None);
}

#[test]
fn quotas_and_money_close_the_group_until_they_come_back() {
    const DAY: i64 = 86_400_000;
    let check = |class, limits, retry_after, until| {
        let mut fixture = Fixture::new(limits);
        fixture.now = 1_000;
        fixture.observe(1_000, Some(class), retry_after, Vec::new());
        fixture.waits_until(1, 1, Some(until));
    };
    let requests = || vec![limit(Dimension::Requests, 60, MINUTE)];
    check(FailureClass::QuotaDay, requests(), Some(25_000), DAY);
    check(
        FailureClass::QuotaDay,
        vec![limit(
            Dimension::Requests,
            60,
            Window::Day {
                zone: Zone::Offset(-480),
            },
        )],
        None,
        DAY / 3,
    );
    check(FailureClass::Spend, requests(), None, 31 * DAY);
    check(FailureClass::Spend, requests(), Some(9_000), 10_000);
    let rolling = vec![limit(
        Dimension::Spend,
        10_000_000,
        Window::Sliding { per_ms: 600_000 },
    )];
    check(FailureClass::Spend, rolling, None, 61_000);
}

#[test]
fn signals_reach_the_groups_of_their_lease_until_it_ends() {
    let signals = LimitSignals {
        sent_at: Timestamp(0),
        failure: None,
        retry_after: None,
        levels: vec![header(Dimension::InputTokens, 60_000, 20_000, 1)],
    };
    let check = |lease: u128, left: i64, end: Option<&End>| {
        let mut fixture = input(60_000);
        fixture.granted(1, 10_000, 1);
        fixture.send(1, 60_000);
        if let Some(end) = end {
            fixture.end(1, end);
        }
        fixture
            .ledger
            .observe(LeaseId::new(lease), &signals, Timestamp(0));
        fixture.left(Dimension::InputTokens, left);
    };
    check(1, 20_000, None);
    check(2, 50_000, None);
    check(1, 52_000, Some(&used(8_000, 1)));
}
