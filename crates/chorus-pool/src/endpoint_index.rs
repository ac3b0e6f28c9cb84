//! Index of endpoints: which credential of which account serves which model, with the quota groups it draws on.
//!
//! The index is a copy of the [`Directory`](chorus_core::port::Directory) at one moment. Room on a credential is
//! known to the limiter, failures of a route to [`Breakers`](crate::breaker::Breakers).

mod model_choice;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chorus_core::catalog::{Catalog, Model, Provider};
use chorus_core::id::{AccountId, CredentialId, GroupId, ModelSlug, ProviderId, Tenant};
use chorus_core::limit::{Limit, QuotaGroup, QuotaResets};
use chorus_core::port::directory::{Account, Credential, CredentialState, Mark};
use chorus_core::time::{Millis, Timestamp};

pub use model_choice::{ChoiceReason, ModelChoice, RoleModels, Unserved};

/// Endpoints of all tenants that were read so far.
#[derive(Debug, Clone)]
pub struct EndpointIndex {
    catalog: Arc<Catalog>,
    tenants: BTreeMap<Tenant, Vec<Account>>,
    endpoints: BTreeMap<Tenant, Vec<Endpoint>>,
}

/// One credential of one account, as a place where calls can be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    /// Account of the credential.
    pub account: AccountId,
    /// Owner of the account.
    pub owner: String,
    /// True if a refused call may move here from another account of the same owner.
    pub same_owner_spill: bool,
    /// Id of the credential.
    pub credential: CredentialId,
    /// Provider that the credential is for.
    pub provider: ProviderId,
    /// State of the credential.
    pub state: CredentialState,
    /// Evidence of the state.
    pub mark: Option<Mark>,
    groups: Vec<(Arc<QuotaGroup>, Vec<ModelSlug>)>,
}

impl EndpointIndex {
    /// An index without accounts.
    pub const fn new(catalog: Arc<Catalog>) -> Self {
        Self {
            catalog,
            tenants: BTreeMap::new(),
            endpoints: BTreeMap::new(),
        }
    }

    /// Catalogue of the models and providers.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Replaces the accounts of a tenant; returns false if they are unchanged.
    pub fn set(&mut self, tenant: &Tenant, accounts: Vec<Account>) -> bool {
        if self.tenants.get(tenant) == Some(&accounts) {
            return false;
        }
        let endpoints = accounts.iter().flat_map(|account| {
            account
                .credentials
                .iter()
                .map(|credential| self.endpoint(account, credential))
        });
        let mut endpoints: Vec<Endpoint> = endpoints.collect();
        merge_limits(&mut endpoints);
        self.endpoints.insert(tenant.clone(), endpoints);
        self.tenants.insert(tenant.clone(), accounts);
        true
    }

    /// Returns true if the accounts of the tenant were read.
    pub fn knows(&self, tenant: &Tenant) -> bool {
        self.tenants.contains_key(tenant)
    }

    /// Endpoints of a tenant that serve a model, in any state.
    pub fn serving(&self, tenant: &Tenant, model: &ModelSlug) -> Vec<&Endpoint> {
        let Some(model) = self.catalog.model(model) else {
            return Vec::new();
        };
        let endpoints = self.endpoints.get(tenant).into_iter().flatten();
        endpoints
            .filter(|endpoint| {
                model.routes.contains_key(&endpoint.provider) && endpoint.serves(&model.slug)
            })
            .collect()
    }

    /// Endpoints on which a call may go now: active ones, and after a refusal that may not move
    /// to a sibling none of the refused account's siblings (`same_owner_spill`).
    ///
    /// A refused account binds its siblings only while it may be called itself: once its credentials
    /// are parked or refused, waiting for it would be long or never end.
    pub fn admissible(
        &self,
        tenant: &Tenant,
        model: &ModelSlug,
        refused_by: Option<AccountId>,
        now: Timestamp,
    ) -> Vec<&Endpoint> {
        let serving = self.serving(tenant, model);
        let refused: Vec<(&str, &ProviderId)> = self
            .endpoints
            .get(tenant)
            .into_iter()
            .flatten()
            .filter(|endpoint| Some(endpoint.account) == refused_by)
            .filter(|endpoint| endpoint.is_active(now))
            .map(|endpoint| (endpoint.owner.as_str(), &endpoint.provider))
            .collect();
        let sibling = |endpoint: &Endpoint| {
            Some(endpoint.account) != refused_by
                && !endpoint.same_owner_spill
                && refused.contains(&(endpoint.owner.as_str(), &endpoint.provider))
        };
        serving
            .into_iter()
            .filter(|endpoint| endpoint.is_active(now) && !sibling(endpoint))
            .collect()
    }

