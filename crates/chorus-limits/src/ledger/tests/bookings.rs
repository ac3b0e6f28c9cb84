//! Bookings: a waiting call is not delayed by later ones, and holds back only those that would delay it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::id::{Holder, LeaseId};
use chorus_core::limit::{
    Dimension, Limit, ObstacleKind, QuotaGroup, ReserveRule, Reserved, Window,
};
use chorus_core::time::Timestamp;
use proptest::prelude::*;

use super::{MINUTE, demand, group, limit, used};
use crate::ledger::{Ledger, Start};

/// Time that a full bucket allows for the travel of a call.
const TRAVEL: i64 = 500;

fn one_of(number: usize) -> Arc<QuotaGroup> {
    let limits = vec![
        limit(Dimension::InputTokens, 60_000, MINUTE),
        limit(Dimension::Concurrency, 8, Window::Held),
    ];
    Arc::new(QuotaGroup {
        id: format!("org{number}/model").as_str().into(),
        limits,
    })
}

/// Counts the tasks of 1,000 tokens that twelve groups admit in 30 s, one a group each 100 ms.
fn admitted(person: bool) -> BTreeMap<usize, u32> {
    let groups: Vec<_> = (0..12).map(one_of).collect();
    let mut ledger = Ledger::new(Start::Empty);
    let (mut admitted, mut lease) = (BTreeMap::new(), 1_000);
    let mut call = demand(1, &groups[3], 40_000, 1);
    (call.books, call.interactive) = (true, true);
    for step in 0..300 {
        let now = Timestamp(step * 100);
        if person && step % 10 == 0 {
            ledger.reserve(&call, now);
        }
        for (number, group) in groups.iter().enumerate() {
            lease += 1;
            let mut task = demand(lease, group, 1_000, 1);
            task.not_after = Timestamp(i64::MAX / 4);
            if let Reserved::Granted(granted) = ledger.reserve(&task, now) {
                *admitted.entry(number).or_default() += 1;
                ledger.send(
                    granted.id,
                    &Holder::new("boot/1"),
                    Timestamp(i64::MAX / 4),
                    now,
                );
                ledger.end(granted.id, &used(1_000, 0), now);
            }
        }
    }
    admitted
}

#[test]
fn an_interactive_call_that_waits_slows_tasks_on_one_group_only() {
    let (alone, beside) = (admitted(false), admitted(true));
    for number in (0..12).filter(|number| *number != 3) {
        assert_eq!(alone[&number], beside[&number], "group {number}");
    }
    assert_eq!(beside.get(&3), None, "the 40,000 tokens are saved up first");
}

#[test]
fn a_call_passes_a_booking_that_waits_for_another_limit() {
    let mut ledger = Ledger::new(Start::Full);
    let limits = vec![
        limit(Dimension::InputTokens, 60_000, MINUTE),
        limit(Dimension::OutputTokens, 60_000, MINUTE),
    ];
    let group = group(limits);
    let now = Timestamp(0);
    for (lease, input) in [(1, 1_000), (2, 50_000)] {
        let granted = ledger.reserve(&demand(lease, &group, input, 29_000), now);
        assert!(matches!(granted, Reserved::Granted(_)), "{granted:?}");
    }
    ledger.end(LeaseId::new(1), &used(1_000, 29_000), now);
    ledger.end(LeaseId::new(2), &used(50_000, 29_000), now);
    // 9,000 and 2,000 are left: the head needs 12,000 produced tokens, in 10 s.
    let mut head = demand(3, &group, 1_000, 12_000);
    head.books = true;
    assert_eq!(
        ledger.reserve(&head, now).asks_again_at(),
        Some(Some(Timestamp(10_500)))
    );
    let long_prompt = ledger.reserve(&demand(4, &group, 9_000, 0), now);
    assert!(
        matches!(long_prompt, Reserved::Granted(_)),
        "prompts come back before the head needs them: {long_prompt:?}"
    );
    let Reserved::Wait {
        obstacle: Some(obstacle),
        ..
    } = ledger.reserve(&demand(5, &group, 0, 1_000), now)
    else {
        panic!("it would delay the head")
    };
    assert_eq!(obstacle.kind, ObstacleKind::BookedCall);
}

