//! Accounts and credentials.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chorus_core::id::{AccountId, CredentialId, Tenant};
use chorus_core::port::StoreError;
use chorus_core::port::directory::{
    Account, Credential, CredentialState, Directory, Imported, Mark, NewAccount, NewCredential,
    Removal, SealedSecret, StoredSecret,
};

use super::Store;

/// Accounts without credentials, and credentials by id.
#[derive(Default)]
pub(super) struct Accounts {
    accounts: BTreeMap<AccountId, (Tenant, Account)>,
    credentials: BTreeMap<CredentialId, StoredCredential>,
}

struct StoredCredential {
    account: AccountId,
    tenant: Tenant,
    fingerprint: String,
    secret: SealedSecret,
    shown: Credential,
}

#[async_trait]
impl Directory for Store {
    async fn import(&self, accounts: Vec<NewAccount>) -> Result<Vec<Imported>, StoreError> {
        Ok(self.change(|state, _| {
            accounts
                .into_iter()
                .map(|account| state.accounts.import(account))
                .collect()
        }))
    }

    async fn accounts(&self, tenant: &Tenant) -> Result<Vec<Account>, StoreError> {
        Ok(self.change(|state, _| state.accounts.of(tenant)))
    }

    async fn secret(&self, credential: CredentialId) -> Result<Option<StoredSecret>, StoreError> {
        let deposit = |kept: &StoredCredential| StoredSecret {
            provider: kept.shown.provider.clone(),
            base_url: kept.shown.base_url.clone(),
            secret: kept.secret.clone(),
            fingerprint: kept.fingerprint.clone(),
        };
        Ok(self.change(|state, _| state.accounts.credentials.get(&credential).map(deposit)))
    }

    async fn set_state(
        &self,
        credential: CredentialId,
        to: CredentialState,
    ) -> Result<(), StoreError> {
        self.change(|state, now| {
            let mark = Mark::of_person(now);
            state.accounts.mark(credential, to, mark);
        });
        Ok(())
    }

    async fn mark_state(
        &self,
        credential: CredentialId,
        to: CredentialState,
        mark: Mark,
    ) -> Result<bool, StoreError> {
        Ok(self.change(|state, _| {
            let kept = state.accounts.credentials.get(&credential);
            let is_newest = kept.is_some_and(|kept| {
                !kept.shown.state.is_held() && mark.replaces(kept.shown.mark.as_ref())
            });
            if is_newest {
                state.accounts.mark(credential, to, mark);
            }
            is_newest
        }))
    }

    async fn update(
        &self,
        account: NewAccount,
        removed: Vec<CredentialId>,
    ) -> Result<Imported, StoreError> {
        Ok(self.change(|state, _| state.accounts.update(account.clone(), &removed)))
    }

    async fn remove(&self, tenant: &Tenant, what: Removal) -> Result<bool, StoreError> {
        Ok(self.change(|state, _| match what {
            Removal::Account(account) => state.accounts.remove(tenant, account),
            Removal::Drained(credential) => {
                let mut deliveries = state.rows.deliveries.values();
                let is_in_use = deliveries.any(|row| {
                    row.delivery.ended_at.is_none()
                        && row.delivery.assignment.credential() == credential
                });
                !is_in_use && state.accounts.remove_drained(tenant, credential)
            }
        }))
    }
}

impl Accounts {
    fn import(&mut self, new: NewAccount) -> Imported {
        if let Some(held_by) = self.duplicate(&new) {
            return Imported::Duplicate { held_by };
        }
        let known = self
            .accounts
            .values()
            .find(|(tenant, account)| *tenant == new.tenant && account.name == new.name);
        let id = known.map_or(new.id, |(_, account)| account.id);
        let NewAccount {
            tenant,
            name,
            owner,
            entitlement,
            same_owner_spill,
            credentials,
            ..
        } = new;
        let account = || {
            (
                tenant.clone(),
                Account {
                    id,
                    name,
                    owner,
                    entitlement,
                    same_owner_spill,
                    credentials: Vec::new(),
                },
            )
        };
        self.accounts.entry(id).or_insert_with(account);
        for credential in credentials {
            self.credentials
                .entry(credential.id)
                .or_insert_with(|| StoredCredential::new(credential, id, tenant.clone()));
        }
        Imported::Added(id)
    }

