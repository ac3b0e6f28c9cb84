//! Learns from the ends of calls and from states of credentials: estimates, health of accounts, breakers of routes.

use std::collections::BTreeMap;

use chorus_core::attempt::CallSummary;
use chorus_core::id::{AccountId, CredentialId, ModelSlug, ProviderId, Tenant};
use chorus_core::port::directory::CredentialState;
use chorus_core::time::Timestamp;

use super::Engine;
use crate::breaker::RouteReport;
use crate::endpoint_index::Endpoint;
use crate::estimate::UsageSample;
use crate::targets::{NEVER, TargetId};

/// Produced tokens from which a reply shows the pace of its account.
const LEAST_PRODUCED: u64 = 32;
/// Time that is always past: a target that is open.
const OPEN: Timestamp = Timestamp(i64::MIN);

impl Engine {
    /// Learns from the end of a call at `at`.
    pub(crate) fn call_ended(&mut self, call: &CallSummary, at: Timestamp, now: Timestamp) {
        if let Some(usage) = call.usage.filter(|_| call.complete) {
            self.learn_pace(call, usage.output);
            self.estimator.learn(&UsageSample {
                provider: call.provider.clone(),
                model: call.model.clone(),
                kind: call.kind,
                size: call.size,
                usage,
                took: call.took,
            });
        }
        self.call_left(call.account, &call.provider, &call.model);
        let is_ailing = self.is_ailing(call.account, &call.provider);
        self.health.ended(call, at);
        if call.class.is_some() || is_ailing {
            self.account_changed(call.account, &call.provider, now);
        }
        let report = RouteReport::of(call.class, call.complete);
        self.breakers
            .ended(&call.provider, &call.model, call.account, report, at);
        self.route_changed(&call.provider, &call.model, now);
    }

    /// Gives back the probe's slot of a dispatched call that was never made.
    pub(crate) fn call_dropped(
        &mut self,
        account: AccountId,
        provider: &ProviderId,
        model: &ModelSlug,
        now: Timestamp,
    ) {
        self.call_left(account, provider, model);
        self.health.dropped(account, provider, model);
        self.breakers
            .ended(provider, model, account, RouteReport::Ignored, now);
        self.account_changed(account, provider, now);
        self.route_changed(provider, model, now);
    }

    /// Compares the time of a reply with what its route leads to expect. Short replies show little of the pace.
    fn learn_pace(&mut self, call: &CallSummary, produced: u64) {
        let route = self.targets.route_number(&call.provider, &call.model);
        let Some(route) = route.filter(|_| produced >= LEAST_PRODUCED) else {
            return;
        };
        let expected = self.estimator.pace(&call.provider, &call.model) * produced as f64;
        let ratio = call.took.0.max(1) as f64 / expected.max(1.0);
        let of_account = self.targets.of_account(call.account, &call.provider);
        let of_account = of_account.to_vec();
        for target in of_account {
            let target = self.targets.target_mut(target);
            if target.route == route {
                target.pace.take(ratio);
            }
        }
    }

    /// One call fewer is under way on the account's target of a model.
    fn call_left(&mut self, account: AccountId, provider: &ProviderId, model: &ModelSlug) {
        let Some(route) = self.targets.route_number(provider, model) else {
            return;
        };
        let of_account = self.targets.of_account(account, provider).iter();
        // Of several keys of one account the busiest one is taken: which key a call had is not reported.
        let target = of_account
            .filter(|target| self.targets.target(**target).route == route)
            .max_by_key(|target| self.targets.target(**target).in_flight)
            .copied();
        let Some(target) = target else {
            return;
        };
        let of_target = self.targets.target_mut(target);
        if of_target.in_flight == 0 {
            return;
        }
        of_target.in_flight -= 1;
        for (line, _) in of_target.lines.clone() {
            if let Some(line) = self.lines.line_mut(line) {
                line.in_flight = line.in_flight.saturating_sub(1);
            }
        }
    }

    fn is_ailing(&self, account: AccountId, provider: &ProviderId) -> bool {
        let mut targets = self.targets.of_account(account, provider).iter();
        targets.any(|target| self.ailing.contains(target))
    }

    /// Copies the health of an account into its targets.
    pub(super) fn account_changed(
        &mut self,
        account: AccountId,
        provider: &ProviderId,
        now: Timestamp,
    ) {
        let targets = self.targets.of_account(account, provider).to_vec();
        self.refresh_targets(&targets, now);
    }