    /// Returns true if a sibling of an account that may be called itself is excluded after its refusal, as
    /// [`EndpointIndex::admissible`] says.
    pub fn has_excluded_sibling(
        &self,
        tenant: &Tenant,
        model: &ModelSlug,
        refused_by: AccountId,
        now: Timestamp,
    ) -> bool {
        let all = self.endpoints(tenant);
        let mut refused = all
            .iter()
            .filter(|endpoint| endpoint.account == refused_by && endpoint.is_active(now));
        let Some(model) = self.catalog.model(model) else {
            return false;
        };
        refused.any(|refused| {
            all.iter().any(|endpoint| {
                endpoint.account != refused_by
                    && !endpoint.same_owner_spill
                    && (&endpoint.owner, &endpoint.provider) == (&refused.owner, &refused.provider)
                    && endpoint.is_active(now)
                    && model.routes.contains_key(&endpoint.provider)
                    && endpoint.serves(&model.slug)
            })
        })
    }

    /// Returns true if an active endpoint of a tenant serves a model.
    pub fn is_served(&self, tenant: &Tenant, model: &ModelSlug, now: Timestamp) -> bool {
        let Some(model) = self.catalog.model(model) else {
            return false;
        };
        self.endpoints(tenant).iter().any(|endpoint| {
            model.routes.contains_key(&endpoint.provider)
                && endpoint.is_active(now)
                && endpoint.serves(&model.slug)
        })
    }

    /// Time at which the first parked endpoint that serves the model becomes usable.
    pub fn returns(&self, tenant: &Tenant, model: &ModelSlug) -> Option<Timestamp> {
        let until = self
            .serving(tenant, model)
            .into_iter()
            .filter_map(|endpoint| match endpoint.state {
                CredentialState::Parked { until, .. } => Some(until),
                CredentialState::Active
                | CredentialState::Refused { .. }
                | CredentialState::Paused { .. }
                | CredentialState::Draining { .. } => None,
            });
        until.min()
    }

    /// Name of an account of a tenant.
    pub fn account_name(&self, tenant: &Tenant, account: AccountId) -> Option<&str> {
        let accounts = self.tenants.get(tenant)?.iter();
        let mut named = accounts.filter(|one| one.id == account);
        named.next().map(|one| one.name.as_str())
    }

    /// Endpoints of all tenants, in any state.
    pub fn all(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.values().flatten()
    }

    /// Endpoints of a tenant, in any state.
    pub fn endpoints(&self, tenant: &Tenant) -> &[Endpoint] {
        self.endpoints.get(tenant).map_or(&[], Vec::as_slice)
    }

    /// Time at which the next parked credential of any tenant becomes usable.
    pub fn next_return(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self
            .endpoints
            .values()
            .flatten()
            .filter_map(|endpoint| match endpoint.state {
                CredentialState::Parked { until, .. } => Some(until).filter(|until| *until > now),
                CredentialState::Active
                | CredentialState::Refused { .. }
                | CredentialState::Paused { .. }
                | CredentialState::Draining { .. } => None,
            });
        until.min()
    }

    /// Groups that the lease of a delivery draws on, searched in all tenants; needed to restore the lease.
    pub fn groups_of(&self, credential: CredentialId, model: &ModelSlug) -> Vec<Arc<QuotaGroup>> {
        let mut endpoints = self.endpoints.values().flatten();
        endpoints
            .find(|endpoint| endpoint.credential == credential)
            .map(|endpoint| endpoint.groups_for(model))
            .unwrap_or_default()
    }

    pub(crate) fn model(&self, slug: &ModelSlug) -> Option<&Model> {
        self.catalog.model(slug)
    }

    fn endpoint(&self, account: &Account, credential: &Credential) -> Endpoint {
        let groups = if credential.groups.is_empty() {
            vec![(
                Arc::new(assumed(
                    account.id,
                    &credential.provider,
                    self.catalog.provider(&credential.provider),
                )),
                Vec::new(),
            )]
        } else {
            credential
                .groups
                .iter()
                .map(|of| (Arc::new(of.group.clone()), of.models.clone()))
                .collect()
        };
        Endpoint {
            account: account.id,
            owner: account.owner.clone(),
            same_owner_spill: account.same_owner_spill,
            credential: credential.id,
            provider: credential.provider.clone(),
            state: credential.state.clone(),
            mark: credential.mark,
            groups,
        }
    }
}

