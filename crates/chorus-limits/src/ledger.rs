//! The ledger of limits and leases: pure arithmetic, with `now` as an argument.
//!
//! A call is reserved on all limits of all groups of one credential at once, sent, and ended with its
//! real usage. A reserved lease that is not sent in time gives everything back; a sent one that is not
//! ended frees its slots and keeps its charges. Signals of replies correct the meters of the lease's
//! groups, by the reactions of [`chorus_core::failure`]. Deliberately absent: queues, order, retries.

mod addressed;
mod booking;
mod ending;
mod group;
mod learned;
mod lease;
mod level;
mod meter;
mod past;
mod past_level;
mod ramp;
mod restoring;
mod room;
mod tally;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use chorus_core::id::{GroupId, Holder, LeaseId};
use chorus_core::limit::{
    Candidate, Charge, Demand, Dimension, Lease, Limit, LimitSignals, QuotaGroup, Reserved, Sent,
};
use chorus_core::port::limit_state::BOOKING_LASTS;
use chorus_core::time::{Millis, Timestamp};

#[cfg(feature = "redis")]
pub(crate) use past::{PastGroup, levels_after};
#[cfg(feature = "redis")]
pub(crate) use past_level::PastLevel;

use group::{Call, Fit, Group, SentCall};
use lease::{Entry, Life, Part};
use meter::Meter;
use room::{Room, best, never, soonest};
use tally::Tally;

/// Time for which an ended lease is remembered, so that a repeated end changes nothing.
const REMEMBERED: Millis = Millis::from_secs(3600);

/// Levels of rates when a group is seen for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// Full: no call was made before.
    #[default]
    Full,
    /// Empty at the start of the ledger: the state was lost, and earlier usage is not known.
    Empty,
}

/// Meters of all groups, and all leases that are remembered; [`Memory`](crate::Memory) locks one.
#[derive(Debug, Clone)]
pub struct Ledger {
    start: Start,
    began: Option<Timestamp>,
    groups: BTreeMap<GroupId, Group>,
    leases: BTreeMap<LeaseId, Entry>,
    due: BTreeSet<(Timestamp, LeaseId)>,
    freed: BTreeSet<GroupId>,
    /// Groups that each waiting call has booked, until it is granted or withdrawn.
    booked: BTreeMap<LeaseId, Vec<GroupId>>,
    /// End of each booking, renewed ones included, in order.
    booked_until: VecDeque<(Timestamp, LeaseId)>,
}

impl Ledger {
    /// Creates a ledger without groups and leases.
    pub const fn new(start: Start) -> Self {
        Self {
            start,
            began: None,
            groups: BTreeMap::new(),
            leases: BTreeMap::new(),
            due: BTreeSet::new(),
            freed: BTreeSet::new(),
            booked: BTreeMap::new(),
            booked_until: VecDeque::new(),
        }
    }

    /// Reserves the demand's amounts on the lowest-ranked candidate with room, among equals the one
    /// with most headroom, or returns the time at which the first one has room.
    pub fn reserve(&mut self, demand: &Demand, now: Timestamp) -> Reserved {
        self.expire(now);
        match self
            .leases
            .get(&demand.lease)
            .map(|entry| (&entry.life, &entry.lease))
        {
            None => {}
            Some((Life::Over { sent: false, .. }, _)) => self.forget(demand.lease),
            Some((Life::Over { .. } | Life::Expired { .. }, _)) => {
                return Reserved::Never(format!("{} is over", demand.lease));
            }
            Some((Life::Reserved | Life::Sent { .. } | Life::Aborted { .. }, lease)) => {
                return Reserved::Granted(lease.clone());
            }
        }
        for group in demand
            .candidates
            .iter()
            .flat_map(|candidate| &candidate.groups)
        {
            self.configure(group, now);
        }
        let fits: Vec<Room> = demand
            .candidates
            .iter()
            .map(|candidate| self.fit(demand, candidate, now))
            .collect();
        match best(&demand.candidates, &fits) {
            Some(candidate) => {
                self.withdraw(demand.lease);
                Reserved::Granted(self.grant(demand, candidate, now))
            }
            None => self.refuse(demand, &fits, now),
        }
    }