    /// Copies the state of a breaker into the targets of its route, if it has changed.
    pub(super) fn route_changed(
        &mut self,
        provider: &ProviderId,
        model: &ModelSlug,
        now: Timestamp,
    ) {
        let Some(number) = self.targets.route_number(provider, model) else {
            return;
        };
        let opens = opening(self.breakers.opens_at(provider, model, now), now);
        let route = &mut self.targets.routes[number as usize];
        if route.opens != opens {
            route.opens = opens;
            let targets = route.targets.clone();
            self.refresh_targets(&targets, now);
        }
    }

    /// Copies health and routes into targets; lines that may use them are looked at if one opened or closed.
    pub(super) fn refresh_targets(&mut self, targets: &[TargetId], now: Timestamp) {
        for number in targets {
            let target = self.targets.target(*number);
            let route = self.targets.route_of(*number);
            let (account, provider) = (target.account, &route.provider);
            let opens = self.opens(account, provider, &route.model, now);
            let rank = self.health.rank(account, provider, now);
            let is_open = opens <= now;
            self.is_choice_stale |= target.is_open != is_open;
            let is_changed = (target.opens, target.rank) != (opens, rank);
            if rank > 0 || opens > now {
                self.ailing.insert(*number);
            } else {
                self.ailing.remove(number);
            }
            self.targets.target_mut(*number).is_open = is_open;
            if is_changed {
                let target = self.targets.target_mut(*number);
                (target.opens, target.rank) = (opens, rank);
                self.target_changed(*number, now);
            }
        }
    }

    /// Time from which an account may be called with a model: neither it nor the route rests. [`NEVER`] while probes
    /// are under way.
    pub(super) fn opens(
        &self,
        account: AccountId,
        provider: &ProviderId,
        model: &ModelSlug,
        now: Timestamp,
    ) -> Timestamp {
        let of_account = self.health.opens_at(account, provider, model, now);
        let of_route = self.breakers.opens_at(provider, model, now);
        opening(of_account, now).max(opening(of_route, now))
    }

    /// Rests accounts with parked credentials until a probe, and forgets the failures of those with newer evidence.
    pub(super) fn learn_states(&mut self, now: Timestamp) {
        let mut accounts: BTreeMap<(AccountId, ProviderId), (bool, bool)> = BTreeMap::new();
        for endpoint in self.index.all() {
            let place = (endpoint.account, endpoint.provider.clone());
            let (is_known, has_active) = accounts.entry(place).or_default();
            *is_known |= self.states.contains_key(&endpoint.credential);
            *has_active |= matches!(endpoint.state, CredentialState::Active);
        }
        for endpoint in self.index.all() {
            let state = (endpoint.state.clone(), endpoint.mark);
            if self.states.get(&endpoint.credential) == Some(&state) {
                continue;
            }
            let place = (endpoint.account, endpoint.provider.clone());
            let (is_known, has_active) = accounts.get(&place).copied().unwrap_or_default();
            match &endpoint.state {
                // The first sight of an account is no news of it.
                CredentialState::Active if is_known => {
                    self.health.forget(endpoint.account, &endpoint.provider);
                }
                // Other keys of the account go on; its last one is tried by one call.
                CredentialState::Parked { until, .. } if !has_active => {
                    self.health
                        .rest_until(endpoint.account, &endpoint.provider, *until);
                }
                CredentialState::Active
                | CredentialState::Parked { .. }
                | CredentialState::Refused { .. }
                | CredentialState::Paused { .. }
                | CredentialState::Draining { .. } => {}
            }
            self.states.insert(endpoint.credential, state);
        }
        let ailing: Vec<TargetId> = self.ailing.iter().copied().collect();
        self.refresh_targets(&ailing, now);
    }

    /// Returns the credentials of an account that answers although they were parked.
    pub(crate) fn answers_again(
        &self,
        tenant: &Tenant,
        call: &CallSummary,
        now: Timestamp,
    ) -> Vec<CredentialId> {
        let is_parked = |endpoint: &&Endpoint| {
            endpoint.account == call.account
                && endpoint.provider == call.provider
                && matches!(&endpoint.state, CredentialState::Parked { until, .. } if *until <= now)
        };
        let endpoints = self.index.endpoints(tenant).iter();
        let parked = endpoints
            .filter(is_parked)
            .map(|endpoint| endpoint.credential);
        parked
            .filter(|_| call.complete && call.class.is_none())
            .collect()
    }
}

/// Time of an opening in the form that targets hold.
fn opening(opens: Option<Timestamp>, now: Timestamp) -> Timestamp {
    match opens {
        Some(at) if at <= now => OPEN,
        Some(at) => at,
        None => NEVER,
    }
}
