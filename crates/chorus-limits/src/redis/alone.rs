//! One process while the server is away: its share of every limit, by the last count of members, over a
//! [`Ledger`] of its own, with levels that start where they were last seen. Its operations are kept and sent
//! to the server when that is back.
//!
//! Only the database knows which leases hold an amount, as other processes send and end them: so a
//! reservation returns [`LimiterError::StateLost`] at the beginning and every few seconds, and its
//! process restores.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chorus_core::id::{GroupId, Holder, LeaseId};
use chorus_core::limit::{
    Demand, End, HeldLease, Lease, Limit, LimitSignals, QuotaGroup, Reserved, Sent, Window,
};
use chorus_core::port::limit_state::LimiterError;
use chorus_core::time::{Millis, Timestamp};
use serde_json::{Value, json};

use super::arguments;
use super::mirror::{Mirror, Mirrors};
use crate::ledger::{Ledger, Start};

/// Time after which leases must be restored again.
const LEASES_LAST: Millis = Millis(5_000);
/// Maximum leases with operations kept for the server; further callers must retry theirs.
const MOST_KEPT: usize = 10_000;

/// State of a process without the server.
pub(super) struct Alone {
    ledger: Ledger,
    share: u64,
    begun_with: Mirrors,
    restored_at: Option<Timestamp>,
    divided: BTreeMap<GroupId, (Arc<QuotaGroup>, Arc<QuotaGroup>)>,
    kept: BTreeMap<LeaseId, KeptOperations>,
    /// Lease of the last signals about each group.
    seen: BTreeMap<GroupId, LeaseId>,
}

/// Operations on a lease, kept for the server.
#[derive(Debug, Clone, Default)]
struct KeptOperations {
    lease: Option<Lease>,
    sent: Option<(Holder, Timestamp)>,
    signals: Option<LimitSignals>,
    end: Option<End>,
}

impl Alone {
    /// Creates the state from the levels last seen; `members` processes share every limit.
    pub(super) fn new(members: u32, mirrors: &Mirrors, now: Timestamp) -> Self {
        let mut alone = Self {
            ledger: Ledger::new(Start::Empty),
            share: u64::from(members.max(1)),
            begun_with: mirrors.clone(),
            restored_at: None,
            divided: BTreeMap::new(),
            kept: BTreeMap::new(),
            seen: BTreeMap::new(),
        };
        for (
            _,
            Mirror {
                group,
                rooms,
                closed,
                ..
            },
        ) in mirrors.iter()
        {
            let share = i64::try_from(alone.share).unwrap_or(i64::MAX);
            let rooms: Vec<i64> = rooms.iter().map(|room| room.div_euclid(share)).collect();
            let group = alone.divided(group);
            alone.ledger.set_rooms(&group, &rooms, *closed, now);
        }
        alone
    }

    /// Reserves within the share. A call larger than the share waits for the server.
    pub(super) fn reserve(
        &mut self,
        mut demand: Demand,
        now: Timestamp,
    ) -> Result<Reserved, LimiterError> {
        if self
            .restored_at
            .is_none_or(|at| now.since(at) >= LEASES_LAST)
        {
            return Err(LimiterError::StateLost);
        }
        for candidate in &mut demand.candidates {
            candidate.groups = candidate
                .groups
                .iter()
                .map(|group| self.divided(group))
                .collect();
        }
        Ok(match self.ledger.reserve(&demand, now) {
            Reserved::Granted(lease) => {
                self.kept.entry(lease.id).or_default().lease = Some(lease.clone());
                Reserved::Granted(lease)
            }
            Reserved::Never(_) => Reserved::Wait {
                at: None,
                obstacle: None,
            },
            wait @ Reserved::Wait { .. } => wait,
        })
    }

    /// Removes the booking of a waiting call.
    pub(super) fn withdraw(&mut self, lease: LeaseId) {
        self.ledger.withdraw(lease);
    }

