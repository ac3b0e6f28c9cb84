//! The ledger of limits and leases: pure arithmetic, with `now` as an argument.
//!
//! A call is reserved on all limits of all groups of one credential at once, sent, and ended with its
//! real usage. A reserved lease that is not sent in time gives everything back; a sent one that is not
//! ended frees its slots and keeps its charges. Signals of replies correct the meters of the lease's
//! groups, by the reactions of [`chorus_core::failure`]. Deliberately absent: queues, order, retries.

mod addressed;
mod booking;
mod configured;
mod ending;
mod fit;
mod group;
mod group_key;
mod groups;
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

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use chorus_core::id::{GroupId, Holder, LeaseId};
use chorus_core::limit::{
    Candidate, Charge, Demand, Lease, Limit, LimitSignals, QuotaGroup, Reserved, Sent,
};
use chorus_core::port::limit_state::BOOKING_LASTS;
use chorus_core::time::{Millis, Timestamp};

#[cfg(feature = "redis")]
pub(crate) use past::{PastGroup, levels_after};
#[cfg(feature = "redis")]
pub(crate) use past_level::PastLevel;

use fit::Fit;
use group::{Call, Group, SentCall};
use group_key::GroupKey;
use groups::{FastMap, Groups};
use lease::{Ended, Entry, Life, Part};
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
    groups: Groups,
    /// Leases that hold something or may still be corrected.
    leases: FastMap<LeaseId, Box<Entry>>,
    /// Leases that ended, so that a repeated end changes nothing.
    ended: FastMap<LeaseId, Ended>,
    /// Times at which leases change by themselves, outdated ones included.
    due: DueHeap,
    /// Times at which ended leases are forgotten.
    forgotten_at: DueHeap,
    /// Groups that each waiting call has booked, until it is granted or withdrawn.
    booked: FastMap<LeaseId, Vec<GroupKey>>,
    /// End of each booking, renewed ones included, in order.
    booked_until: VecDeque<(Timestamp, LeaseId)>,
}

impl Ledger {
    /// Creates a ledger without groups and leases.
    pub fn new(start: Start) -> Self {
        Self {
            start,
            began: None,
            groups: Groups::default(),
            leases: FastMap::default(),
            ended: FastMap::default(),
            due: BinaryHeap::new(),
            forgotten_at: BinaryHeap::new(),
            booked: FastMap::default(),
            booked_until: VecDeque::new(),
        }
    }

    /// Reserves the demand's amounts on the lowest-ranked candidate with room, among equals the one
    /// with most headroom, or returns the time at which the first one has room.
    pub fn reserve(&mut self, demand: &Demand, now: Timestamp) -> Reserved {
        self.expire(now);
        match self.ended.get(&demand.lease) {
            None => {}
            Some(Ended { sent: false, .. }) => drop(self.ended.remove(&demand.lease)),
            Some(Ended { sent: true, .. }) => return over(demand.lease),
        }
        match self.leases.get(&demand.lease) {
            None => {}
            Some(entry) if entry.is_live() => return Reserved::Granted(entry.lease.clone()),
            Some(_) => return over(demand.lease),
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
            Life::Reserved | Life::Sent { .. } | Life::Aborted { .. } | Life::Expired { .. } => {
                return Sent::Gone;
            }
        }
        self.now_sent(lease, Some(holder.clone()), deadline, now);
        Sent::Sent
    }

    /// Corrects every group that a live or expired lease draws on by the signals of its reply. A
    /// lease that is unknown or has ended changes nothing.
    pub fn observe(&mut self, lease: LeaseId, signals: &LimitSignals, now: Timestamp) {
        self.expire(now);
        let keys = self.keys_of(lease);
        let addressed = self.addressed(&keys, signals, now);
        let Some(entry) = self.leases.get(&lease) else {
            return;
        };
        for (key, addressed) in keys.into_iter().zip(addressed) {
            if let Some(group) = self.groups.get_mut(key) {
                let call = SentCall::of(entry, key, group);
                group.observe(signals, &addressed, &call, now);
                self.groups.freed(key);
            }
        }
    }

    /// Returns the groups that a lease draws on, until it ends.
    #[cfg(feature = "redis")]
    pub(crate) fn groups_of(&self, lease: LeaseId) -> Vec<GroupId> {
        let keys = self.keys_of(lease).into_iter();
        keys.map(|key| self.groups.id(key).clone()).collect()
    }

    /// Returns the keys of the groups that a lease draws on, until it ends.
    fn keys_of(&self, lease: LeaseId) -> Vec<GroupKey> {
        let entry = self.leases.get(&lease);
        entry.map_or_else(Vec::new, |entry| entry.groups.clone())
    }

    /// Expires leases until `now`: unsent ones give everything back, sent ones free their slots.
    pub fn expire(&mut self, now: Timestamp) {
        self.began.get_or_insert(now);
        self.expire_bookings(now);
        while let Some((at, lease)) = pop_until(&mut self.due, now) {
            // A lease that changed meanwhile is due at another time.
            let entry = self.leases.get(&lease).filter(|entry| entry.due() == at);
            match entry.map(|entry| &entry.life) {
                Some(Life::Reserved) => self.give_back(lease, at),
                Some(Life::Sent { .. } | Life::Aborted { .. }) => self.lapse(lease, at),
                Some(Life::Expired { .. }) => drop(self.leases.remove(&lease)),
                None => {}
            }
        }
        while let Some((_, lease)) = pop_until(&mut self.forgotten_at, now) {
            if self
                .ended
                .get(&lease)
                .is_some_and(|ended| ended.until <= now)
            {
                self.ended.remove(&lease);
            }
        }
    }

