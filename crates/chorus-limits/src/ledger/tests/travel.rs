//! Calls are counted at a provider later than here, and not in the order in which they were sent.

use chorus_core::id::{Holder, LeaseId};
use chorus_core::limit::{Dimension, LimitSignals, ObservedLevel, Reserved, Window};
use chorus_core::time::Timestamp;
use proptest::prelude::*;

use super::{MINUTE, demand, group, limit};
use crate::ledger::{Ledger, Start};

const CALLS: u64 = 10;
const TRAVEL: i64 = 500;

/// A provider that counts requests by itself, from the instant at which each arrives.
enum Provider {
    /// Amount left of a bucket, in 60,000ths of a request.
    Bucket { scaled: i64, at: i64 },
    /// Arrivals.
    Sliding(Vec<i64>),
}

impl Provider {
    /// Counts a call; returns the amount left, or none when there is no room for it.
    fn arrives(&mut self, now: i64) -> Option<u64> {
        match self {
            Self::Bucket { scaled, at } => {
                *scaled = (*scaled + (now - *at) * CALLS.cast_signed())
                    .min(CALLS.cast_signed() * 60_000)
                    - 60_000;
                *at = now;
                u64::try_from(scaled.div_euclid(60_000)).ok()
            }
            Self::Sliding(arrivals) => {
                arrivals.retain(|at| at + 60_000 > now);
                arrivals.push(now);
                CALLS.checked_sub(arrivals.len() as u64)
            }
        }
    }
}

/// Next event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives {
        lease: u64,
        sent_at: i64,
    },
    Header {
        lease: u64,
        sent_at: i64,
        remaining: u64,
    },
}

/// Signals of a reply to a request that was sent at `sent_at`.
fn header(sent_at: i64, remaining: u64) -> LimitSignals {
    let level = ObservedLevel {
        dimension: Dimension::Requests,
        limit: Some(CALLS),
        remaining: Some(remaining),
        full_at: None,
        rounded_to: 1,
        window: None,
    };
    LimitSignals {
        sent_at: Timestamp(sent_at),
        failure: None,
        retry_after: None,
        levels: vec![level],
    }
}

/// Sends calls as soon as they fit, `gaps` apart at least; each travels and is answered in its own time.
fn hold(
    window: Window,
    mut provider: Provider,
    calls: &[(i64, i64, i64)],
) -> Result<(), TestCaseError> {
    let mut ledger = Ledger::new(Start::Full);
    let group = group(vec![limit(Dimension::Requests, CALLS, window)]);
    let mut ahead: Vec<(i64, Event)> = Vec::new();
    let mut due = |ledger: &mut Ledger,
                   ahead: &mut Vec<(i64, Event)>,
                   until: i64,
                   calls: &[(i64, i64, i64)]| {
        while let Some(next) = ahead.iter().copied().filter(|(at, _)| *at <= until).min() {
            ahead.retain(|event| *event != next);
            let (now, event) = next;
            match event {
                Event::Arrives { lease, sent_at } => {
                    let remaining = provider.arrives(now);
                    prop_assert!(
                        remaining.is_some(),
                        "call {lease}, sent at {sent_at}, is refused at {now}"
                    );
                    let answered = now + calls[usize::try_from(lease).unwrap_or(0)].2;
                    ahead.push((
                        answered,
                        Event::Header {
                            lease,
                            sent_at,
                            remaining: remaining.unwrap_or(0),
                        },
                    ));
                }
                Event::Header {
                    lease,
                    sent_at,
                    remaining,
                } => {
                    let signals = header(sent_at, remaining);
                    ledger.observe(LeaseId::new(lease.into()), &signals, Timestamp(now));
                }
            }
        }
        Ok(())
    };
    let mut now = 0;
    for (lease, (gap, travel, _)) in (0_u64..).zip(calls) {
        now += gap;
        due(&mut ledger, &mut ahead, now, calls)?;
        loop {
            let mut demand = demand(lease.into(), &group, 1, 1);
            demand.not_after = Timestamp(i64::MAX / 4);
            match ledger.reserve(&demand, Timestamp(now)) {
                Reserved::Granted(_) => break,
                Reserved::Wait { at: Some(at), .. } => {
                    let next = ahead.iter().map(|(at, _)| *at).min().unwrap_or(i64::MAX);
                    now = at.0.min(next).max(now);
                    due(&mut ledger, &mut ahead, now, calls)?;
                }
                other => return Err(TestCaseError::fail(format!("{other:?}"))),
            }
        }
        ledger.send(
            LeaseId::new(lease.into()),
            &Holder::new("one"),
            Timestamp(now + 600_000),
            Timestamp(now),
        );
        ahead.push((
            now + travel,
            Event::Arrives {
                lease,
                sent_at: now,
            },
        ));
    }
    due(&mut ledger, &mut ahead, i64::MAX, calls)
}

fn calls() -> impl Strategy<Value = Vec<(i64, i64, i64)>> {
    let gap = prop_oneof![5 => 0..20_i64, 2 => 0..3_000_i64, 1 => 5_000..70_000_i64];
    prop::collection::vec((gap, 0..=TRAVEL, 0..8_000_i64), 1..90)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_bucket_is_passed_by_calls_that_overtake_one_another(calls in calls()) {
        hold(MINUTE, Provider::Bucket { scaled: 600_000, at: 0 }, &calls)?;
    }

    #[test]
    fn no_sliding_window_is_passed_by_calls_that_overtake_one_another(calls in calls()) {
        hold(Window::Sliding { per_ms: 60_000 }, Provider::Sliding(Vec::new()), &calls)?;
    }
}
