//! Order of waiting calls: priority, which grows with age, then fairness between tenants and between the projects of
//! a tenant, then the rule of the critical path.
//!
//! The rule takes the call with the longest path to the end of its project if that path threatens the makespan, and
//! the oldest call otherwise. Each set of credentials has one [`Line`], and no call passes a blocked head:
//! backfilling cost up to eleven points of utilisation in simulation. Calls that continue an answer cut by
//! `max_tokens` go before their peers.

mod rates;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chorus_core::id::{LeaseId, ProjectId, Tenant};
use chorus_core::time::{Millis, Timestamp};

pub use rates::{Rates, Work};

/// Time of waiting that raises the priority of a call by one.
const AGES_IN: Millis = Millis::from_secs(10);

/// Tenant and project that a call is served for; no project for a call outside of one.
type Payer = (Tenant, Option<ProjectId>);

/// Properties that decide the position of a call in its [`Line`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Lease that the call will run under; identifies it here.
    pub lease: LeaseId,
    /// Tenant that owns the call.
    pub tenant: Tenant,
    /// Project of the call; none for a call outside of one.
    pub project: Option<ProjectId>,
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
    tiers: BTreeMap<Reverse<u8>, BTreeMap<Payer, Waiting>>,
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
            .entry((place.tenant.clone(), place.project))
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
        let payer = (place.tenant.clone(), place.project);
        let Some(waiting) = tier.get_mut(&payer) else {
            return;
        };
        waiting.ahead.remove(&(place.since, place.lease));
        waiting.by_age.remove(&(place.since, place.lease));
        waiting
            .by_path
            .remove(&(Reverse(place.path), place.since, place.lease));
        if waiting.ahead.is_empty() && waiting.by_age.is_empty() {
            tier.remove(&payer);
        }
        if tier.is_empty() {
            self.tiers.remove(&Reverse(place.priority));
        }
        self.work = self.work - work;
    }

    /// Tenant of some waiting call.
    pub fn tenant(&self) -> Option<&Tenant> {
        let payers = self.tiers.values().next()?;
        payers.keys().next().map(|(tenant, _)| tenant)
    }

    /// Returns the call to be admitted next; `rates` tell how long the work takes that is left in the line and in
    /// the `rest`, which waits elsewhere.
    pub fn head(
        &self,
        fairness: &Fairness,
        rates: &Rates,
        rest: Work,
        now: Timestamp,
    ) -> Option<LeaseId> {
        let (_, payers) = self
            .tiers
            .iter()
            .max_by_key(|(Reverse(priority), payers)| {
                let since = payers.values().filter_map(Waiting::since).min();
                (aged(*priority, since.unwrap_or(now), now), *priority)
            })?;
        let (_, waiting) = payers
            .iter()
            .min_by_key(|((tenant, project), _)| fairness.used_by(tenant, *project))?;
        if let Some((_, lease)) = waiting.ahead.first() {
            return Some(*lease);
        }
        let (_, oldest) = waiting.by_age.first()?;
        let (Reverse(path), _, longest) = waiting.by_path.first()?;
        Some(if threatens(*path, rates.drain(&(self.work + rest))) {
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

impl Waiting {
    /// Time since which its oldest call waits.
    fn since(&self) -> Option<Timestamp> {
        let oldest = [self.ahead.first(), self.by_age.first()];
        oldest.into_iter().flatten().map(|(since, _)| *since).min()
    }
}

/// Priority of a call that waits since `since`; age raises it, so that no call waits for ever.
pub fn aged(priority: u8, since: Timestamp, now: Timestamp) -> u64 {
    u64::from(priority) + now.since(since).0 / AGES_IN.0
}

/// Returns true if a path threatens the makespan: it is at least 0.3 of the time the pool needs, less ten seconds.
fn threatens(path: Millis, drain: Millis) -> bool {
    u128::from(path.0) * 10 + 100_000 >= u128::from(drain.0) * 3
}

/// Maximum number of projects with a counter; beyond it the least served ones are forgotten.
const PROJECTS: usize = 10_000;

/// Virtual token counters: the tenant that has been served least goes first, and of its projects the one that has.
#[derive(Debug, Clone, Default)]
pub struct Fairness {
    counters: BTreeMap<Tenant, u64>,
    projects: BTreeMap<ProjectId, u64>,
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

    /// Weighted tokens that a tenant and a project have used.
    pub fn used_by(&self, tenant: &Tenant, project: Option<ProjectId>) -> (u64, u64) {
        let counter = project.and_then(|project| self.projects.get(&project));
        (self.used(tenant), counter.copied().unwrap_or(0))
    }

    /// Lifts the counter of a project without waiting calls to the lowest of the others.
    pub fn project_joins(&mut self, project: ProjectId, waiting: impl Iterator<Item = ProjectId>) {
        let used = |other| self.projects.get(&other).copied().unwrap_or(0);
        let least = waiting.map(used).min().unwrap_or(0);
        let counter = self.projects.entry(project).or_insert(0);
        *counter = (*counter).max(least);
        if self.projects.len() > PROJECTS
            && let Some((least, _)) = self.projects.iter().min_by_key(|(_, used)| **used)
        {
            let least = *least;
            self.projects.remove(&least);
        }
    }

    /// Adds the tokens of an admitted call; a produced token weighs as much as five read ones. Returns the sum.
    pub fn serve(
        &mut self,
        tenant: &Tenant,
        project: Option<ProjectId>,
        input: u64,
        output: u64,
    ) -> u64 {
        let weight = Self::weight(input, output);
        *self.counters.entry(tenant.clone()).or_insert(0) += weight;
        if let Some(project) = project {
            *self.projects.entry(project).or_insert(0) += weight;
        }
        weight
    }

    /// Replaces the estimate of an ended call by its real use.
    pub fn correct(
        &mut self,
        tenant: &Tenant,
        project: Option<ProjectId>,
        estimated: u64,
        used: u64,
    ) {
        let corrected = |counter: &mut u64| *counter = (*counter + used).saturating_sub(estimated);
        self.counters.get_mut(tenant).map(corrected);
        project.and_then(|project| self.projects.get_mut(&project).map(corrected));
    }

    /// Weight of a call with this use.
    pub const fn weight(input: u64, output: u64) -> u64 {
        input.saturating_add(output.saturating_mul(5))
    }
}

#[cfg(test)]
mod tests;
