//! Levels as they follow from grants, refusals and doubts.

use chorus_core::failure::FailureClass;
use chorus_core::id::{CredentialId, LeaseId};
use chorus_core::limit::{Charge, GroupClosure, LevelSource};

use super::*;
use crate::tests::{MINUTE, limit};

fn group(limits: Vec<Limit>) -> Arc<QuotaGroup> {
    Arc::new(QuotaGroup {
        id: "g".into(),
        limits,
    })
}

fn call(input: u64) -> CallEstimate {
    CallEstimate {
        input,
        output_p50: 10,
        output_p90: 20,
        max_tokens: 100,
        ..CallEstimate::default()
    }
}

fn charge(dimension: Dimension, amount: u64) -> Lease {
    Lease {
        id: LeaseId::new(1),
        credential: CredentialId::new(1),
        charges: vec![Charge {
            group: "g".into(),
            dimension,
            amount,
        }],
        granted_at: Timestamp(0),
        not_after: Timestamp(0),
    }
}

fn obstacle(dimension: Dimension) -> Obstacle {
    Obstacle {
        credential: CredentialId::new(1),
        group: "g".into(),
        kind: ObstacleKind::Limit { dimension },
        until: None,
    }
}

fn at(fit: Fit) -> Option<i64> {
    match fit {
        Fit::Now { .. } => Some(0),
        Fit::At(at, _) => Some(at.0),
        Fit::WhenFreed(_) => None,
        Fit::Never(_) => Some(-1),
    }
}

fn tokens() -> Mirror {
    let limits = vec![limit(Dimension::InputTokens, 60_000, MINUTE)];
    Mirror::new(group(limits), Timestamp(0))
}

#[test]
fn a_grant_takes_what_it_reserved_and_the_refill_brings_it_back() {
    let mut mirror = tokens();
    mirror.granted(&charge(Dimension::InputTokens, 50_000), Timestamp(0));
    assert_eq!(at(mirror.fit(&call(10_000), 0, 0, Timestamp(0))), Some(0));
    assert_eq!(
        at(mirror.fit(&call(30_000), 0, 0, Timestamp(0))),
        Some(20_500)
    );
    assert_eq!(at(mirror.fit(&call(70_000), 0, 0, Timestamp(0))), Some(-1));
    assert_eq!(
        at(mirror.fit(&call(30_000), 0, 0, Timestamp(20_500))),
        Some(0)
    );
}

#[test]
fn a_refusal_sets_the_level_by_the_instant_that_it_names() {
    let mut mirror = tokens();
    let named = obstacle(Dimension::InputTokens);
    let until = Some(Timestamp(5_000));
    mirror.refused(&call(30_000), Some(&named), until, Timestamp(0));
    assert_eq!(
        at(mirror.fit(&call(30_000), 0, 0, Timestamp(0))),
        Some(5_000)
    );
    assert_eq!(at(mirror.fit(&call(25_000), 0, 0, Timestamp(0))), Some(0));
    assert_eq!(
        at(mirror.fit(&call(35_000), 0, 0, Timestamp(0))),
        Some(10_000)
    );
}

#[test]
fn slots_come_back_by_a_doubt_and_the_doubt_ends_with_a_refusal() {
    let limits = vec![limit(Dimension::Concurrency, 1, Window::Held)];
    let mut mirror = Mirror::new(group(limits), Timestamp(0));
    mirror.granted(&charge(Dimension::Concurrency, 1), Timestamp(0));
    assert_eq!(at(mirror.fit(&call(1), 0, 0, Timestamp(9))), None);
    mirror.doubt();
    assert_eq!(at(mirror.fit(&call(1), 0, 0, Timestamp(9))), Some(0));
    mirror.refused(
        &call(1),
        Some(&obstacle(Dimension::Concurrency)),
        None,
        Timestamp(9),
    );
    assert_eq!(at(mirror.fit(&call(1), 0, 0, Timestamp(9))), None);
}

#[test]
fn a_window_that_is_not_counted_here_blocks_only_as_long_as_the_limiter_said() {
    let window = Window::Sliding { per_ms: 60_000 };
    let limits = vec![limit(Dimension::Requests, 2, window)];
    let mut mirror = Mirror::new(group(limits), Timestamp(0));
    for _ in 0..5 {
        mirror.granted(&charge(Dimension::Requests, 1), Timestamp(0));
    }
    assert_eq!(at(mirror.fit(&call(1), 0, 0, Timestamp(1))), Some(0));
    let until = Some(Timestamp(700));
    mirror.refused(
        &call(1),
        Some(&obstacle(Dimension::Requests)),
        until,
        Timestamp(1),
    );
    assert_eq!(at(mirror.fit(&call(1), 0, 0, Timestamp(1))), Some(700));
    assert_eq!(at(mirror.fit(&call(1), 0, 0, Timestamp(700))), Some(0));
}

