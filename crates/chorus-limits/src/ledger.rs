//! The ledger of limits and leases: pure arithmetic, with `now` as an argument.
//!
//! A call is reserved on all limits of all groups of one credential at once, sent, and ended with its
//! real usage. A reserved lease that is not sent in time gives everything back; a sent one that is not
//! ended frees its slots and keeps its charges. Signals of replies correct the meters of the lease's
//! groups, by the reactions of [`chorus_core::failure`]. Deliberately absent: queues, order, retries.

mod ending;
mod group;
mod lease;
mod level;
mod meter;
mod ramp;
mod restoring;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chorus_core::id::{GroupId, Holder, LeaseId};
use chorus_core::limit::{
    Candidate, Charge, Demand, Dimension, Lease, Limit, LimitSignals, QuotaGroup, Reserved, Sent,
};
use chorus_core::time::{Millis, Timestamp};

pub use level::Level;

use group::{Fit, Group};
use lease::{Entry, Life, Part};
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
        let fits: Vec<Fit> = demand
            .candidates
            .iter()
            .map(|candidate| self.fit(candidate, demand.interactive, now))
            .collect();
        match best(&demand.candidates, &fits) {
            Some(candidate) => {
                self.served(demand);
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
        self.live_on(
            lease,
            Life::Sent {
                holder: Some(holder.clone()),
                until: deadline,
            },
        );
        self.charge_sent(lease, now);
        Sent::Sent
    }

    /// Corrects every group that a live or expired lease draws on by the signals of its reply. A
    /// lease that is unknown or has ended changes nothing.
    pub fn observe(&mut self, lease: LeaseId, signals: &LimitSignals, now: Timestamp) {
        self.expire(now);
        for group in self.groups_of(lease) {
            self.observe_group(&group, signals, now);
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

    fn observe_group(&mut self, id: &GroupId, signals: &LimitSignals, now: Timestamp) {
        if let Some(group) = self.groups.get_mut(id) {
            group.observe(signals, now);
            self.freed.insert(id.clone());
        }
    }

    /// Expires leases until `now`: unsent ones give everything back, sent ones free their slots.
    pub fn expire(&mut self, now: Timestamp) {
        self.began.get_or_insert(now);
        while let Some((at, lease)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            match self.leases.get(&lease).map(|entry| entry.life.clone()) {
                Some(Life::Reserved) => self.give_back(lease, at),
                Some(Life::Sent { .. } | Life::Aborted { .. }) => self.lapse(lease, at),
                Some(Life::Expired { .. } | Life::Over { .. }) | None => self.forget(lease),
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

    fn configure(&mut self, config: &Arc<QuotaGroup>, now: Timestamp) {
        let (tally, since): (fn(&Limit, Timestamp) -> Tally, Timestamp) = match self.start {
            Start::Full => (Tally::full, now),
            Start::Empty => (Tally::empty, self.began.unwrap_or(now)),
        };
        let changed = match self.groups.get_mut(&config.id) {
            Some(group) => group.configure(config, now),
            None => self
                .groups
                .insert(
                    config.id.clone(),
                    Group::new(Arc::clone(config), since, tally),
                )
                .is_none(),
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
        group.meters.iter_mut().for_each(|meter| meter.held = 0);
        group.in_flight = 0;
        let mut sent = Vec::new();
        for entry in self
            .leases
            .values()
            .filter(|entry| entry.is_live() && entry.groups.contains(id))
        {
            group.in_flight += 1;
            sent.extend(Some(entry.lease.id).filter(|_| entry.life != Life::Reserved));
            for part in entry
                .parts
                .iter()
                .filter(|part| part.group == *id && part.charged.is_none())
            {
                if let Some(meter) = group.meter(part.dimension, part.nth) {
                    meter.hold(now, part.set_aside);
                }
            }
        }
        for lease in sent {
            self.charge_sent(lease, now);
        }
    }

    fn fit(&mut self, candidate: &Candidate, interactive: bool, now: Timestamp) -> Fit {
        let mut whole = Fit::Now { headroom: i64::MAX };
        for config in &candidate.groups {
            let Some(group) = self.groups.get_mut(&config.id) else {
                continue;
            };
            whole = both(whole, group.fit(candidate, interactive, now));
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
        self.insert(lease.clone(), now);
        lease
    }

    /// Adds a reserved lease and holds its amounts.
    fn insert(&mut self, lease: Lease, now: Timestamp) {
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
                meter.hold(now, part.set_aside);
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
        };
        self.due.insert((entry.due(), entry.lease.id));
        self.leases.insert(entry.lease.id, entry);
    }

    fn refuse(&mut self, demand: &Demand, fits: &[Fit], now: Timestamp) -> Reserved {
        if let Some(why) = never(fits) {
            return Reserved::Never(why);
        }
        if demand.interactive {
            for group in demand
                .candidates
                .iter()
                .flat_map(|candidate| &candidate.groups)
            {
                if let Some(group) = self.groups.get_mut(&group.id) {
                    group.wait(demand.lease, now);
                }
            }
        }
        let instants = fits.iter().filter_map(|fit| match fit {
            Fit::At(at) => Some(*at),
            Fit::Now { .. } | Fit::WhenFreed | Fit::Never(_) => None,
        });
        Reserved::Wait { at: instants.min() }
    }

    /// Removes the demand from the waiting interactive calls, for which tasks stand back.
    fn served(&mut self, demand: &Demand) {
        for group in demand
            .candidates
            .iter()
            .filter(|_| demand.interactive)
            .flat_map(|candidate| &candidate.groups)
        {
            if self
                .groups
                .get_mut(&group.id)
                .is_some_and(|group| group.served(demand.lease))
            {
                self.freed.insert(group.id.clone());
            }
        }
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

/// Returns the candidate of the lowest rank that fits now; among equals the one with most headroom,
/// then the first.
fn best<'a>(candidates: &'a [Candidate], fits: &[Fit]) -> Option<&'a Candidate> {
    let fitting = candidates
        .iter()
        .zip(fits)
        .filter_map(|(candidate, fit)| match fit {
            Fit::Now { headroom } => {
                Some((candidate.rank, std::cmp::Reverse(*headroom), candidate))
            }
            Fit::At(_) | Fit::WhenFreed | Fit::Never(_) => None,
        });
    fitting
        .min_by_key(|(rank, headroom, _)| (*rank, *headroom))
        .map(|(_, _, candidate)| candidate)
}

/// Returns the reason for which no candidate will ever fit, if none will.
fn never(fits: &[Fit]) -> Option<String> {
    let mut reason = "there is no credential for it".to_owned();
    for fit in fits {
        let Fit::Never(dimension) = fit else {
            return None;
        };
        reason = format!("the call is larger than the limit on {dimension:?} of every credential");
    }
    Some(reason)
}

fn both(one: Fit, other: Fit) -> Fit {
    match (one, other) {
        (Fit::Never(dimension), _) | (_, Fit::Never(dimension)) => Fit::Never(dimension),
        (Fit::WhenFreed, _) | (_, Fit::WhenFreed) => Fit::WhenFreed,
        (Fit::At(one), Fit::At(other)) => Fit::At(one.max(other)),
        (Fit::At(at), Fit::Now { .. }) | (Fit::Now { .. }, Fit::At(at)) => Fit::At(at),
        (Fit::Now { headroom: one }, Fit::Now { headroom: other }) => Fit::Now {
            headroom: one.min(other),
        },
    }
}

#[cfg(test)]
mod tests;
