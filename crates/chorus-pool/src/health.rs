//! Health of accounts at their providers: failures lower the rank, some in a row rest the account, and one probe at a
//! time tells whether it recovered.
//!
//! [`AccountHealth`] is pure; [`chorus_core::failure`] says how each class counts. An account that answers 403 or 500
//! is charged nothing, has the most headroom and would attract every call. Failures of one model rest that model on
//! the account. A reply ends every rest, and so does newer evidence, for example an import. Neighbour:
//! [`Breakers`](crate::breaker::Breakers) for routes that fail on several accounts.

mod streak;

use std::collections::BTreeMap;

use chorus_core::attempt::CallSummary;
use chorus_core::failure::HealthReaction;
use chorus_core::id::{AccountId, ModelSlug, ProviderId};
use chorus_core::time::Timestamp;

use streak::{Streak, StreakRule};

/// Time in which a failure loses half of its weight.
const HALF_LIFE_MS: f64 = 60_000.0;
/// Rank that one fresh failure adds: as much as an account twice as slow as the fastest has.
const RANK_A_FAILURE: f64 = 4.0;
/// Highest rank added, so that a sick account stays comparable with a slow one.
const HIGHEST_RANK: f64 = 64.0;
/// Weight that a reply leaves of the failures before it.
const KEPT_AFTER_REPLY: f64 = 0.5;

/// An account at one provider.
type Place = (AccountId, ProviderId);

/// Failures, rests and use of each account.
#[derive(Debug, Clone, Default)]
pub struct AccountHealth {
    places: BTreeMap<Place, Condition>,
    models: BTreeMap<(Place, ModelSlug), Streak>,
    uses: u64,
}

/// Condition of one account at one provider.
#[derive(Debug, Clone, Default)]
struct Condition {
    /// Decayed number of failures at `at`.
    weight: f64,
    at: Timestamp,
    failures: Streak,
    limits: Streak,
    in_flight: u32,
    last_use: u64,
}

impl AccountHealth {
    /// Records the start of a call; one on an account that rested is its probe, and returns true.
    pub fn started(
        &mut self,
        account: AccountId,
        provider: &ProviderId,
        model: &ModelSlug,
        now: Timestamp,
    ) -> bool {
        self.uses += 1;
        let place = (account, provider.clone());
        let condition = self.places.entry(place.clone()).or_default();
        condition.in_flight += 1;
        condition.last_use = self.uses;
        condition.failures.started(now);
        condition.limits.started(now);
        let rests = condition.failures.rests() || condition.limits.rests();
        let of_model = self.models.get_mut(&(place, model.clone()));
        of_model.is_some_and(|streak| {
            streak.started(now);
            streak.rests()
        }) || rests
    }

    /// Records that a started call was never made, or that its end is not known.
    pub fn dropped(&mut self, account: AccountId, provider: &ProviderId, model: &ModelSlug) {
        let place = (account, provider.clone());
        if let Some(condition) = self.places.get_mut(&place) {
            condition.in_flight = condition.in_flight.saturating_sub(1);
            condition.failures.probe_dropped();
            condition.limits.probe_dropped();
        }
        if let Some(streak) = self.models.get_mut(&(place, model.clone())) {
            streak.probe_dropped();
        }
    }

    /// Records the end of a call at `now`. Returns true if a rest began or ended.
    pub fn ended(&mut self, call: &CallSummary, now: Timestamp) -> bool {
        let place = (call.account, call.provider.clone());
        let began = now - call.took;
        let salt = call.account.number() as u64;
        let condition = self.places.entry(place.clone()).or_default();
        condition.in_flight = condition.in_flight.saturating_sub(1);
        let key = (place, call.model.clone());
        let Some(class) = call.class else {
            if !call.complete {
                self.release(&key);
                return false;
            }
            condition.decay(now);
            condition.weight *= KEPT_AFTER_REPLY;
            let had_rest = condition.failures.ended_well() | condition.limits.ended_well();
            return self
                .models
                .remove(&key)
                .is_some_and(|streak| streak.rests())
                | had_rest;
        };
        match class.rule().account_health {
            HealthReaction::Neutral => {
                self.release(&key);
                false
            }
            HealthReaction::CountsAgainst => {
                condition.failed(now);
                condition.limits.probe_dropped();
                condition
                    .failures
                    .failed(StreakRule::FAILURES, began, now, salt)
            }
            HealthReaction::CountsAgainstModel => {
                condition.failures.probe_dropped();
                condition.limits.probe_dropped();
                let streak = self.models.entry(key).or_default();
                streak.failed(StreakRule::MODEL, began, now, salt)
            }
            HealthReaction::CountsAsLimit => {
                condition.failures.probe_dropped();
                condition
                    .limits
                    .failed(StreakRule::LIMITS, began, now, salt)
            }
        }
    }

