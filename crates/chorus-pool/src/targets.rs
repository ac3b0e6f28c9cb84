//! Targets: each credential with a model that it serves, under a dense number, and the mirrors of their groups.
//!
//! Built from the [`EndpointIndex`]; numbers stay the same for the life of the engine, so that lines and trees hold
//! them instead of names. Health and routes are copied in when they change: looking at a target costs no map visit.

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::catalog::Model;
use chorus_core::id::{AccountId, CredentialId, GroupId, ModelSlug, Pool, ProviderId, Tenant};
use chorus_core::limit::{Dimension, QuotaGroup, QuotaResets, Window};
use chorus_core::time::Timestamp;

use crate::endpoint_index::EndpointIndex;
use crate::mirror::Mirror;
pub(crate) use crate::mirror::NEVER;

/// Number of a [`Target`].
pub(crate) type TargetId = u32;
/// Number of a [`Mirror`].
pub(crate) type GroupNo = u32;
/// Number of a provider's route to a model.
pub(crate) type RouteNo = u32;
/// Number of a line of waiting calls.
pub(crate) type LineNo = u32;

/// A credential with a model: a place where a call could run.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) credential: CredentialId,
    pub(crate) account: AccountId,
    pub(crate) route: RouteNo,
    /// Groups that a call draws on.
    pub(crate) groups: Vec<GroupNo>,
    /// The same groups as values, for the demand.
    pub(crate) configs: Vec<Arc<QuotaGroup>>,
    pub(crate) resets: QuotaResets,
    /// Time from which calls may go: account and route do not rest.
    pub(crate) opens: Timestamp,
    /// True if it was open when that was looked at last.
    pub(crate) is_open: bool,
    /// Rank by the health of the account; 0 for a healthy one.
    pub(crate) rank: u32,
    /// Number of calls under way.
    pub(crate) in_flight: u32,
    /// Time of its replies against that of the route's.
    pub(crate) pace: Pace,
    /// Position of the last use among all uses.
    pub(crate) last_use: u64,
    /// Number of calls for each reason for which it was chosen.
    pub(crate) choices: [u32; 5],
    /// Calls a minute by its narrowest limit, as its share of the load.
    pub(crate) weight: f64,
    /// Lines that may use it, with its position in each.
    pub(crate) lines: Vec<(LineNo, u32)>,
}

/// Logarithm of the time of a target's replies by the time that its route leads to expect.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    mean: f64,
    seen: u32,
}

impl Pace {
    /// Replies before which nothing is concluded.
    const FEW: u32 = 5;
    /// Weight of the latest reply, once many were seen.
    const LEAST_WEIGHT: f64 = 0.1;
    /// Least factor that is told from chance.
    const SLOW: f64 = 2.0;

    /// Takes the time of a reply by the expected one.
    pub(crate) fn take(&mut self, ratio: f64) {
        self.seen = self.seen.saturating_add(1);
        let weight = (1.0 / f64::from(self.seen)).max(Self::LEAST_WEIGHT);
        self.mean += weight * (ratio.clamp(0.01, 100.0).ln() - self.mean);
    }

    /// Factor by which replies take longer than those of the route; 1 unless that is plain.
    pub(crate) fn slowness(self) -> f64 {
        let factor = self.mean.exp();
        if self.seen >= Self::FEW && factor >= Self::SLOW {
            factor
        } else {
            1.0
        }
    }
}

/// A provider's route to a model.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) provider: ProviderId,
    pub(crate) model: ModelSlug,
    /// Row of the catalogue.
    pub(crate) row: Arc<Model>,
    pub(crate) pool: Pool,
    /// Time from which the breaker lets calls through.
    pub(crate) opens: Timestamp,
    pub(crate) targets: Vec<TargetId>,
}

/// All targets, routes and groups that were ever seen.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    pub(crate) all: Vec<Target>,
    pub(crate) routes: Vec<Route>,
    pub(crate) mirrors: Vec<Mirror>,
    /// Targets that draw on each group.
    pub(crate) of_group: Vec<Vec<TargetId>>,
    numbers: BTreeMap<(CredentialId, RouteNo), TargetId>,
    route_numbers: BTreeMap<(ProviderId, ModelSlug), RouteNo>,
    group_numbers: BTreeMap<GroupId, GroupNo>,
    of_account: BTreeMap<(AccountId, ProviderId), Vec<TargetId>>,
}

impl Targets {
    /// Takes the endpoints of the index that serve a model to a tenant, in the order of the index.
    pub(crate) fn of_model(
        &mut self,
        index: &EndpointIndex,
        tenant: &Tenant,
        slug: &ModelSlug,
        refused_by: Option<AccountId>,
        now: Timestamp,
    ) -> Vec<TargetId> {
        let Some(model) = index.model(slug) else {
            return Vec::new();
        };
        let row = Arc::new(model.clone());
        let endpoints = index.admissible(tenant, slug, refused_by, now);
        let mut targets = Vec::with_capacity(endpoints.len());
        for endpoint in endpoints {
            let route = self.route(&endpoint.provider, &row);
            let configs = endpoint.groups_for(slug);
            let groups = configs.iter().map(|group| self.group(group, now)).collect();
            let key = (endpoint.credential, route);
            let target = Target {
                credential: endpoint.credential,
                account: endpoint.account,
                route,
                weight: weight(&configs),
                groups,
                configs,
                resets: endpoint.resets_for(slug),
                opens: now,
                is_open: true,
                rank: 0,
                in_flight: 0,
                pace: Pace::default(),
                last_use: 0,
                choices: [0; 5],
                lines: Vec::new(),
            };
            targets.push(self.intern(key, target, &endpoint.provider));
        }
        targets
    }

