//! One process while the server is away: its share of every limit, by the last count of members, over a ledger of
//! its own whose levels begin where they were last seen. What it does is written down and told to the server when
//! that is back.
//!
//! Which leases hold something is known to the database only, as other processes send and end them: so a
//! reservation hears `Lost`, and its process restores, at the beginning and every few seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chorus_core::id::{GroupId, Holder, LeaseId};
use chorus_core::limit::{
    Demand, End, HeldLease, Lease, Limit, LimitSignals, QuotaGroup, Reserved, Sent, Window,
};
use chorus_core::port::limit_state::LimiterError;
use chorus_core::time::{Millis, Timestamp};
use serde_json::{Value, json};

use super::mirror::{Mirror, Mirrors};
use super::words;
use crate::ledger::{Ledger, Start};

/// How long the leases that were restored are good for.
const LEASES_LAST: Millis = Millis(5_000);
/// Leases of which the server must be told something; beyond these the caller has to keep its own word.
const MOST_WORDS: usize = 10_000;

/// A process without the server.
pub(super) struct Alone {
    ledger: Ledger,
    share: u64,
    begun_with: Mirrors,
    restored_at: Option<Timestamp>,
    divided: BTreeMap<GroupId, (Arc<QuotaGroup>, Arc<QuotaGroup>)>,
    told: BTreeMap<LeaseId, Told>,
    /// Lease of the last signals about each group.
    seen: BTreeMap<GroupId, LeaseId>,
}

/// What the server must be told of a lease.
#[derive(Debug, Clone, Default)]
struct Told {
    lease: Option<Lease>,
    sent: Option<(Holder, Timestamp)>,
    signals: Option<LimitSignals>,
    end: Option<End>,
}

impl Alone {
    /// A process that must do with what it saw; `members` share every limit.
    pub(super) fn new(members: u32, mirrors: &Mirrors, now: Timestamp) -> Self {
        let mut alone = Self {
            ledger: Ledger::new(Start::Empty),
            share: u64::from(members.max(1)),
            begun_with: mirrors.clone(),
            restored_at: None,
            divided: BTreeMap::new(),
            told: BTreeMap::new(),
            seen: BTreeMap::new(),
        };
        for (
            _,
            Mirror {
                group,
                rooms,
                closed_until,
                ..
            },
        ) in mirrors.iter()
        {
            let share = i64::try_from(alone.share).unwrap_or(i64::MAX);
            let rooms: Vec<i64> = rooms.iter().map(|room| room.div_euclid(share)).collect();
            let group = alone.divided(group);
            alone.ledger.set_rooms(&group, &rooms, *closed_until, now);
        }
        alone
    }

    /// Reserves within the share. A call that is larger than the share waits for the server.
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
                self.told.entry(lease.id).or_default().lease = Some(lease.clone());
                Reserved::Granted(lease)
            }
            Reserved::Never(_) => Reserved::Wait { at: None },
            wait @ Reserved::Wait { .. } => wait,
        })
    }

    /// A lease that this process does not know was granted elsewhere: the claim in the database says that it is
    /// the caller's, and its own words say until when it may be sent.
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
            };
            self.ledger.restore(vec![held], now);
        }
        let sent = self.ledger.send(lease.id, holder, deadline, now);
        if sent == Sent::Sent {
            let told = self.told.entry(lease.id).or_default();
            (told.lease, told.sent) = (Some(lease.clone()), Some((holder.clone(), deadline)));
        }
        sent
    }

    /// The lease is over; the server is told later.
    pub(super) fn end(
        &mut self,
        lease: LeaseId,
        end: End,
        now: Timestamp,
    ) -> Result<(), LimiterError> {
        if self.told.len() >= MOST_WORDS && !self.told.contains_key(&lease) {
            return Err(LimiterError::unavailable(
                "too many leases have ended while it was away",
            ));
        }
        self.ledger.end(lease, &end, now);
        let told = self.told.entry(lease).or_default();
        if end != End::Unused || told.sent.is_none() {
            told.end = Some(end);
        }
        Ok(())
    }

    /// Headers speak of the whole limit: the share is taken of them. The server is told the last
    /// signals of each group; those of a lease that this process does not know are dropped.
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
        self.told.entry(lease).or_default().signals = Some(signals);
    }

    /// These are the leases that hold something.
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

    /// What the server must be told of leases.
    pub(super) fn leases(&self) -> Value {
        let latest: BTreeSet<LeaseId> = self.seen.values().copied().collect();
        let one = |(id, told): (&LeaseId, &Told)| {
            let end = told.end.as_ref().map(words::end);
            let signals = told.signals.as_ref().filter(|_| latest.contains(id));
            let signals = signals.map(words::signals);
            let Some(lease) = &told.lease else {
                return json!({
                    "lease": id, "charges": null, "sent_until": null, "signals": signals, "word": end,
                });
            };
            let groups = lease
                .charges
                .iter()
                .filter_map(|charge| self.divided.get(&charge.group))
                .map(|(whole, _)| Arc::clone(whole));
            let sent_until = told.sent.as_ref().map(|(_, until)| *until);
            let mut held = words::held(&HeldLease {
                lease: lease.clone(),
                groups: groups.collect(),
                sent_until,
            });
            held["holder"] = json!(told.sent.as_ref().map(|(holder, _)| holder));
            held["signals"] = json!(signals);
            held["word"] = json!(end);
            held
        };
        self.told.iter().map(one).collect()
    }

    /// What must be believed to be left of each group, as far as this process knows.
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
                    // What a period had, less what was used here.
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