    /// Marks a lease as [`Sent`]. Only the first holder may send; amounts that providers charge at the
    /// start of a call are charged now.
    pub fn send(
        &mut self,
        lease: LeaseId,
        holder: &Holder,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Sent {
        self.expire(now);
        let Some(entry) = self.leases.get_mut(&lease) else {
            return Sent::Gone;
        };
        match &mut entry.life {
            Life::Sent {
                holder: Some(first),
                ..
            } if first == holder => return Sent::Sent,
            Life::Sent {
                holder: unknown @ None,
                ..
            } => {
                *unknown = Some(holder.clone());
                return Sent::Sent;
            }
            Life::Reserved if deadline > now => {}
            Life::Reserved
            | Life::Sent { .. }
            | Life::Aborted { .. }
            | Life::Expired { .. }
            | Life::Over { .. } => return Sent::Gone,
        }
        self.now_sent(lease, Some(holder.clone()), deadline, now);
        Sent::Sent
    }

    /// Corrects every group that a live or expired lease draws on by the signals of its reply. A
    /// lease that is unknown or has ended changes nothing.
    pub fn observe(&mut self, lease: LeaseId, signals: &LimitSignals, now: Timestamp) {
        self.expire(now);
        let ids = self.groups_of(lease);
        let addressed = self.addressed(&ids, signals, now);
        let Some(entry) = self.leases.get(&lease) else {
            return;
        };
        for (id, addressed) in ids.into_iter().zip(addressed) {
            if let Some(group) = self.groups.get_mut(&id) {
                let call = SentCall::of(entry, &id, group);
                group.observe(signals, &addressed, &call, now);
                self.freed.insert(id);
            }
        }
    }

    /// Returns the groups that a lease draws on, until it ends.
    pub(crate) fn groups_of(&self, lease: LeaseId) -> Vec<GroupId> {
        match self.leases.get(&lease) {
            None => Vec::new(),
            Some(Entry {
                life: Life::Over { .. },
                ..
            }) => Vec::new(),
            Some(entry) => entry.groups.clone(),
        }
    }

    /// Expires leases until `now`: unsent ones give everything back, sent ones free their slots.
    pub fn expire(&mut self, now: Timestamp) {
        self.began.get_or_insert(now);
        self.expire_bookings(now);
        while let Some((at, lease)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            match self.leases.get(&lease).map(|entry| entry.life.clone()) {
                Some(Life::Reserved) => self.give_back(lease, at),
                Some(Life::Sent { .. } | Life::Aborted { .. }) => self.lapse(lease, at),
                Some(Life::Expired { .. } | Life::Over { .. }) | None => self.forget(lease),
            }
        }
    }

    /// Forgets bookings that were not renewed in time.
    fn expire_bookings(&mut self, now: Timestamp) {
        while let Some((_, lease)) = self.booked_until.pop_front_if(|(until, _)| *until <= now) {
            let Some(ids) = self.booked.get(&lease) else {
                continue;
            };
            let mut groups = ids.iter().filter_map(|id| self.groups.get(id));
            if !groups.any(|group| group.bookings.is_in_force(lease, now)) {
                self.withdraw(lease);
            }
        }
    }

    /// Returns the groups that were freed or corrected since the last call of this method.
    pub fn take_freed(&mut self) -> BTreeSet<GroupId> {
        std::mem::take(&mut self.freed)
    }

    /// Opens a group that a quota or a spend limit had closed, after an operator put it right.
    pub fn open(&mut self, group: &GroupId) {
        if let Some(closed) = self.groups.get_mut(group) {
            closed.open();
            self.freed.insert(group.clone());
        }
    }

    /// Returns a group that was not seen before.
    fn fresh(&self, config: &Arc<QuotaGroup>, now: Timestamp) -> Group {
        let (tally, since): (fn(&Limit, Timestamp) -> Tally, Timestamp) = match self.start {
            Start::Full => (Tally::full, now),
            Start::Empty => (Tally::empty, self.began.unwrap_or(now)),
        };
        Group::new(Arc::clone(config), since, tally)
    }

    fn configure(&mut self, config: &Arc<QuotaGroup>, now: Timestamp) {
        let changed = match self.groups.get_mut(&config.id) {
            Some(group) => group.configure(config, now),
            None => {
                let fresh = self.fresh(config, now);
                self.groups.insert(config.id.clone(), fresh).is_none()
            }
        };
        if changed {
            self.hold_again(&config.id, now);
        }
    }

    /// Counts again what live leases hold of a group with new limits, or that was unknown when
    /// its leases were restored.
    fn hold_again(&mut self, id: &GroupId, now: Timestamp) {
        let Some(group) = self.groups.get_mut(id) else {
            return;
        };
        group.meters.iter_mut().for_each(Meter::forget_calls);
        (group.in_flight, group.sent) = (0, 0);
        group.of_ended_process.clear();
        let mut sent = Vec::new();
        for entry in self
            .leases
            .values_mut()
            .filter(|entry| entry.is_live() && entry.groups.contains(id))
        {
            group.in_flight += 1;
            if entry.life != Life::Reserved {
                group.sent += 1;
                sent.push(entry.lease.id);
            }
            if entry.process_ended {
                group.of_ended_process.insert(entry.lease.id, entry.due());
            }
            for part in entry.parts.iter_mut().filter(|part| part.group == *id) {
                part.mark = None;
                if part.charged.is_some() {
                    continue;
                }
                if let Some(meter) = group.meter(part.dimension, part.nth) {
                    meter.hold(part.set_aside);
                }
            }
        }
        for lease in sent {
            self.charge_sent(lease, now);
        }
    }

    fn fit(&mut self, demand: &Demand, candidate: &Candidate, now: Timestamp) -> Room {
        let call = Call::new(demand, candidate);
        let mut whole = Room {
            fit: Fit::Now { headroom: i64::MAX },
            group: 0,
        };
        for (place, config) in candidate.groups.iter().enumerate() {
            let Some(group) = self.groups.get_mut(&config.id) else {
                continue;
            };
            let fit = group.fit(&call, now);
            whole = whole.and(Room { fit, group: place });
        }
        whole
    }

    fn grant(&mut self, demand: &Demand, candidate: &Candidate, now: Timestamp) -> Lease {
        let mut charges = Vec::new();
        for config in &candidate.groups {
            let Some(group) = self.groups.get(&config.id) else {
                continue;
            };
            charges.extend(group.meters.iter().map(|meter| Charge {
                group: config.id.clone(),
                dimension: meter.limit.dimension,
                amount: meter.need(&candidate.estimate).unsigned_abs(),
            }));
        }
        let lease = Lease {
            id: demand.lease,
            credential: candidate.credential,
            charges,
            granted_at: now,
            not_after: demand.not_after,
        };
        self.insert(lease.clone());
        lease
    }

    /// Adds a reserved lease and holds its amounts.
    fn insert(&mut self, lease: Lease) {
        let mut seen: BTreeMap<(&GroupId, Dimension), usize> = BTreeMap::new();
        let mut parts = Vec::with_capacity(lease.charges.len());
        for charge in &lease.charges {
            let next = seen.entry((&charge.group, charge.dimension)).or_insert(0);
            let set_aside = tally::units(charge.amount);
            parts.push(Part {
                group: charge.group.clone(),
                dimension: charge.dimension,
                nth: *next,
                set_aside,
                charged: None,
                mark: None,
            });
            *next += 1;
        }
        let groups: Vec<GroupId> = lease
            .charges
            .iter()
            .map(|charge| charge.group.clone())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        for part in &parts {
            if let Some(meter) = self
                .groups
                .get_mut(&part.group)
                .and_then(|group| group.meter(part.dimension, part.nth))
            {
                meter.hold(part.set_aside);
            }
        }
        for group in &groups {
            if let Some(group) = self.groups.get_mut(group) {
                group.in_flight += 1;
            }
        }
        let entry = Entry {
            lease,
            parts,
            groups,
            life: Life::Reserved,
            sent_at: None,
            process_ended: false,
        };
        self.due.insert((entry.due(), entry.lease.id));
        self.leases.insert(entry.lease.id, entry);
    }

    fn refuse(&mut self, demand: &Demand, fits: &[Room], now: Timestamp) -> Reserved {
        if let Some(why) = never(fits) {
            self.withdraw(demand.lease);
            return Reserved::Never(why);
        }
        let (at, obstacle, candidate) = soonest(&demand.candidates, fits);
        match candidate.filter(|_| demand.books) {
            Some(candidate) => self.book(demand, candidate, at, now),
            None => self.withdraw(demand.lease),
        }
        Reserved::Wait { at, obstacle }
    }

    /// Books the amounts of a waiting call on the groups of one candidate, and nowhere else.
    fn book(
        &mut self,
        demand: &Demand,
        candidate: &Candidate,
        at: Option<Timestamp>,
        now: Timestamp,
    ) {
        let ids: Vec<GroupId> = candidate
            .groups
            .iter()
            .map(|group| group.id.clone())
            .collect();
        let known = self.booked.remove(&demand.lease).unwrap_or_default();
        self.unbook(
            demand.lease,
            known.into_iter().filter(|id| !ids.contains(id)),
        );
        let call = Call::new(demand, candidate);
        for id in &ids {
            if let Some(group) = self.groups.get_mut(id) {
                let booking = group.booking(&call, at, now);
                group.bookings.put(booking);
            }
        }
        self.booked_until
            .push_back((now + BOOKING_LASTS, demand.lease));
        self.booked.insert(demand.lease, ids);
    }

    /// Removes the booking of a call that is granted or waits no longer.
    pub fn withdraw(&mut self, lease: LeaseId) {
        let known = self.booked.remove(&lease).unwrap_or_default();
        self.unbook(lease, known.into_iter());
    }

    fn unbook(&mut self, lease: LeaseId, ids: impl Iterator<Item = GroupId>) {
        for id in ids {
            if self
                .groups
                .get_mut(&id)
                .is_some_and(|group| group.bookings.remove(lease))
            {
                self.freed.insert(id);
            }
        }
    }

    /// Marks a reserved lease as sent, and charges what providers charge when a call starts.
    fn now_sent(
        &mut self,
        lease: LeaseId,
        holder: Option<Holder>,
        until: Timestamp,
        now: Timestamp,
    ) {
        self.live_on(lease, Life::Sent { holder, until });
        if let Some(entry) = self.leases.get_mut(&lease) {
            entry.sent_at = Some(now);
            for id in &entry.groups {
                if let Some(group) = self.groups.get_mut(id) {
                    group.sent += 1;
                }
            }
        }
        self.charge_sent(lease, now);
    }

    fn live_on(&mut self, lease: LeaseId, life: Life) {
        if let Some(entry) = self.leases.get_mut(&lease) {
            self.due.remove(&(entry.due(), lease));
            entry.life = life;
            self.due.insert((entry.due(), lease));
        }
    }

    fn forget(&mut self, lease: LeaseId) {
        if let Some(entry) = self.leases.remove(&lease) {
            self.due.remove(&(entry.due(), lease));
        }
    }
}

#[cfg(test)]
mod tests;