    /// Marks a lease as sent. An unknown lease was granted elsewhere: the claim in the database says that
    /// it is the caller's, and the lease itself until when it may be sent.
    pub(super) fn send(
        &mut self,
        lease: &Lease,
        holder: &Holder,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Sent {
        if !self.ledger.knows(lease.id) && now <= lease.not_after && now < deadline {
            let held = HeldLease {
                lease: lease.clone(),
                groups: Vec::new(),
                sent_until: Some(deadline),
                process_ended: false,
            };
            self.ledger.restore(vec![held], now);
        }
        let sent = self.ledger.send(lease.id, holder, deadline, now);
        if sent == Sent::Sent {
            let kept = self.kept.entry(lease.id).or_default();
            (kept.lease, kept.sent) = (Some(lease.clone()), Some((holder.clone(), deadline)));
        }
        sent
    }

    /// Ends a lease, and keeps the end for the server.
    pub(super) fn end(
        &mut self,
        lease: LeaseId,
        end: End,
        now: Timestamp,
    ) -> Result<(), LimiterError> {
        if self.kept.len() >= MOST_KEPT && !self.kept.contains_key(&lease) {
            return Err(LimiterError::unavailable(
                "too many leases have ended while it was away",
            ));
        }
        self.ledger.end(lease, &end, now);
        let kept = self.kept.entry(lease).or_default();
        if end != End::Unused || kept.sent.is_none() {
            kept.end = Some(end);
        }
        Ok(())
    }

    /// Applies the signals: headers show the whole limit, so the share is taken of them. The last signals
    /// of each group are kept for the server; those of an unknown lease are dropped.
    pub(super) fn observe(&mut self, lease: LeaseId, signals: LimitSignals, now: Timestamp) {
        let groups = self.ledger.groups_of(lease);
        if groups.is_empty() {
            return;
        }
        let mut own = signals.clone();
        for level in &mut own.levels {
            level.limit = level.limit.map(|amount| amount / self.share);
            level.remaining = level.remaining.map(|amount| amount / self.share);
        }
        self.ledger.observe(lease, &own, now);
        for group in groups {
            self.seen.insert(group, lease);
        }
        self.kept.entry(lease).or_default().signals = Some(signals);
    }

    /// Makes these the only leases that hold an amount.
    pub(super) fn restore(&mut self, leases: Vec<HeldLease>, now: Timestamp) {
        let mut own = Vec::with_capacity(leases.len());
        for held in leases {
            let groups = held
                .groups
                .iter()
                .map(|group| self.divided(group))
                .collect();
            own.push(HeldLease { groups, ..held });
        }
        self.ledger.replace(own, now);
        self.restored_at = Some(now);
    }

    /// Returns the operations kept for the server, one object a lease.
    pub(super) fn leases(&self) -> Value {
        let latest: BTreeSet<LeaseId> = self.seen.values().copied().collect();
        let one = |(id, kept): (&LeaseId, &KeptOperations)| {
            let end = kept.end.as_ref().map(arguments::end);
            let signals = kept.signals.as_ref().filter(|_| latest.contains(id));
            let signals = signals.map(arguments::signals);
            let Some(lease) = &kept.lease else {
                return json!({
                    "lease": id, "charges": null, "sent_until": null, "signals": signals, "ending": end,
                });
            };
            let groups = lease
                .charges
                .iter()
                .filter_map(|charge| self.divided.get(&charge.group))
                .map(|(whole, _)| Arc::clone(whole));
            let sent_until = kept.sent.as_ref().map(|(_, until)| *until);
            let mut held = arguments::held(&HeldLease {
                lease: lease.clone(),
                groups: groups.collect(),
                sent_until,
                process_ended: false,
            });
            held["holder"] = json!(kept.sent.as_ref().map(|(holder, _)| holder));
            held["signals"] = json!(signals);
            held["ending"] = json!(end);
            held
        };
        self.kept.iter().map(one).collect()
    }

    /// Returns the amounts left of each group, as far as this process knows.
    pub(super) fn mirrors(&mut self, now: Timestamp) -> Mirrors {
        let mut mirrors = self.begun_with.clone();
        for (id, (whole, _)) in &self.divided {
            let Some(rooms) = self.ledger.rooms(id, now) else {
                continue;
            };
            let share = i64::try_from(self.share).unwrap_or(i64::MAX);
            let began = self
                .begun_with
                .get(id)
                .map(|mirror| mirror.rooms.clone())
                .unwrap_or_default();
            let left =
                |(place, room): (usize, i64)| match (whole.limits.get(place), began.get(place)) {
                    // The amount at the start of the outage, less the usage here.
                    (
                        Some(Limit {
                            window: Window::Day { .. } | Window::Month,
                            ..
                        }),
                        Some(began),
                    ) => began - began.div_euclid(share) + room,
                    _ => room,
                };
            mirrors.saw(
                [whole],
                vec![(
                    id.clone(),
                    rooms.into_iter().enumerate().map(left).collect(),
                )],
            );
        }
        mirrors
    }

    fn divided(&mut self, group: &Arc<QuotaGroup>) -> Arc<QuotaGroup> {
        let known = self
            .divided
            .get(&group.id)
            .filter(|(whole, _)| Arc::ptr_eq(whole, group) || whole == group);
        if let Some((_, part)) = known {
            return Arc::clone(part);
        }
        let part = |limit: &Limit| Limit {
            amount: limit.amount / self.share,
            burst: limit.burst.map(|burst| burst / self.share),
            ..limit.clone()
        };
        let part = Arc::new(QuotaGroup {
            id: group.id.clone(),
            limits: group.limits.iter().map(part).collect(),
        });
        self.divided
            .insert(group.id.clone(), (Arc::clone(group), Arc::clone(&part)));
        part
    }
}