    /// Forgets bookings that were not renewed in time.
    fn expire_bookings(&mut self, now: Timestamp) {
        while let Some((_, lease)) = self.booked_until.pop_front_if(|(until, _)| *until <= now) {
            let Some(ids) = self.booked.get(&lease) else {
                continue;
            };
            let mut groups = ids.iter().filter_map(|key| self.groups.get(*key));
            if !groups.any(|group| group.bookings.is_in_force(lease, now)) {
                self.withdraw(lease);
            }
        }
    }

    /// Returns the groups that were freed or corrected since the last call of this method.
    pub fn take_freed(&mut self) -> Vec<GroupId> {
        self.groups.take_freed()
    }

    /// Opens a group that a quota or a spend limit had closed, after an operator put it right.
    pub fn open(&mut self, group: &GroupId) {
        if let Some(key) = self.groups.find(group)
            && let Some(closed) = self.groups.get_mut(key)
        {
            closed.open();
            self.groups.freed(key);
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
        let named = self.groups.find(&config.id);
        let key = named.unwrap_or_else(|| self.groups.key(&config.id));
        let changed = match self.groups.get_mut(key) {
            Some(group) => group.configure(config, now),
            None => {
                let fresh = self.fresh(config, now);
                self.groups.insert(key, fresh);
                // No lease holds anything of a group that was never named.
                named.is_some()
            }
        };
        if changed {
            self.hold_again(key, now);
        }
    }

    /// Counts again what live leases hold of a group with new limits, or that was unknown when
    /// its leases were restored.
    fn hold_again(&mut self, key: GroupKey, now: Timestamp) {
        let Some(group) = self.groups.get_mut(key) else {
            return;
        };
        group.meters.iter_mut().for_each(Meter::forget_calls);
        (group.in_flight, group.sent) = (0, 0);
        group.of_ended_process.clear();
        let mut sent = Vec::new();
        for entry in self
            .leases
            .values_mut()
            .inspect(|_| groups::visit())
            .filter(|entry| entry.is_live() && entry.groups.contains(&key))
        {
            group.in_flight += 1;
            if entry.life != Life::Reserved {
                group.sent += 1;
                sent.push(entry.lease.id);
            }
            if entry.process_ended {
                group.of_ended_process.insert(entry.lease.id, entry.due());
            }
            for part in entry.parts.iter_mut().filter(|part| part.group == key) {
                part.mark = None;
                if part.charged.is_some() {
                    continue;
                }
                if let Some(meter) = group.meter(part.dimension, part.nth) {
                    meter.hold(part.set_aside);
                }
            }
        }
        sent.sort_unstable();
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
            let Some(group) = self.groups.named(&config.id) else {
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
            let Some(group) = self.groups.named(&config.id) else {
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
        let mut parts: Vec<Part> = Vec::with_capacity(lease.charges.len());
        let mut groups: Vec<GroupKey> = Vec::new();
        for charge in &lease.charges {
            let (group, dimension) = (self.groups.key(&charge.group), charge.dimension);
            let is_same = |part: &&Part| part.group == group && part.dimension == dimension;
            let nth = parts.iter().filter(is_same).count();
            let set_aside = tally::units(charge.amount);
            parts.push(Part {
                group,
                dimension,
                nth,
                set_aside,
                charged: None,
                mark: None,
            });
            let known = self.groups.get_mut(group);
            if let Some(meter) = known.and_then(|group| group.meter(dimension, nth)) {
                meter.hold(set_aside);
            }
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        groups.sort_unstable_by(|one, other| self.groups.id(*one).cmp(self.groups.id(*other)));
        for key in &groups {
            if let Some(group) = self.groups.get_mut(*key) {
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
        self.due.push(Reverse((entry.due(), entry.lease.id)));
        self.leases.insert(entry.lease.id, Box::new(entry));
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
        let ids: Vec<GroupKey> = candidate
            .groups
            .iter()
            .map(|group| self.groups.key(&group.id))
            .collect();
        let known = self.booked.remove(&demand.lease).unwrap_or_default();
        self.unbook(
            demand.lease,
            known.into_iter().filter(|id| !ids.contains(id)),
        );
        let call = Call::new(demand, candidate);
        for id in &ids {
            if let Some(group) = self.groups.get_mut(*id) {
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
        if let Some(known) = self.booked.remove(&lease) {
            self.unbook(lease, known.into_iter());
        }
    }

    fn unbook(&mut self, lease: LeaseId, ids: impl Iterator<Item = GroupKey>) {
        for id in ids {
            if self
                .groups
                .get_mut(id)
                .is_some_and(|group| group.bookings.remove(lease))
            {
                self.groups.freed(id);
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
            for key in &entry.groups {
                if let Some(group) = self.groups.get_mut(*key) {
                    group.sent += 1;
                }
            }
        }
        self.charge_sent(lease, now);
    }

    fn live_on(&mut self, lease: LeaseId, life: Life) {
        if let Some(entry) = self.leases.get_mut(&lease) {
            entry.life = life;
            self.due.push(Reverse((entry.due(), lease)));
        }
    }
}

/// Leases by the time at which something becomes of them, the first on top.
type DueHeap = BinaryHeap<Reverse<(Timestamp, LeaseId)>>;

/// Takes out the first lease that is due until `now`.
fn pop_until(heap: &mut DueHeap, now: Timestamp) -> Option<(Timestamp, LeaseId)> {
    heap.peek().filter(|one| one.0.0 <= now)?;
    heap.pop().map(|one| one.0)
}

/// Answer to a demand of a lease that ended.
fn over(lease: LeaseId) -> Reserved {
    Reserved::Never(format!("{lease} is over"))
}

#[cfg(test)]
mod tests;
