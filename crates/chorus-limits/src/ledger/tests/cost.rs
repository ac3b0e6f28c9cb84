//! Visits of maps by one call: the same for any number of groups and leases.

use std::sync::Arc;

use chorus_core::id::{Holder, LeaseId};
use chorus_core::limit::{Dimension, End, QuotaGroup, Reserved, Window};
use chorus_core::time::Timestamp;

use super::{MINUTE, demand, limit, limits, used};
use crate::ledger::groups::visits;
use crate::ledger::{Ledger, Start};

fn groups(count: usize) -> Vec<Arc<QuotaGroup>> {
    let group = |number: usize| {
        let limits = vec![
            limit(Dimension::Requests, 1_000_000, MINUTE),
            limit(Dimension::InputTokens, 1_000_000_000, MINUTE),
            limit(Dimension::OutputTokens, 1_000_000_000, MINUTE),
            limit(Dimension::Concurrency, 1_000_000, Window::Held),
        ];
        let id = format!("openai/org-{number}/gpt").as_str().into();
        Arc::new(QuotaGroup { id, limits })
    };
    (0..count).map(group).collect()
}

/// Reserves, sends and ends one call.
fn call(ledger: &mut Ledger, lease: u128, group: &Arc<QuotaGroup>, end: bool) {
    let now = Timestamp(0);
    let granted = ledger.reserve(&demand(lease, group, 100, 10), now);
    assert!(matches!(granted, Reserved::Granted(_)), "{granted:?}");
    ledger.send(
        LeaseId::new(lease),
        &Holder::new("boot/1"),
        Timestamp(60_000),
        now,
    );
    if end {
        ledger.end(LeaseId::new(lease), &used(100, 10), now);
    }
}

#[test]
fn a_call_costs_the_same_beside_a_thousand_groups_and_ten_thousand_leases() {
    let cost = |count: usize, leases: u128| {
        let (groups, mut ledger) = (groups(count), Ledger::new(Start::Full));
        for lease in 0..leases {
            let place = usize::try_from(lease).unwrap_or(0) % count;
            call(&mut ledger, 1_000 + lease, &groups[place], lease % 2 == 0);
        }
        call(&mut ledger, 1, &groups[0], true);
        let before = visits();
        call(&mut ledger, 2, &groups[0], true);
        visits() - before
    };
    let alone = cost(1, 1);
    assert_eq!(cost(1_000, 20_000), alone);
    assert!(alone <= 60, "{alone} visits");
}

#[test]
fn the_first_call_of_a_group_costs_the_same_beside_ten_thousand_leases_of_others() {
    let cost = |leases: u128| {
        let (groups, mut ledger) = (groups(2), Ledger::new(Start::Full));
        for lease in 0..leases {
            call(&mut ledger, 1_000 + lease, &groups[0], false);
        }
        let before = visits();
        call(&mut ledger, 1, &groups[1], true);
        visits() - before
    };
    assert_eq!(cost(10_000), cost(1));
}

#[test]
fn a_hundred_thousand_cancelled_calls_leave_nothing_reserved() {
    let (groups, mut ledger) = (groups(7), Ledger::new(Start::Full));
    for lease in 0..100_000_u128 {
        let place = usize::try_from(lease).unwrap_or(0) % 7;
        let now = i64::try_from(lease).unwrap_or(0);
        let mut ask = demand(lease, &groups[place], 100, 10);
        (ask.books, ask.not_after) = (true, Timestamp(now + 30_000));
        let granted = ledger.reserve(&ask, Timestamp(now));
        assert!(matches!(granted, Reserved::Granted(_)), "{granted:?}");
        let lease = LeaseId::new(lease);
        if now % 3 > 0 {
            ledger.send(
                lease,
                &Holder::new("boot/1"),
                Timestamp(now + 60_000),
                Timestamp(now),
            );
        }
        let end = match now % 4 {
            0 => End::Unused,
            1 => End::Lost {
                grace: chorus_core::time::Millis(100),
            },
            2 => End::Aborted {
                usage: None,
                grace: chorus_core::time::Millis(100),
            },
            _ => End::Refused {
                counts_request: true,
            },
        };
        ledger.end(lease, &end, Timestamp(now));
        ledger.withdraw(lease);
    }
    let after = 100_000 + 60_001;
    for level in limits(&mut ledger, after) {
        assert_eq!(level.held, 0, "{level:?}");
    }
    assert_eq!(ledger.live_leases(), 0);
    let levels = ledger.all_levels(Timestamp(after));
    assert!(
        levels
            .iter()
            .all(|group| (group.in_flight, group.bookings) == (0, 0))
    );
    ledger.expire(Timestamp(after + 3_600_001));
    assert!(
        ledger.ended.is_empty() && ledger.due.is_empty(),
        "nothing is remembered for ever"
    );
}
