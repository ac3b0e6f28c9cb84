//! Order of waiting calls: priority, then fairness between tenants, then the rule of the critical path.
//!
//! The rule takes the call with the longest path to the end of its project if that path threatens the makespan, and
//! the oldest call otherwise. Each set of credentials has one [`Line`], and no call passes a blocked head:
//! backfilling cost up to eleven points of utilisation in simulation. Calls that continue an answer cut by
//! `max_tokens` go before their peers.

mod rates;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chorus_core::id::{LeaseId, Tenant};
use chorus_core::time::{Millis, Timestamp};

pub use rates::{Rates, Work};

/// Properties that decide the position of a call in its [`Line`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Lease that the call will run under; identifies it here.
    pub lease: LeaseId,
    /// Tenant that owns the call.
    pub tenant: Tenant,
    /// Priority; a higher one goes first.
    pub priority: u8,
    /// Predicted time from the start of the call to the end of its project.
    pub path: Millis,
    /// Time at which the attempt was queued first.
    pub since: Timestamp,
    /// True if the call continues a cut answer.
    pub ahead: bool,
}

/// Calls that wait for one set of credentials.
#[derive(Debug, Clone, Default)]
pub struct Line {
    tiers: BTreeMap<Reverse<u8>, BTreeMap<Tenant, Waiting>>,
    work: Work,
}

#[derive(Debug, Clone, Default)]
struct Waiting {
    ahead: BTreeSet<(Timestamp, LeaseId)>,
    by_age: BTreeSet<(Timestamp, LeaseId)>,
    by_path: BTreeSet<(Reverse<Millis>, Timestamp, LeaseId)>,
}

impl Line {
    /// Adds a call with its estimated work.
    pub fn push(&mut self, place: &Place, work: Work) {
        let waiting = self
            .tiers
            .entry(Reverse(place.priority))
            .or_default()
            .entry(place.tenant.clone())
            .or_default();
        if place.ahead {
            waiting.ahead.insert((place.since, place.lease));
        } else {
            waiting.by_age.insert((place.since, place.lease));
            waiting
                .by_path
                .insert((Reverse(place.path), place.since, place.lease));
        }
        self.work = self.work + work;
    }

    /// Removes a call with the work that it was added with.
    pub fn remove(&mut self, place: &Place, work: Work) {
        let Some(tier) = self.tiers.get_mut(&Reverse(place.priority)) else {
            return;
        };
        let Some(waiting) = tier.get_mut(&place.tenant) else {
            return;
        };
        waiting.ahead.remove(&(place.since, place.lease));
        waiting.by_age.remove(&(place.since, place.lease));
        waiting
            .by_path
            .remove(&(Reverse(place.path), place.since, place.lease));
        if waiting.ahead.is_empty() && waiting.by_age.is_empty() {
            tier.remove(&place.tenant);
        }
        if tier.is_empty() {
            self.tiers.remove(&Reverse(place.priority));
        }
        self.work = self.work - work;
    }

    /// Returns the call to be admitted next; `rates` tell how long the work left in the line takes.
    pub fn head(&self, fairness: &Fairness, rates: &Rates) -> Option<LeaseId> {
        let (_, tenants) = self.tiers.first_key_value()?;
        let (_, waiting) = tenants
            .iter()
            .min_by_key(|(tenant, _)| fairness.used(tenant))?;
        if let Some((_, lease)) = waiting.ahead.first() {
            return Some(*lease);
        }
        let (_, oldest) = waiting.by_age.first()?;
        let (Reverse(path), _, longest) = waiting.by_path.first()?;
        Some(if threatens(*path, rates.drain(&self.work)) {
            *longest
        } else {
            *oldest
        })
    }

    /// Returns true if no call waits.
    pub fn is_empty(&self) -> bool {
        self.tiers.is_empty()
    }

    /// Sum of the estimated [`Work`] of all waiting calls.
    pub const fn work(&self) -> Work {
        self.work
    }
}

/// Returns true if a path threatens the makespan: it is at least 0.3 of the time the pool needs, less ten seconds.
fn threatens(path: Millis, drain: Millis) -> bool {
    u128::from(path.0) * 10 + 100_000 >= u128::from(drain.0) * 3
}

/// Virtual token counter: the tenant that has been served least goes first.
#[derive(Debug, Clone, Default)]
pub struct Fairness {
    counters: BTreeMap<Tenant, u64>,
}

impl Fairness {
    /// Weighted tokens that a tenant has used.
    pub fn used(&self, tenant: &Tenant) -> u64 {
        self.counters.get(tenant).copied().unwrap_or(0)
    }

    /// Lifts the counter of a tenant without waiting calls to the lowest of the others, so that absence earns nothing.
    pub fn joins<'a>(&mut self, tenant: &Tenant, waiting: impl Iterator<Item = &'a Tenant>) {
        let least = waiting.map(|other| self.used(other)).min().unwrap_or(0);
        let counter = self.counters.entry(tenant.clone()).or_insert(0);
        *counter = (*counter).max(least);
    }

    /// Adds the tokens of an admitted call; a produced token weighs as much as five read ones.
    pub fn serve(&mut self, tenant: &Tenant, input: u64, output: u64) {
        *self.counters.entry(tenant.clone()).or_insert(0) += input + 5 * output;
    }
}

#[cfg(test)]
mod tests;