/// A later call: gap to the one before, its tokens, and the time for which it runs.
type Later = (i64, u64, u64, i64);

/// Lets later calls pass wherever they may, and returns the delay of a booked head.
fn delay_of_head(windows: [Window; 2], before: &[Later], head: (u64, u64), later: &[Later]) -> i64 {
    let limits = vec![
        limit(Dimension::Requests, 40, MINUTE),
        limit(Dimension::InputTokens, 6_000, windows[0]),
        Limit {
            reserve: ReserveRule::MaxOfBoth,
            ..limit(Dimension::OutputTokens, 6_000, windows[1])
        },
        limit(Dimension::Concurrency, 3, Window::Held),
    ];
    let (group, mut ledger) = (group(limits), Ledger::new(Start::Full));
    let (mut now, mut running): (i64, Vec<(i64, LeaseId, u64, u64)>) = (0, Vec::new());
    let mut next = 100;
    let mut ask = |ledger: &mut Ledger, running: &mut Vec<_>, now: i64, call: &Later| {
        next += 1;
        let (_, input, output, lasts) = *call;
        let mut task = demand(next, &group, input, output / 2);
        task.not_after = Timestamp(i64::MAX / 4);
        if let Reserved::Granted(lease) = ledger.reserve(&task, Timestamp(now)) {
            let until = Timestamp(i64::MAX / 4);
            ledger.send(lease.id, &Holder::new("one"), until, Timestamp(now));
            running.push((now + lasts, lease.id, input, output));
        }
    };
    let finish = |ledger: &mut Ledger, running: &mut Vec<(i64, LeaseId, u64, u64)>, until: i64| {
        running.sort_unstable();
        while running.first().is_some_and(|(at, ..)| *at <= until) {
            let (at, lease, input, output) = running.remove(0);
            ledger.end(lease, &used(input, output / 2 * 2), Timestamp(at));
        }
    };
    for call in before {
        now += call.0;
        finish(&mut ledger, &mut running, now);
        ask(&mut ledger, &mut running, now, call);
    }
    let mut call = demand(1, &group, head.0, head.1 / 2);
    (call.books, call.not_after) = (true, Timestamp(i64::MAX / 4));
    let booked = match ledger.reserve(&call, Timestamp(now)) {
        Reserved::Wait { at: Some(at), .. } => at.0,
        _ => return 0,
    };
    let mut calls = later.iter();
    // The head renews its booking; others ask just before it, whenever they like.
    for step in 0..400 {
        now += if step % 4 == 3 { 400 } else { 200 };
        finish(&mut ledger, &mut running, now);
        if let Some(call) = calls.next() {
            ask(&mut ledger, &mut running, now, call);
        }
        let at = if now > booked { now } else { now.min(booked) };
        match ledger.reserve(&call, Timestamp(at)) {
            Reserved::Granted(_) => return at - booked,
            Reserved::Wait { at: Some(at), .. } if at.0 <= booked && at.0 <= now + 200 => {
                if matches!(ledger.reserve(&call, at), Reserved::Granted(_)) {
                    return at.0 - booked;
                }
            }
            Reserved::Wait { .. } | Reserved::Never(_) => {}
        }
    }
    i64::MAX
}

fn calls(most: usize) -> impl Strategy<Value = Vec<Later>> {
    let call = (0..700_i64, 1..2_500_u64, 2..2_500_u64, 10..9_000_i64);
    prop::collection::vec(call, 1..most)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_booked_head_is_never_later_than_its_instant_because_of_others(
        sliding in any::<[bool; 2]>(), before in calls(14), head in (1..6_000_u64, 2..6_000_u64), later in calls(200),
    ) {
        let windows = sliding.map(|sliding| if sliding { Window::Sliding { per_ms: 60_000 } } else { MINUTE });
        let delay = delay_of_head(windows, &before, head, &later);
        prop_assert!(delay <= TRAVEL + 600, "{} ms later than booked", delay);
    }
}
