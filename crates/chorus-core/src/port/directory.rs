//! Accounts and their credentials. Secrets are sealed before they come here and opened after they leave.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::id::{AccountId, CredentialId, ModelSlug, ProviderId, Tenant};
use crate::limit::QuotaGroup;
use crate::time::Timestamp;

/// Accounts, credentials and their state.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Adds accounts with their credentials; one answer each, in order. An account (tenant, e-mail) that is
    /// there already gets the new credentials; a credential whose fingerprint is there already is refused.
    async fn import(&self, accounts: Vec<NewAccount>) -> Result<Vec<Imported>, StoreError>;

    /// All accounts with their credentials, without secrets, by name.
    async fn accounts(&self, tenant: &Tenant) -> Result<Vec<Account>, StoreError>;

    /// The sealed secret of a credential, whoever's it is, and where it may be sent.
    async fn secret(&self, credential: CredentialId) -> Result<Option<StoredSecret>, StoreError>;

    /// Changes what may be done with a credential.
    async fn set_state(
        &self,
        credential: CredentialId,
        state: CredentialState,
    ) -> Result<(), StoreError>;

    /// Removes an account with its credentials; false when there is none.
    async fn remove(&self, tenant: &Tenant, account: AccountId) -> Result<bool, StoreError>;
}

/// A secret, sealed with the envelope key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSecret {
    /// Nonce and ciphertext, base64.
    pub sealed: String,
    /// Which envelope key.
    pub key_id: String,
}

impl std::fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedSecret(key {})", self.key_id)
    }
}

/// A sealed secret with the place for which it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSecret {
    /// The only provider that may get it.
    pub provider: ProviderId,
    /// Another address than the provider's own.
    pub base_url: Option<String>,
    /// The secret.
    pub secret: SealedSecret,
}

/// An identity with its credentials, ready to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAccount {
    /// Its id.
    pub id: AccountId,
    /// Whose pool it joins.
    pub tenant: Tenant,
    /// Its e-mail address or another name that people know it by.
    pub name: String,
    /// Who owns it; siblings of one owner are told apart by this.
    pub owner: String,
    /// Why the operator may use it.
    pub entitlement: Entitlement,
    /// Whether a call refused for a rate may move to a sibling of the same owner at the same provider.
    pub same_owner_spill: bool,
    /// Its credentials.
    pub credentials: Vec<NewCredential>,
}

/// Why the operator may use an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlement {
    /// `own`, `delegated_byok` or `employer`.
    pub kind: String,
    /// Who attested it.
    pub attested_by: String,
    /// When.
    pub attested_at: Timestamp,
}

/// A credential, sealed.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCredential {
    /// Its id.
    pub id: CredentialId,
    /// The provider's row.
    pub provider: ProviderId,
    /// Another address than the provider's own, for servers of one's own.
    pub base_url: Option<String>,
    /// The secret.
    pub secret: SealedSecret,
    /// SHA-256 of provider and secret: tells a duplicate without opening anything.
    pub fingerprint: String,
    /// The groups it draws on, by model: a group applies to the models it names, or to all.
    pub groups: Vec<GroupOf>,
}

/// A quota group of a credential and the models that draw on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupOf {
    /// The group with its limits.
    pub group: QuotaGroup,
    /// The models; none for all of the provider's.
    #[serde(default)]
    pub models: Vec<ModelSlug>,
}

/// What became of one imported account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// It and all its credentials are there.
    Added(AccountId),
    /// This credential was there before, under the named account; nothing of this row was added.
    Duplicate {
        /// The name of the account that holds it.
        held_by: String,
    },
}

/// An account as everybody may see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Its owner.
    pub owner: String,
    /// Why it may be used.
    pub entitlement: Entitlement,
    /// Whether calls may move between siblings of this owner.
    pub same_owner_spill: bool,
    /// Its credentials.
    pub credentials: Vec<Credential>,
}

/// A credential as everybody may see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// The provider's row.
    pub provider: ProviderId,
    /// Another address than the provider's own.
    pub base_url: Option<String>,
    /// The groups it draws on.
    pub groups: Vec<GroupOf>,
    /// What may be done with it.
    pub state: CredentialState,
}

/// What may be done with a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CredentialState {
    /// Calls may be made.
    Active,
    /// The provider does not accept it: no calls until a person acts.
    Refused {
        /// The provider's words.
        reason: String,
    },
    /// Parked until a time (day's quota, month's spend).
    Parked {
        /// Until when.
        until: Timestamp,
        /// Why.
        reason: String,
    },
}
