//! Who can serve what: accounts and credentials with the groups they draw on, and the model of each role.
//!
//! A roster is a picture of the directory at one moment. Whether there is room on a credential is the
//! limiter's business; whether a provider is well, the breaker's.

mod choice;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chorus_core::catalog::{Catalog, Model, Provider};
use chorus_core::id::{AccountId, CredentialId, GroupId, ModelSlug, ProviderId, Tenant};
use chorus_core::limit::QuotaGroup;
use chorus_core::port::directory::{Account, Credential, CredentialState};
use chorus_core::time::Timestamp;

pub use choice::{Because, RoleChoice, Roles, Unserved};

/// The accounts of all tenants that were read so far.
#[derive(Debug, Clone)]
pub struct Roster {
    catalog: Arc<Catalog>,
    tenants: BTreeMap<Tenant, Vec<Account>>,
    seats: BTreeMap<Tenant, Vec<Seat>>,
}

/// One credential of one account.
#[derive(Debug, Clone, PartialEq)]
pub struct Seat {
    /// The account.
    pub account: AccountId,
    /// Who owns the account.
    pub owner: String,
    /// Whether a refused call may come here from a sibling of the same owner.
    pub same_owner_spill: bool,
    /// The credential.
    pub credential: CredentialId,
    /// Its provider.
    pub provider: ProviderId,
    /// What may be done with it.
    pub state: CredentialState,
    groups: Vec<(Arc<QuotaGroup>, Vec<ModelSlug>)>,
}

impl Roster {
    /// A roster without accounts.
    pub const fn new(catalog: Arc<Catalog>) -> Self {
        Self {
            catalog,
            tenants: BTreeMap::new(),
            seats: BTreeMap::new(),
        }
    }

    /// The catalogue that models and providers are looked up in.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Takes over a tenant's accounts; false when nothing has changed.
    pub fn set(&mut self, tenant: &Tenant, accounts: Vec<Account>) -> bool {
        if self.tenants.get(tenant) == Some(&accounts) {
            return false;
        }
        let seats = accounts.iter().flat_map(|account| {
            account
                .credentials
                .iter()
                .map(|credential| self.seat(account, credential))
        });
        self.seats.insert(tenant.clone(), seats.collect());
        self.tenants.insert(tenant.clone(), accounts);
        true
    }

    /// Whether the tenant's accounts have been read.
    pub fn knows(&self, tenant: &Tenant) -> bool {
        self.tenants.contains_key(tenant)
    }

    /// The seats of a tenant that can serve a model, whatever their state.
    pub fn serving(&self, tenant: &Tenant, model: &ModelSlug) -> Vec<&Seat> {
        let Some(model) = self.catalog.model(model) else {
            return Vec::new();
        };
        let seats = self.seats.get(tenant).into_iter().flatten();
        seats
            .filter(|seat| model.routes.contains_key(&seat.provider) && seat.serves(&model.slug))
            .collect()
    }

    /// The seats on which a call may go now: active ones, and after a refusal for a rate none that would only
    /// be a sibling of the refused account (`same_owner_spill`).
    pub fn admissible(
        &self,
        tenant: &Tenant,
        model: &ModelSlug,
        refused_by: Option<AccountId>,
        now: Timestamp,
    ) -> Vec<&Seat> {
        let serving = self.serving(tenant, model);
        let refused: Vec<(&str, &ProviderId)> = self
            .seats
            .get(tenant)
            .into_iter()
            .flatten()
            .filter(|seat| Some(seat.account) == refused_by)
            .map(|seat| (seat.owner.as_str(), &seat.provider))
            .collect();
        let sibling = |seat: &Seat| {
            Some(seat.account) != refused_by
                && !seat.same_owner_spill
                && refused.contains(&(seat.owner.as_str(), &seat.provider))
        };
        serving
            .into_iter()
            .filter(|seat| seat.is_active(now) && !sibling(seat))
            .collect()
    }

    /// When the first parked seat that could serve the model comes back.
    pub fn returns(&self, tenant: &Tenant, model: &ModelSlug) -> Option<Timestamp> {
        let until = self
            .serving(tenant, model)
            .into_iter()
            .filter_map(|seat| match seat.state {
                CredentialState::Parked { until, .. } => Some(until),
                CredentialState::Active | CredentialState::Refused { .. } => None,
            });
        until.min()
    }

    /// When the next parked credential of any tenant comes back.
    pub fn next_return(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self
            .seats
            .values()
            .flatten()
            .filter_map(|seat| match seat.state {
                CredentialState::Parked { until, .. } => Some(until).filter(|until| *until > now),
                CredentialState::Active | CredentialState::Refused { .. } => None,
            });
        until.min()
    }

    /// The groups that a delivery's lease draws on, for putting it back; looked for in all tenants.
    pub fn groups_of(&self, credential: CredentialId, model: &ModelSlug) -> Vec<Arc<QuotaGroup>> {
        let mut seats = self.seats.values().flatten();
        seats
            .find(|seat| seat.credential == credential)
            .map(|seat| seat.groups_for(model))
            .unwrap_or_default()
    }

    pub(crate) fn model(&self, slug: &ModelSlug) -> Option<&Model> {
        self.catalog.model(slug)
    }

    fn seat(&self, account: &Account, credential: &Credential) -> Seat {
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
        Seat {
            account: account.id,
            owner: account.owner.clone(),
            same_owner_spill: account.same_owner_spill,
            credential: credential.id,
            provider: credential.provider.clone(),
            state: credential.state.clone(),
            groups,
        }
    }
}

impl Seat {
    /// Whether calls may be made with it now.
    pub fn is_active(&self, now: Timestamp) -> bool {
        match &self.state {
            CredentialState::Active => true,
            CredentialState::Parked { until, .. } => *until <= now,
            CredentialState::Refused { .. } => false,
        }
    }

    /// The groups that a call of this model draws on.
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

    fn serves(&self, model: &ModelSlug) -> bool {
        !self.groups_for(model).is_empty()
    }
}

/// One group for everything that an account does at a provider, while nothing better is known. Two keys of
/// one account share it: adding keys never adds capacity.
fn assumed(account: AccountId, provider: &ProviderId, row: Option<&Provider>) -> QuotaGroup {
    let limits = row
        .map(|row| row.default_limits.clone())
        .unwrap_or_default();
    QuotaGroup {
        id: GroupId::new(format!("{provider}/{account}")),
        limits,
    }
}