    fn intern(
        &mut self,
        key: (CredentialId, RouteNo),
        fresh: Target,
        provider: &ProviderId,
    ) -> TargetId {
        if let Some(number) = self.numbers.get(&key).copied() {
            let known = &mut self.all[number as usize];
            if known.groups != fresh.groups {
                for group in &fresh.groups {
                    if !known.groups.contains(group) {
                        self.of_group[*group as usize].push(number);
                    }
                }
                known.groups = fresh.groups;
            }
            known.weight = fresh.weight;
            (known.configs, known.resets) = (fresh.configs, fresh.resets);
            return number;
        }
        let number = self.all.len() as TargetId;
        for group in &fresh.groups {
            self.of_group[*group as usize].push(number);
        }
        self.routes[fresh.route as usize].targets.push(number);
        let place = (fresh.account, provider.clone());
        self.of_account.entry(place).or_default().push(number);
        self.numbers.insert(key, number);
        self.all.push(fresh);
        number
    }

    fn route(&mut self, provider: &ProviderId, row: &Arc<Model>) -> RouteNo {
        let key = (provider.clone(), row.slug.clone());
        if let Some(number) = self.route_numbers.get(&key) {
            return *number;
        }
        let number = self.routes.len() as RouteNo;
        self.routes.push(Route {
            provider: provider.clone(),
            model: row.slug.clone(),
            pool: row.pool.clone(),
            row: Arc::clone(row),
            opens: Timestamp(i64::MIN),
            targets: Vec::new(),
        });
        self.route_numbers.insert(key, number);
        number
    }

    fn group(&mut self, group: &Arc<QuotaGroup>, now: Timestamp) -> GroupNo {
        if let Some(number) = self.group_numbers.get(&group.id) {
            self.mirrors[*number as usize].configure(group, now);
            return *number;
        }
        let number = self.mirrors.len() as GroupNo;
        self.mirrors.push(Mirror::new(Arc::clone(group), now));
        self.of_group.push(Vec::new());
        self.group_numbers.insert(group.id.clone(), number);
        number
    }

    pub(crate) fn group_number(&self, group: &GroupId) -> Option<GroupNo> {
        self.group_numbers.get(group).copied()
    }

    pub(crate) fn route_number(&self, provider: &ProviderId, model: &ModelSlug) -> Option<RouteNo> {
        let key = (provider.clone(), model.clone());
        self.route_numbers.get(&key).copied()
    }

    /// Targets of an account at a provider.
    pub(crate) fn of_account(&self, account: AccountId, provider: &ProviderId) -> &[TargetId] {
        let place = (account, provider.clone());
        self.of_account.get(&place).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn target(&self, number: TargetId) -> &Target {
        &self.all[number as usize]
    }

    pub(crate) fn target_mut(&mut self, number: TargetId) -> &mut Target {
        &mut self.all[number as usize]
    }

    pub(crate) fn route_of(&self, target: TargetId) -> &Route {
        &self.routes[self.target(target).route as usize]
    }
}

/// Share of the load that an account should take, by its narrowest limit; 1 without limits.
fn weight(groups: &[Arc<QuotaGroup>]) -> f64 {
    let limits = groups.iter().flat_map(|group| &group.limits);
    let a_minute = limits.filter_map(|limit| {
        let rate = match limit.window {
            Window::Bucket { per_ms } | Window::Sliding { per_ms } => {
                limit.amount as f64 * 60_000.0 / per_ms.max(1) as f64
            }
            Window::Held => limit.amount as f64,
            Window::Day { .. } | Window::Month => return None,
        };
        // Calls of a thousand prompt tokens and 300 produced ones, of ten seconds each.
        match limit.dimension {
            Dimension::Requests => Some(rate),
            Dimension::InputTokens => Some(rate / 1_000.0),
            Dimension::OutputTokens => Some(rate / 300.0),
            Dimension::TotalTokens => Some(rate / 1_300.0),
            Dimension::Concurrency => Some(rate * 6.0),
            Dimension::Spend => None,
        }
    });
    a_minute.min_by(f64::total_cmp).unwrap_or(1.0).max(1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_slow_when_several_replies_took_twice_as_long_as_those_of_its_route() {
        let after = |ratios: &[f64]| {
            let mut pace = Pace::default();
            for ratio in ratios {
                pace.take(*ratio);
            }
            pace.slowness()
        };
        let is = |pace: f64, factor: f64| (pace - factor).abs() < 1e-9;
        assert!(is(after(&[6.0; 4]), 1.0), "a few replies show nothing");
        assert!(is(after(&[6.0; 5]), 6.0));
        assert!(is(after(&[1.6, 0.7, 1.4, 1.2, 1.9, 1.1]), 1.0), "chance");
        let mut recovered = vec![6.0; 50];
        recovered.extend(vec![1.0; 20]);
        assert!(is(after(&recovered), 1.0));
    }
}
