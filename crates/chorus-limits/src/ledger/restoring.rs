//! Restoration of lost state: leases, and levels that another process has seen.

use std::collections::BTreeSet;
use std::sync::Arc;

use chorus_core::id::{GroupId, LeaseId};
use chorus_core::limit::{GroupClosure, HeldLease, PastCall, QuotaGroup};
use chorus_core::time::Timestamp;

use super::lease::Life;
use super::past::{self, PastGroup};
use super::{Ledger, Start};

impl Ledger {
    /// Returns a ledger with the levels that past calls left. A group without a past call is full.
    pub fn after(past: &[PastCall], now: Timestamp) -> Self {
        let mut ledger = Self::new(Start::Full);
        ledger.expire(now);
        for PastGroup { group, levels } in past::levels_after(past, now) {
            ledger.configure(&group, now);
            let Some(group) = ledger.groups.named(&group.id) else {
                continue;
            };
            for (meter, level) in group.meters.iter_mut().zip(&levels) {
                meter.set_past(now, level);
            }
        }
        ledger
    }

    /// Restores leases after the state was lost; known ones stay as they are.
    pub fn restore(&mut self, leases: Vec<HeldLease>, now: Timestamp) {
        self.expire(now);
        for held in leases {
            if !self.knows(held.lease.id) {
                self.put_back(held, now);
            }
        }
        self.expire(now);
    }

    /// Makes these the only leases that hold an amount. The end of the others is not known: their slots
    /// are freed, and their reservations count as used.
    pub fn replace(&mut self, leases: Vec<HeldLease>, now: Timestamp) {
        self.expire(now);
        let named: BTreeSet<LeaseId> = leases.iter().map(|held| held.lease.id).collect();
        let live = self
            .leases
            .iter()
            .filter(|(id, entry)| entry.is_live() && !named.contains(id))
            .map(|(id, _)| *id);
        let mut live: Vec<_> = live.collect();
        live.sort_unstable();
        for lease in live {
            self.lapse(lease, now);
        }
        for held in leases {
            if self.ended.contains_key(&held.lease.id) {
                continue;
            }
            match (
                self.leases.get(&held.lease.id).map(|entry| &entry.life),
                held.sent_until,
            ) {
                (None, _) => self.put_back(held, now),
                (Some(Life::Reserved), Some(until)) => {
                    self.now_sent(held.lease.id, None, until, now);
                }
                (Some(_), _) => {}
            }
        }
        self.expire(now);
    }

    /// Returns true if the lease is remembered, live or not.
    pub fn knows(&self, lease: LeaseId) -> bool {
        self.leases.contains_key(&lease) || self.ended.contains_key(&lease)
    }

    /// Returns the amount left of each limit of a group.
    pub fn rooms(&mut self, group: &GroupId, now: Timestamp) -> Option<Vec<i64>> {
        let group = self.groups.named(group)?;
        Some(
            group
                .meters
                .iter_mut()
                .map(|meter| meter.room(now))
                .collect(),
        )
    }

    /// Sets the amount left of each limit of a group to what another process has seen.
    pub fn set_rooms(
        &mut self,
        config: &Arc<QuotaGroup>,
        rooms: &[i64],
        closed: Option<GroupClosure>,
        now: Timestamp,
    ) {
        self.expire(now);
        self.configure(config, now);
        let Some(group) = self.groups.named(&config.id) else {
            return;
        };
        for (meter, room) in group.meters.iter_mut().zip(rooms) {
            meter.set_room(now, *room);
        }
        group.closed = closed.or(group.closed);
    }

    fn put_back(&mut self, held: HeldLease, now: Timestamp) {
        for group in &held.groups {
            self.configure(group, now);
        }
        let id = held.lease.id;
        self.insert(held.lease);
        if let Some(until) = held.sent_until {
            self.now_sent(id, None, until, now);
            if held.process_ended {
                self.process_ended(id, until);
            }
        }
    }

    /// Notes that the process of a sent lease has ended, for [`Obstacle`](chorus_core::limit::Obstacle).
    pub(super) fn process_ended(&mut self, lease: LeaseId, until: Timestamp) {
        let Some(entry) = self.leases.get_mut(&lease) else {
            return;
        };
        entry.process_ended = true;
        for key in &entry.groups {
            if let Some(group) = self.groups.get_mut(*key) {
                group.of_ended_process.insert(lease, until);
            }
        }
    }
}