    /// Rests an account until its parked credential may be tried again: then one probe goes first.
    pub fn rest_until(&mut self, account: AccountId, provider: &ProviderId, until: Timestamp) {
        let condition = self.places.entry((account, provider.clone())).or_default();
        condition.failures.rest_until(until);
    }

    /// Forgets the failures of an account, because there is newer evidence.
    pub fn forget(&mut self, account: AccountId, provider: &ProviderId) {
        let place = (account, provider.clone());
        if let Some(condition) = self.places.get_mut(&place) {
            condition.weight = 0.0;
            condition.failures = Streak::default();
            condition.limits = Streak::default();
        }
        self.models.retain(|(of, _), _| *of != place);
    }

    /// Returns the time at which a call may go; none while a probe is under way.
    pub fn opens_at(
        &self,
        account: AccountId,
        provider: &ProviderId,
        model: &ModelSlug,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let place = (account, provider.clone());
        let condition = self.places.get(&place);
        let of_model = self.models.get(&(place, model.clone()));
        let mut streaks = condition
            .into_iter()
            .flat_map(|condition| [&condition.failures, &condition.limits])
            .chain(of_model);
        streaks.try_fold(now, |at, streak| Some(at.max(streak.opens_at(now)?)))
    }

    /// Returns the end of the next rest after `now`.
    pub fn next_return(&self, now: Timestamp) -> Option<Timestamp> {
        let streaks = self
            .places
            .values()
            .flat_map(|condition| [&condition.failures, &condition.limits])
            .chain(self.models.values());
        streaks
            .filter_map(Streak::rests_until)
            .filter(|until| *until > now)
            .min()
    }

    /// Returns the rank to be added to the account's candidates; 0 for a healthy account.
    pub fn rank(&self, account: AccountId, provider: &ProviderId, now: Timestamp) -> u32 {
        let condition = self.places.get(&(account, provider.clone()));
        let weight = condition.map_or(0.0, |condition| condition.weight_at(now));
        (weight * RANK_A_FAILURE).min(HIGHEST_RANK) as u32
    }

    /// Returns the order in which equal accounts are used: fewest calls under way, then the longest unused.
    pub fn use_order(&self, account: AccountId, provider: &ProviderId) -> (u32, u64) {
        let condition = self.places.get(&(account, provider.clone()));
        condition.map_or((0, 0), |condition| {
            (condition.in_flight, condition.last_use)
        })
    }

    fn release(&mut self, key: &(Place, ModelSlug)) {
        if let Some(condition) = self.places.get_mut(&key.0) {
            condition.failures.probe_dropped();
            condition.limits.probe_dropped();
        }
        if let Some(streak) = self.models.get_mut(key) {
            streak.probe_dropped();
        }
    }
}

impl Condition {
    fn weight_at(&self, now: Timestamp) -> f64 {
        let age = now.since(self.at).0 as f64;
        self.weight * 0.5_f64.powf(age / HALF_LIFE_MS)
    }

    fn decay(&mut self, now: Timestamp) {
        (self.weight, self.at) = (self.weight_at(now), now.max(self.at));
    }

    fn failed(&mut self, now: Timestamp) {
        self.decay(now);
        self.weight += 1.0;
    }
}

#[cfg(test)]
mod tests;