impl Endpoint {
    /// Returns true if calls may be made with the credential at `now`.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.state.is_callable(now)
    }

    /// Windows by which the credential is parked after a call of this model.
    pub fn resets_for(&self, model: &ModelSlug) -> QuotaResets {
        let mut drawn = self
            .groups
            .iter()
            .filter(|(_, models)| models.is_empty() || models.contains(model));
        let groups = self.groups_for(model);
        QuotaResets {
            is_of_model: drawn.all(|(_, models)| models.len() == 1),
            money_pause: self.last_pause().map(QuotaResets::pause_after),
            ..QuotaResets::of(groups.iter().map(|group| &**group))
        }
    }

    /// Length of the pause that has ended without a reply since.
    fn last_pause(&self) -> Option<Millis> {
        match (&self.state, self.mark) {
            (CredentialState::Parked { until, .. }, Some(mark)) => Some(until.since(mark.at)),
            (
                CredentialState::Active
                | CredentialState::Parked { .. }
                | CredentialState::Refused { .. }
                | CredentialState::Paused { .. }
                | CredentialState::Draining { .. },
                _,
            ) => None,
        }
    }

    /// Groups that a call of this model draws on.
    pub fn groups_for(&self, model: &ModelSlug) -> Vec<Arc<QuotaGroup>> {
        let drawn = self
            .groups
            .iter()
            .filter(|(_, models)| models.is_empty() || models.contains(model));
        let mut seen = BTreeSet::new();
        drawn
            .map(|(group, _)| group)
            .filter(|group| seen.insert(group.id.clone()))
            .map(Arc::clone)
            .collect()
    }

    /// Returns true if a group of the credential is for the model.
    pub fn serves(&self, model: &ModelSlug) -> bool {
        let mut groups = self.groups.iter();
        groups.any(|(_, models)| models.is_empty() || models.contains(model))
    }
}

/// Gives every group one set of limits: where accounts name different amounts for the same limit, the smallest one
/// holds, and every limit that one of them names holds.
fn merge_limits(endpoints: &mut [Endpoint]) {
    let mut merged: BTreeMap<GroupId, Arc<QuotaGroup>> = BTreeMap::new();
    for (group, _) in endpoints.iter().flat_map(|endpoint| &endpoint.groups) {
        match merged.get_mut(&group.id) {
            None => drop(merged.insert(group.id.clone(), Arc::clone(group))),
            Some(known) if known == group => {}
            Some(known) => stricter(&mut Arc::make_mut(known).limits, &group.limits),
        }
    }
    for (group, _) in endpoints
        .iter_mut()
        .flat_map(|endpoint| &mut endpoint.groups)
    {
        if let Some(known) = merged.get(&group.id) {
            *group = Arc::clone(known);
        }
    }
}

/// Lowers limits to those of another opinion, and adds those that are missing.
fn stricter(limits: &mut Vec<Limit>, others: &[Limit]) {
    for other in others {
        let same =
            |limit: &&mut Limit| limit.dimension == other.dimension && limit.window == other.window;
        match limits.iter_mut().find(same) {
            None => limits.push(other.clone()),
            Some(limit) if other.amount < limit.amount => *limit = other.clone(),
            Some(_) => {}
        }
    }
}

/// Default group of an account at a provider without configured groups. Two keys of one account share it: adding
/// keys never adds capacity.
fn assumed(account: AccountId, provider: &ProviderId, row: Option<&Provider>) -> QuotaGroup {
    let limits = row.map(Provider::assumed_limits).unwrap_or_default();
    QuotaGroup {
        id: GroupId::new(format!("{provider}/{account}")),
        limits,
    }
}

#[cfg(test)]
mod tests {
    use chorus_core::limit::{Dimension, Window, Zone};

    use super::*;
    use crate::tests::{MINUTE, account, home, limit};

    #[test]
    fn the_stricter_of_two_opinions_about_a_group_holds_for_both_accounts() {
        let day = limit(Dimension::Requests, 9, Window::Day { zone: Zone::UTC });
        let mut accounts = vec![
            account(1, "one", "p", vec![limit(Dimension::Requests, 500, MINUTE)]),
            account(
                2,
                "one",
                "p",
                vec![limit(Dimension::Requests, 100, MINUTE), day],
            ),
        ];
        let id = accounts[0].credentials[0].groups[0].group.id.clone();
        accounts[1].credentials[0].groups[0].group.id = id;
        let mut index = EndpointIndex::new(Arc::new(Catalog::default()));
        for accounts in [accounts.clone(), accounts.into_iter().rev().collect()] {
            index.set(&home(), accounts);
            let of = |number| index.groups_of(CredentialId::new(number), &"m/x".into());
            assert_eq!(of(1), of(2));
            let mut amounts: Vec<u64> = of(1)[0].limits.iter().map(|limit| limit.amount).collect();
            amounts.sort_unstable();
            assert_eq!(amounts, [9, 100]);
        }
    }
}
