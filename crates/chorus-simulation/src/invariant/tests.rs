//! Tests that violations are found, that correct runs pass, and that the first violation is kept.

use std::sync::Arc;

use chorus_core::id::{AttemptId, CredentialId, Epoch, GroupId, Holder, LeaseId};
use chorus_core::limit::{Charge, Demand, Dimension, End, Lease, Reserved, Sent, Window};
use chorus_core::money::MicroUsd;

use super::*;

const LEASE: LeaseId = LeaseId::new(1);
const DEADLINE: Timestamp = Timestamp(5_000);

/// Event in the life of the one lease of these tests.
enum Event {
    Granted,
    Sent(&'static str),
    Used,
    Unused,
    Call,
    CallEnded,
    Passed(i64),
}

fn lease() -> Lease {
    let group = GroupId::new("g");
    let charge = |dimension, amount| Charge {
        group: group.clone(),
        dimension,
        amount,
    };
    Lease {
        id: LEASE,
        credential: CredentialId::new(1),
        charges: vec![
            charge(Dimension::Concurrency, 1),
            charge(Dimension::Spend, 70),
        ],
        granted_at: Timestamp(0),
        not_after: Timestamp(1_000),
    }
}

/// Levels of a correct limiter with these amounts.
fn levels(held: i64, booked: i64) -> Vec<Level> {
    let level = |dimension, window, capacity, left, held| Level {
        group: GroupId::new("g"),
        dimension,
        window,
        left,
        capacity,
        held,
    };
    vec![
        level(Dimension::Concurrency, Window::Held, 2, 2 - held, held),
        level(Dimension::Spend, Window::Month, 1_000, 1_000 - booked, 0),
    ]
}

/// Applies events, checks the levels, and returns the broken invariant.
fn check(events: &[Event], held: i64, booked: i64) -> Option<Invariant> {
    let mut leases = Leases::default();
    let mut now = Timestamp(0);
    let holder = |name: &str| Holder::new(name);
    let demand = Demand {
        lease: LEASE,
        interactive: false,
        not_after: Timestamp(1_000),
        candidates: Vec::new(),
        books: false,
    };
    let used = End::Used {
        usage: chorus_core::llm::Usage::default(),
        cost: MicroUsd(50),
    };
    for operation in events {
        let seen = match operation {
            Event::Granted => leases.check(
                &LeaseOperation::Reserve(&demand, &Reserved::Granted(lease())),
                &[],
                now,
            ),
            Event::Sent(name) => leases.check(
                &LeaseOperation::Send {
                    lease: LEASE,
                    holder: &holder(name),
                    deadline: DEADLINE,
                    sent: Sent::Sent,
                },
                &[],
                now,
            ),
            Event::Used => leases.check(&LeaseOperation::End(LEASE, &used), &[], now),
            Event::Unused => leases.check(&LeaseOperation::End(LEASE, &End::Unused), &[], now),
            Event::Call => leases.call(LEASE, now),
            Event::CallEnded => {
                leases.call_ended(LEASE);
                Ok(())
            }
            Event::Passed(at) => {
                now = Timestamp(*at);
                Ok(())
            }
        };
        if let Err(violation) = seen {
            return Some(violation.invariant);
        }
    }
    leases
        .check(&LeaseOperation::Observe, &levels(held, booked), now)
        .err()
        .map(|violation| violation.invariant)
}

#[test]
fn levels_of_a_correct_limiter_agree() {
    use Event::{Call, CallEnded, Granted, Passed, Sent, Unused, Used};
    assert_eq!(check(&[], 0, 0), None);
    assert_eq!(check(&[Granted], 1, 70), None);
    assert_eq!(check(&[Granted, Unused], 0, 0), None);
    assert_eq!(check(&[Granted, Passed(1_001)], 0, 0), None);
    assert_eq!(
        check(&[Granted, Sent("w"), Call, Passed(1_001)], 1, 70),
        None
    );
    assert_eq!(check(&[Granted, Sent("w"), Unused], 1, 70), None);
    assert_eq!(
        check(&[Granted, Sent("w"), Call, CallEnded, Used, Used], 0, 50),
        None
    );
    assert_eq!(check(&[Granted, Sent("w"), Passed(5_000)], 0, 70), None);
}

#[test]
fn levels_that_refund_or_charge_twice_are_found() {
    use Event::{Granted, Passed, Sent, Used};
    assert_eq!(
        check(&[Granted, Sent("w"), Passed(5_000)], 0, 0),
        Some(Invariant::LedgerBalance)
    );
    assert_eq!(
        check(&[Granted, Sent("w"), Used, Used], 0, 100),
        Some(Invariant::LedgerBalance)
    );
    assert_eq!(
        check(&[Granted, Sent("w")], 0, 70),
        Some(Invariant::LedgerBalance)
    );
    assert_eq!(check(&[Granted], 3, 70), Some(Invariant::LimiterCount));
}

#[test]
fn a_call_needs_a_lease_of_its_own_that_was_sent() {
    use Event::{Call, CallEnded, Granted, Passed, Sent, Used};
    assert_eq!(check(&[Call], 0, 0), Some(Invariant::CallNeedsLease));
    assert_eq!(
        check(&[Granted, Call], 1, 70),
        Some(Invariant::CallNeedsLease)
    );
    assert_eq!(
        check(&[Granted, Sent("w"), Passed(5_000), Call], 0, 70),
        Some(Invariant::CallNeedsLease)
    );
    assert_eq!(
        check(&[Granted, Sent("w"), Call, CallEnded, Call], 1, 70),
        Some(Invariant::OneCallPerLease)
    );
    assert_eq!(
        check(&[Granted, Sent("w"), Call, Used], 0, 50),
        Some(Invariant::CallNeedsLease)
    );
    assert_eq!(
        check(&[Granted, Sent("w"), Sent("v")], 1, 70),
        Some(Invariant::SentOnce)
    );
    assert_eq!(check(&[Granted, Sent("w"), Sent("w")], 1, 70), None);
}

#[test]
fn a_call_names_its_attempt_and_epoch() {
    let attempt = AttemptId::new(7);
    assert_eq!(
        calls::parsed(&format!("{attempt}.3")),
        Some((attempt, Epoch(3)))
    );
    assert_eq!(calls::parsed("probe"), None);
}

#[test]
fn the_first_violation_is_kept() {
    let timeline = Timeline::new(Timestamp(0));
    let log = Log::new(&timeline, false);
    let monitor = Monitor::new(&timeline, &log);
    let first = Violation::new(Invariant::Arrows, "first");
    monitor.report(first.clone());
    monitor.report(Violation::new(Invariant::Money, "later"));
    assert_eq!(Arc::clone(&monitor).violation(), Some(first));
    assert!(
        log.tail(5)
            .iter()
            .any(|line| line.contains("VIOLATION Arrows: first"))
    );
}