#[test]
fn a_call_below_a_booking_leaves_what_was_booked_at_its_instant() {
    let mut mirror = tokens();
    mirror.granted(&charge(Dimension::InputTokens, 50_000), Timestamp(0));
    let (booked, at) = (call(30_000), Timestamp(21_500));
    assert!(mirror.leaves(&call(1_000), &booked, at, Timestamp(0)));
    assert!(!mirror.leaves(&call(1_001), &booked, at, Timestamp(0)));
}

fn level(at: i64, room: i64, closed: Option<i64>) -> GroupLevel {
    GroupLevel {
        group: "g".into(),
        at: Timestamp(at),
        limits: vec![LimitLevel {
            dimension: Dimension::InputTokens,
            window: MINUTE,
            amount: 30_000,
            configured: 60_000,
            capacity: 30_000,
            room,
            held: 0,
            full_at: None,
            source: LevelSource::Header,
            source_at: Timestamp(at),
        }],
        in_flight: 3,
        closed: closed.map(|until| GroupClosure {
            until: Timestamp(until),
            class: FailureClass::RateWindow,
            since: Timestamp(at),
        }),
        bookings: 0,
    }
}

#[test]
fn a_level_of_the_limiter_replaces_what_is_known_here() {
    let mut mirror = tokens();
    mirror.learn(&level(5, 1_000, None), Timestamp(5));
    let lowered = mirror.fit(&call(16_000), 0, 0, Timestamp(5));
    assert_eq!(at(lowered), Some(30_005), "half the rate");
    assert_eq!(at(mirror.fit(&call(31_000), 0, 0, Timestamp(5))), Some(-1));
    mirror.learn(&level(6, 20_000, Some(9_000)), Timestamp(6));
    assert_eq!(at(mirror.fit(&call(1), 0, 0, Timestamp(6))), Some(9_000));
}

#[test]
fn a_stale_mark_does_not_beat_live_truth() {
    let mut mirror = tokens();
    let mut newest = charge(Dimension::InputTokens, 59_000);
    newest.granted_at = Timestamp(100);
    mirror.granted(&newest, Timestamp(100));
    mirror.learn(&level(40, 30_000, Some(90_000)), Timestamp(120));
    assert!(mirror.is_doubted(), "the limiter is asked instead");
    assert_eq!(mirror.closed, None);
    mirror.learn(&level(130, 30_000, None), Timestamp(130));
    assert!(!mirror.is_doubted());
    assert_eq!(at(mirror.fit(&call(30_000), 0, 0, Timestamp(130))), Some(0));
}

#[test]
fn the_fraction_of_a_level_follows_from_the_time_at_which_the_limit_is_full() {
    let mut mirror = tokens();
    let mut shown = level(1_000, 0, None);
    shown.limits[0].amount = 60;
    shown.limits[0].capacity = 60;
    // All but 400 ms of the refill of one unit: 60 seconds for 60 units.
    shown.limits[0].full_at = Some(Timestamp(1_000 + 59_400));
    mirror.learn(&shown, Timestamp(1_000));
    assert_eq!(
        at(mirror.fit(&call(1), 0, 0, Timestamp(1_000))),
        Some(1_400)
    );
    shown.limits[0].full_at = Some(Timestamp(1_000 + 60_500));
    mirror.learn(&shown, Timestamp(1_000));
    let delayed = mirror.fit(&call(1), 0, 0, Timestamp(1_000));
    assert_eq!(
        at(delayed),
        Some(2_500),
        "the refill begins half a second later"
    );
}

#[test]
fn a_level_that_shows_no_bookings_does_not_undo_the_refusal_for_one_at_once() {
    let mut mirror = tokens();
    let booked = Obstacle {
        kind: ObstacleKind::InteractiveCall,
        ..obstacle(Dimension::InputTokens)
    };
    let fit = |mirror: &Mirror, now| at(mirror.fit(&call(1), 0, 0, Timestamp(now)));
    mirror.refused(
        &call(1),
        Some(&booked),
        Some(Timestamp(5_000)),
        Timestamp(10),
    );
    assert_eq!(fit(&mirror, 10), Some(5_000));
    mirror.learn(&level(10, 30_000, None), Timestamp(10));
    assert_eq!(
        fit(&mirror, 10),
        Some(60),
        "two processes would ask for ever"
    );
    assert_eq!(
        fit(&mirror, 60),
        Some(0),
        "a change may have ended the booking"
    );
    mirror.refused(
        &call(1),
        Some(&booked),
        Some(Timestamp(5_000)),
        Timestamp(70),
    );
    mirror.granted(&charge(Dimension::InputTokens, 1), Timestamp(80));
    assert_eq!(
        fit(&mirror, 80),
        Some(0),
        "a grant is newer than the refusal"
    );
}
