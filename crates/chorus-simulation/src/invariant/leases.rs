//! Leases: an independent account of every lease, compared with the limiter's levels after each
//! operation.
//!
//! Compared are the slots of concurrency limits and the money of monthly limits. Both are exact,
//! whatever the headers of replies report.

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::id::{GroupId, Holder, LeaseId};
use chorus_core::limit::{Demand, Dimension, End, HeldLease, Lease, Reserved, Sent, Window};
use chorus_core::time::Timestamp;

use super::{Invariant, Level, Violation};

/// Limiter operation with its reply.
#[derive(Debug)]
pub enum LeaseOperation<'a> {
    /// A demand and the reply to it.
    Reserve(&'a Demand, &'a Reserved),
    /// The start of a call and the reply to it.
    Send {
        /// Lease under which the call runs.
        lease: LeaseId,
        /// Worker boot that calls.
        holder: &'a Holder,
        /// Time at which the call is aborted.
        deadline: Timestamp,
        /// Reply of the limiter.
        sent: Sent,
    },
    /// A lease was ended.
    End(LeaseId, &'a End),
    /// Leases were restored after a loss of state.
    Restore(&'a [HeldLease]),
    /// Limit signals were observed.
    Observe,
}

/// All leases of the run.
#[derive(Debug, Default)]
pub struct Leases {
    leases: BTreeMap<LeaseId, TrackedLease>,
    calling: BTreeSet<LeaseId>,
    flushed: bool,
    never_expires: bool,
}

#[derive(Debug, Clone)]
struct TrackedLease {
    groups: BTreeSet<GroupId>,
    money: BTreeMap<GroupId, i64>,
    state: LeaseState,
    /// True if the limiter has seen the lease since it last lost its state.
    known: bool,
    calls: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum LeaseState {
    Reserved {
        not_after: Timestamp,
    },
    Sent {
        holder: Option<Holder>,
        until: Timestamp,
    },
    Aborted {
        until: Timestamp,
    },
    Expired,
    Ended {
        sent: bool,
    },
}

impl TrackedLease {
    fn new(lease: &Lease) -> Self {
        let groups = lease
            .charges
            .iter()
            .map(|charge| charge.group.clone())
            .collect();
        let spend = lease
            .charges
            .iter()
            .filter(|charge| charge.dimension == Dimension::Spend);
        let money = spend
            .map(|charge| {
                (
                    charge.group.clone(),
                    i64::try_from(charge.amount).unwrap_or(i64::MAX),
                )
            })
            .collect();
        Self {
            groups,
            money,
            state: LeaseState::Reserved {
                not_after: lease.not_after,
            },
            known: true,
            calls: 0,
        }
    }

    const fn is_live(&self) -> bool {
        matches!(
            self.state,
            LeaseState::Reserved { .. } | LeaseState::Sent { .. } | LeaseState::Aborted { .. }
        )
    }

    fn expire(&mut self, now: Timestamp) {
        match &self.state {
            LeaseState::Reserved { not_after } if now > *not_after => self.end(false, Some(0)),
            LeaseState::Sent { until, .. } | LeaseState::Aborted { until } if now >= *until => {
                self.state = LeaseState::Expired;
            }
            _ => {}
        }
    }

    fn end(&mut self, sent: bool, money: Option<i64>) {
        self.state = LeaseState::Ended { sent };
        if let Some(money) = money {
            self.money.values_mut().for_each(|amount| *amount = money);
        }
    }

    fn apply(&mut self, end: &End, now: Timestamp) {
        match (end, &self.state) {
            (_, LeaseState::Ended { .. }) => {}
            (End::Unused | End::Lost { .. }, LeaseState::Reserved { .. }) => {
                self.end(false, Some(0));
            }
            (End::Lost { grace }, LeaseState::Sent { until, .. }) => {
                self.state = LeaseState::Aborted {
                    until: (*until).min(now + *grace),
                }
            }
            (End::Used { cost, .. }, LeaseState::Aborted { .. }) => {
                self.money.values_mut().for_each(|amount| *amount = cost.0);
            }
            (
                End::Used { cost, .. },
                LeaseState::Reserved { .. } | LeaseState::Sent { .. } | LeaseState::Expired,
            ) => self.end(true, Some(cost.0)),
            (End::Aborted { grace, .. }, LeaseState::Reserved { .. } | LeaseState::Sent { .. }) => {
                self.state = LeaseState::Aborted {
                    until: now + *grace,
                }
            }
            (
                End::Refused { .. },
                LeaseState::Reserved { .. } | LeaseState::Sent { .. } | LeaseState::Aborted { .. },
            ) => self.end(true, Some(0)),
            (End::Unused | End::Aborted { .. } | End::Lost { .. } | End::Refused { .. }, _) => {}
        }
    }
}

impl Leases {
    /// Applies an operation to the account and compares the levels.
    pub(super) fn check(
        &mut self,
        operation: &LeaseOperation<'_>,
        levels: &[Level],
        now: Timestamp,
    ) -> Result<(), Violation> {
        self.expire(now);
        match operation {
            LeaseOperation::Reserve(_, Reserved::Granted(lease)) => {
                let tracked = self
                    .leases
                    .entry(lease.id)
                    .or_insert_with(|| TrackedLease::new(lease));
                tracked.known = true;
                if tracked.state == (LeaseState::Ended { sent: false }) {
                    *tracked = TrackedLease::new(lease);
                }
            }
            LeaseOperation::Send {
                lease,
                holder,
                deadline,
                sent: Sent::Sent,
            } => self.send(*lease, holder, *deadline)?,
            LeaseOperation::End(lease, end) => {
                // A lost lease keeps its slot for as long as its call may take; the provider's own count is checked
                // beside this one.
                let holds_on = matches!(end, End::Unused | End::Lost { .. });
                if self.calling.contains(lease) && !holds_on {
                    return Err(Violation::new(
                        Invariant::CallNeedsLease,
                        format!("{lease} is ended while its call is in flight"),
                    ));
                }
                if let Some(tracked) = self.leases.get_mut(lease) {
                    tracked.apply(end, now);
                }
            }
            LeaseOperation::Restore(held) => held.iter().for_each(|held| self.restore(held)),
            LeaseOperation::Reserve(..) | LeaseOperation::Send { .. } | LeaseOperation::Observe => {
            }
        }
        self.expire(now);
        if let LeaseOperation::Reserve(_, Reserved::Granted(lease)) = operation {
            levels
                .iter()
                .filter(|level| {
                    lease
                        .charges
                        .iter()
                        .any(|charge| charge.group == level.group)
                })
                .try_for_each(has_room)?;
        }
        levels.iter().try_for_each(|level| self.compare(level))
    }

    /// The limiter lost its state; leases become known again when they are restored.
    pub(super) fn flush(&mut self) {
        self.leases.values_mut().for_each(|tracked| {
            (tracked.state, tracked.known) = (LeaseState::Ended { sent: false }, false);
        });
        self.flushed = true;
    }

    /// Checks the start of a call under a lease.
    pub(super) fn call(&mut self, lease: LeaseId, now: Timestamp) -> Result<(), Violation> {
        self.expire(now);
        let Some(tracked) = self.leases.get_mut(&lease) else {
            return Err(Violation::new(
                Invariant::CallNeedsLease,
                format!("a call begins on {lease}, which was not granted"),
            ));
        };
        tracked.calls += 1;
        self.calling.insert(lease);
        if tracked.calls > 1 {
            return Err(Violation::new(
                Invariant::OneCallPerLease,
                format!("{lease} draws {} calls", tracked.calls),
            ));
        }
        match tracked.state {
            LeaseState::Sent { .. } => Ok(()),
            _ if self.flushed => Ok(()),
            _ => Err(Violation::new(
                Invariant::CallNeedsLease,
                format!("a call begins on {lease} while it is {:?}", tracked.state),
            )),
        }
    }

    /// Notes that the connection of the lease's call was closed.
    pub(super) fn call_ended(&mut self, lease: LeaseId) {
        self.calling.remove(&lease);
    }

    /// Leases that hold a slot or an amount at `now`.
    pub(super) fn live(&mut self, now: Timestamp) -> Vec<LeaseId> {
        self.expire(now);
        self.leases
            .iter()
            .filter(|(_, tracked)| tracked.is_live())
            .map(|(id, _)| *id)
            .collect()
    }

    /// Leases of this run do not expire.
    pub(super) const fn never_expire(&mut self) {
        self.never_expires = true;
    }

    fn expire(&mut self, now: Timestamp) {
        if self.never_expires {
            return;
        }
        self.leases
            .values_mut()
            .for_each(|tracked| tracked.expire(now));
    }

    fn send(
        &mut self,
        lease: LeaseId,
        holder: &Holder,
        deadline: Timestamp,
    ) -> Result<(), Violation> {
        let state = self.leases.get(&lease).map(|tracked| tracked.state.clone());
        let may = match &state {
            Some(LeaseState::Reserved { .. } | LeaseState::Sent { holder: None, .. }) => true,
            Some(LeaseState::Sent {
                holder: Some(first),
                ..
            }) => first == holder,
            _ => false,
        };
        if !may {
            return Err(Violation::new(
                Invariant::SentOnce,
                format!("{holder} may call on {lease} while it is {state:?}"),
            ));
        }
        if let Some(tracked) = self.leases.get_mut(&lease) {
            let until = if let LeaseState::Sent { until, .. } = tracked.state {
                until
            } else {
                deadline
            };
            tracked.state = LeaseState::Sent {
                holder: Some(holder.clone()),
                until,
            };
        }
        Ok(())
    }

    fn restore(&mut self, held: &HeldLease) {
        let tracked = self
            .leases
            .entry(held.lease.id)
            .or_insert_with(|| TrackedLease::new(&held.lease));
        if !tracked.known {
            let calls = tracked.calls;
            *tracked = TrackedLease {
                calls,
                ..TrackedLease::new(&held.lease)
            };
            if let Some(until) = held.sent_until {
                tracked.state = LeaseState::Sent {
                    holder: None,
                    until,
                };
            }
        }
    }

    fn compare(&self, level: &Level) -> Result<(), Violation> {
        let of_group = || {
            self.leases
                .iter()
                .filter(|(_, tracked)| tracked.groups.contains(&level.group))
        };
        match (level.dimension, level.window) {
            (Dimension::Concurrency, _) => {
                let live: Vec<LeaseId> = of_group()
                    .filter(|(_, tracked)| tracked.is_live())
                    .map(|(id, _)| *id)
                    .collect();
                if !self.flushed {
                    has_room(level)?;
                }
                if i64::try_from(live.len()).unwrap_or(i64::MAX) == level.held {
                    return Ok(());
                }
                let what = format!(
                    "{} holds {} slots, live leases are {live:?}",
                    level.group, level.held
                );
                Err(Violation::new(Invariant::LedgerBalance, what))
            }
            (Dimension::Spend, Window::Month) if !self.flushed => {
                let owed: i64 = of_group()
                    .filter_map(|(_, tracked)| tracked.money.get(&level.group))
                    .sum();
                if level.capacity - level.left == owed {
                    return Ok(());
                }
                let what = format!(
                    "{} has {} booked, leases and calls make {owed}",
                    level.group,
                    level.capacity - level.left
                );
                Err(Violation::new(Invariant::LedgerBalance, what))
            }
            _ => Ok(()),
        }
    }
}

/// Checks that granted slots fit the limit. Restored leases may exceed it, as some of them ended
/// unreported; no lease is granted then.
fn has_room(level: &Level) -> Result<(), Violation> {
    if level.dimension != Dimension::Concurrency || level.held <= level.capacity {
        return Ok(());
    }
    Err(Violation::new(
        Invariant::LimiterCount,
        format!(
            "{} holds {} slots of {}",
            level.group, level.held, level.capacity
        ),
    ))
}