    fn update(&mut self, new: NewAccount, removed: &[CredentialId]) -> Imported {
        if let Some(held_by) = self.duplicate(&new) {
            return Imported::Duplicate { held_by };
        }
        if let Some((_, account)) = self.accounts.get_mut(&new.id) {
            account.owner = new.owner;
            account.entitlement = new.entitlement;
            account.same_owner_spill = new.same_owner_spill;
        }
        for credential in new.credentials {
            let mut stored = StoredCredential::new(credential, new.id, new.tenant.clone());
            if let Some(earlier) = self.credentials.remove(&stored.shown.id)
                && earlier.shown.state.is_held()
            {
                stored.shown.state = earlier.shown.state;
            }
            self.credentials.insert(stored.shown.id, stored);
        }
        self.credentials
            .retain(|id, stored| stored.account != new.id || !removed.contains(id));
        Imported::Added(new.id)
    }

    /// Name of the account that holds one of the secrets already.
    fn duplicate(&self, new: &NewAccount) -> Option<String> {
        let mut credentials = new.credentials.iter().enumerate();
        credentials.find_map(|(at, one)| self.held_by(new, at, one))
    }

    /// Name of the account that holds this secret already. A credential of the same id is an earlier call of the
    /// same import.
    fn held_by(&self, new: &NewAccount, at: usize, credential: &NewCredential) -> Option<String> {
        if new.credentials[..at]
            .iter()
            .any(|earlier| earlier.fingerprint == credential.fingerprint)
        {
            return Some(new.name.clone());
        }
        let same = |(id, kept): &(&CredentialId, &StoredCredential)| {
            kept.tenant == new.tenant
                && (kept.fingerprint == credential.fingerprint
                    || credential.earlier_fingerprints.contains(&kept.fingerprint))
                && **id != credential.id
        };
        let (_, kept) = self.credentials.iter().find(same)?;
        self.accounts
            .get(&kept.account)
            .map(|(_, account)| account.name.clone())
    }

    fn mark(&mut self, credential: CredentialId, state: CredentialState, mark: Mark) {
        if let Some(kept) = self.credentials.get_mut(&credential) {
            kept.shown.state = state;
            kept.shown.mark = Some(mark);
        }
    }

    fn of(&self, tenant: &Tenant) -> Vec<Account> {
        let with_credentials = |account: &Account| {
            let credentials = self
                .credentials
                .values()
                .filter(|kept| kept.account == account.id)
                .map(|kept| kept.shown.clone())
                .collect();
            Account {
                credentials,
                ..account.clone()
            }
        };
        let mut found: Vec<_> = self
            .accounts
            .values()
            .filter(|(of, _)| of == tenant)
            .map(|(_, account)| with_credentials(account))
            .collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found
    }

    fn remove(&mut self, tenant: &Tenant, account: AccountId) -> bool {
        let known = self
            .accounts
            .get(&account)
            .is_some_and(|(of, _)| of == tenant);
        if known {
            self.accounts.remove(&account);
            self.credentials.retain(|_, kept| kept.account != account);
        }
        known
    }
}

impl Accounts {
    fn remove_drained(&mut self, tenant: &Tenant, credential: CredentialId) -> bool {
        let is_drained = self.credentials.get(&credential).is_some_and(|kept| {
            kept.tenant == *tenant && matches!(kept.shown.state, CredentialState::Draining { .. })
        });
        is_drained && self.credentials.remove(&credential).is_some()
    }
}

impl StoredCredential {
    fn new(new: NewCredential, account: AccountId, tenant: Tenant) -> Self {
        let NewCredential {
            id,
            provider,
            base_url,
            secret,
            fingerprint,
            earlier_fingerprints: _,
            expires_at,
            groups,
        } = new;
        let shown = Credential {
            id,
            provider,
            base_url,
            groups,
            expires_at,
            state: CredentialState::Active,
            mark: None,
        };
        Self {
            account,
            tenant,
            fingerprint,
            secret,
            shown,
        }
    }
}
