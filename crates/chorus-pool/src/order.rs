//! Which call goes first: priority, then fairness between tenants, then the rule of the critical path.
//!
//! The rule: of the ready calls take the one with the longest path to its project's end if that path threatens
//! the makespan, else the oldest. One line for each set of credentials, and nobody passes a blocked head:
//! backfilling cost up to eleven points of utilisation in simulation. Calls that go on after being cut by
//! `max_tokens` stand before their peers.

mod rates;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chorus_core::id::{LeaseId, Tenant};
use chorus_core::time::{Millis, Timestamp};

pub use rates::{Rates, Work};

/// What decides a call's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The lease that it will run under: its name here.
    pub lease: LeaseId,
    /// Whose it is.
    pub tenant: Tenant,
    /// Higher goes first.
    pub priority: u8,
    /// Predicted time from here to the project's end.
    pub path: Millis,
    /// When it was queued for the first time.
    pub since: Timestamp,
    /// It goes on from an earlier delivery.
    pub ahead: bool,
}

/// The calls that wait for one set of credentials.
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
    /// A call joins; `work` is what it will likely take.
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

    /// A call leaves.
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

    /// The call that is admitted next, given the time that the pool needs for what is left in this line.
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

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.tiers.is_empty()
    }

    /// What all that wait will likely take.
    pub const fn work(&self) -> Work {
        self.work
    }
}

/// A path threatens the makespan when it is at least 0.3 of the time that the pool needs, less ten seconds.
fn threatens(path: Millis, drain: Millis) -> bool {
    u128::from(path.0) * 10 + 100_000 >= u128::from(drain.0) * 3
}

/// The virtual token counter: who has been served least goes first.
#[derive(Debug, Clone, Default)]
pub struct Fairness {
    counters: BTreeMap<Tenant, u64>,
}

impl Fairness {
    /// What a tenant has used, in weighted tokens.
    pub fn used(&self, tenant: &Tenant) -> u64 {
        self.counters.get(tenant).copied().unwrap_or(0)
    }

    /// A tenant that was away comes back: it is not owed for the time it did not wait.
    pub fn joins<'a>(&mut self, tenant: &Tenant, waiting: impl Iterator<Item = &'a Tenant>) {
        let least = waiting.map(|other| self.used(other)).min().unwrap_or(0);
        let counter = self.counters.entry(tenant.clone()).or_insert(0);
        *counter = (*counter).max(least);
    }

    /// A tenant is served; a produced token weighs five read ones.
    pub fn serve(&mut self, tenant: &Tenant, input: u64, output: u64) {
        *self.counters.entry(tenant.clone()).or_insert(0) += input + 5 * output;
    }
}

#[cfg(test)]
mod tests;
