//! Slow replies, several groups of one credential, and two opinions about one group.

use std::sync::Arc;

use chorus_core::failure::FailureClass;
use chorus_core::id::{Holder, LeaseId};
use chorus_core::limit::{
    Dimension, End, LimitSignals, ObservedLevel, QuotaGroup, Reserved, Sent, Window, Zone,
};
use chorus_core::time::{Millis, Timestamp};

use super::{Fixture, MINUTE, demand, limit, used};
use crate::ledger::{Ledger, Start};

fn shown(dimension: Dimension, limit: u64, remaining: u64) -> ObservedLevel {
    ObservedLevel {
        dimension,
        limit: Some(limit),
        remaining: Some(remaining),
        full_at: None,
        rounded_to: 1,
        window: None,
    }
}

fn signals(
    sent_at: i64,
    failure: Option<FailureClass>,
    levels: Vec<ObservedLevel>,
) -> LimitSignals {
    LimitSignals {
        sent_at: Timestamp(sent_at),
        failure,
        retry_after: failure.map(|_| Millis(40_000)),
        levels,
    }
}

#[test]
fn headers_of_calls_of_a_minute_do_not_take_back_what_has_refilled() {
    for window in [MINUTE, Window::Sliding { per_ms: 60_000 }] {
        let mut fixture = Fixture::new(vec![limit(Dimension::Requests, 60, window)]);
        for lease in 1..=60 {
            fixture.granted(lease, 1, 1);
            assert_eq!(fixture.send(lease, 200_000), Sent::Sent);
        }
        fixture.now = 61_000;
        for lease in 1..=60 {
            let remaining = 60 - u64::try_from(lease).expect("small");
            let levels = vec![shown(Dimension::Requests, 60, remaining)];
            let signals = signals(0, None, levels);
            let now = Timestamp(fixture.now);
            fixture.ledger.observe(LeaseId::new(lease), &signals, now);
            fixture.end(lease, &used(1, 1));
        }
        fixture.left(Dimension::Requests, 60);
    }
}

#[test]
fn a_header_of_yesterday_shows_nothing_of_today() {
    const DAY: i64 = 86_400_000;
    let window = Window::Day { zone: Zone::UTC };
    let mut fixture = Fixture::new(vec![limit(Dimension::Requests, 20, window)]);
    fixture.now = DAY - 1_000;
    fixture.granted(1, 1, 1);
    fixture.send(1, DAY + 60_000);
    fixture.now = DAY + 1_000;
    let signals = signals(DAY - 1_000, None, vec![shown(Dimension::Requests, 20, 0)]);
    let now = Timestamp(fixture.now);
    fixture.ledger.observe(LeaseId::new(1), &signals, now);
    fixture.left(Dimension::Requests, 20);
}

/// An organisation and a project of it.
fn two_groups() -> [Arc<QuotaGroup>; 2] {
    [("org", 2_000_000), ("org/project", 500_000)].map(|(id, amount)| {
        Arc::new(QuotaGroup {
            id: id.into(),
            limits: vec![limit(Dimension::TotalTokens, amount, MINUTE)],
        })
    })
}

/// Returns what is left of each group, and until when it is closed, after signals about one call.
fn after(signals: &LimitSignals) -> Vec<(i64, Option<i64>)> {
    let groups = two_groups();
    let mut ledger = Ledger::new(Start::Full);
    let mut call = demand(1, &groups[0], 1_000, 0);
    call.candidates[0].groups = groups.to_vec();
    assert!(matches!(
        ledger.reserve(&call, Timestamp(0)),
        Reserved::Granted(_)
    ));
    let holder = Holder::new("boot/1");
    ledger.send(LeaseId::new(1), &holder, Timestamp(60_000), Timestamp(0));
    ledger.observe(LeaseId::new(1), signals, Timestamp(0));
    let refused = End::Refused {
        counts_request: false,
    };
    ledger.end(LeaseId::new(1), &refused, Timestamp(0));
    let levels = ledger.all_levels(Timestamp(0));
    let state = levels.iter().map(|level| {
        let until = level.closed.map(|closure| closure.until.0);
        (level.limits[0].room, until)
    });
    state.collect()
}

#[test]
fn a_header_corrects_only_the_group_that_it_speaks_about() {
    let of = |amount, remaining| {
        let levels = vec![shown(Dimension::TotalTokens, amount, remaining)];
        after(&signals(0, None, levels))
    };
    assert_eq!(of(2_000_000, 90_000)[1].0, 500_000);
    assert_eq!(of(500_000, 90_000)[0].0, 2_000_000);
    assert_eq!(
        of(450_000, 90_000)[0].0,
        2_000_000,
        "nearest to the project's"
    );
}

#[test]
fn the_refusal_of_a_project_does_not_close_its_organisation() {
    let empty = vec![shown(Dimension::TotalTokens, 500_000, 0)];
    let refused = signals(0, Some(FailureClass::RateWindow), empty);
    assert_eq!(after(&refused), [(2_000_000, None), (0, Some(40_000))]);
    let unnamed = signals(0, Some(FailureClass::RateWindow), Vec::new());
    assert_eq!(
        after(&unnamed)[0],
        (2_000_000, None),
        "the scarcest group is to blame"
    );
}

#[test]
fn two_opinions_about_one_group_do_not_stop_its_refill() {
    let mut fixture = Fixture::new(vec![limit(Dimension::Requests, 500, MINUTE)]);
    let mut other = (*fixture.group).clone();
    other.limits[0].amount = 1_000;
    let opinions = [Arc::clone(&fixture.group), Arc::new(other)];
    let (mut lease, mut granted) = (0, 0);
    for now in (0..180_000).step_by(10) {
        fixture.now = now;
        for opinion in &opinions {
            fixture.group = Arc::clone(opinion);
            lease += 1;
            if matches!(fixture.ask(lease, 1, 1), Reserved::Granted(_)) {
                granted += 1;
                fixture.send(lease, now + 1_000);
                fixture.end(lease, &used(1, 1));
            }
        }
    }
    assert!(granted > 1_900, "{granted} calls in three minutes");
    assert!(granted <= 4_000, "{granted} calls in three minutes");
}
