//! Accounts and their credentials. Secrets are sealed before they get here and opened after they
//! leave.
//!
//! [`CredentialState`] says which calls may be made, [`Mark`] on what evidence.

mod state;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::id::{AccountId, CredentialId, ModelSlug, ProviderId, Tenant};
use crate::limit::QuotaGroup;
use crate::time::Timestamp;

pub use state::{CredentialState, Mark, MarkSource};

/// Store of accounts, of their credentials and of the state of each credential.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Adds accounts with their credentials and returns one [`Imported`] each, in order. An account
    /// (tenant, e-mail) that exists gets the new credentials; a credential with a known fingerprint
    /// is refused.
    async fn import(&self, accounts: Vec<NewAccount>) -> Result<Vec<Imported>, StoreError>;

    /// Returns all accounts of a tenant with their credentials, without secrets, ordered by name.
    async fn accounts(&self, tenant: &Tenant) -> Result<Vec<Account>, StoreError>;

    /// Returns the sealed secret of a credential of any tenant, and the address to which it may be
    /// sent.
    async fn secret(&self, credential: CredentialId) -> Result<Option<StoredSecret>, StoreError>;

    /// Changes the state of a credential by the act of a person. The change is the newest evidence.
    async fn set_state(
        &self,
        credential: CredentialId,
        state: CredentialState,
    ) -> Result<(), StoreError>;

    /// Changes the state of a credential by evidence; false when there is newer evidence, or when a person
    /// [holds](CredentialState::is_held) the credential: that stays.
    async fn mark_state(
        &self,
        credential: CredentialId,
        state: CredentialState,
        mark: Mark,
    ) -> Result<bool, StoreError>;

    /// Changes a stored account, named by its id: owner, entitlement and spill are replaced, credentials with a
    /// stored id too, and become active unless a person [holds](CredentialState::is_held) them; others are added,
    /// and `removed` ones are deleted. Returns [`Imported::Duplicate`] and changes nothing when another account
    /// has one of the secrets.
    async fn update(
        &self,
        account: NewAccount,
        removed: Vec<CredentialId>,
    ) -> Result<Imported, StoreError>;

    /// Removes what is named; false when it is not there, or may not be removed yet.
    async fn remove(&self, tenant: &Tenant, what: Removal) -> Result<bool, StoreError>;
}

/// Part of the directory that is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// An account with its credentials.
    Account(AccountId),
    /// A [draining](CredentialState::Draining) credential without an open delivery.
    Drained(CredentialId),
}

/// A secret, sealed with the envelope key. Its debug form shows the key's id only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSecret {
    /// Nonce and ciphertext, base64.
    pub sealed: String,
    /// Id of the envelope key that seals it.
    pub key_id: String,
}

impl std::fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedSecret(key {})", self.key_id)
    }
}

/// A sealed secret with the address to which it may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSecret {
    /// The only provider that may receive the secret.
    pub provider: ProviderId,
    /// Base URL in place of the provider's own; none for the provider's.
    pub base_url: Option<String>,
    /// Secret, still sealed.
    pub secret: SealedSecret,
    /// Fingerprint under which it was stored.
    pub fingerprint: String,
}

/// An account with its credentials, ready to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAccount {
    /// Id of the new account.
    pub id: AccountId,
    /// Tenant that owns the account.
    pub tenant: Tenant,
    /// E-mail address, or another name that people know the account by.
    pub name: String,
    /// Owner of the account; accounts of one owner are siblings.
    pub owner: String,
    /// Reason for which the operator may use the account.
    pub entitlement: Entitlement,
    /// True if a call refused for a rate may move to a sibling of the same owner at the same
    /// provider.
    pub same_owner_spill: bool,
    /// Credentials of the account, at least one.
    pub credentials: Vec<NewCredential>,
}

/// Reason for which the operator may use an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlement {
    /// `own`, `delegated_byok` or `employer`.
    pub kind: String,
    /// Person who attested it.
    pub attested_by: String,
    /// Time of the attestation.
    pub attested_at: Timestamp,
}

/// A credential with its sealed secret.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCredential {
    /// Id of the new credential.
    pub id: CredentialId,
    /// Provider that issued the credential.
    pub provider: ProviderId,
    /// Base URL of a self-hosted server; none for the provider's own.
    pub base_url: Option<String>,
    /// Secret, already sealed.
    pub secret: SealedSecret,
    /// Keyed hash of provider and secret: detects a duplicate without opening anything.
    pub fingerprint: String,
    /// Fingerprints of the same secret in the forms of earlier releases.
    pub earlier_fingerprints: Vec<String>,
    /// End of the key at its provider, as the operator gave it; none if it is not known.
    pub expires_at: Option<Timestamp>,
    /// Quota groups of the credential; each applies to the models it names, or to all.
    pub groups: Vec<GroupOf>,
}

/// A quota group of a credential and the models that draw on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupOf {
    /// Group with its limits.
    pub group: QuotaGroup,
    /// Models that draw on the group; empty for all of the provider's.
    #[serde(default)]
    pub models: Vec<ModelSlug>,
}

/// Result of importing one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// Id of the account that now has all the credentials.
    Added(AccountId),
    /// A credential was stored before, under another account; nothing of this account was added.
    Duplicate {
        /// Name of the account that has it.
        held_by: String,
    },
}

/// An account without secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Id of the account.
    pub id: AccountId,
    /// E-mail address, or another name that people know the account by.
    pub name: String,
    /// Owner of the account; accounts of one owner are siblings.
    pub owner: String,
    /// Reason for which the operator may use the account.
    pub entitlement: Entitlement,
    /// True if calls may move between siblings of this owner.
    pub same_owner_spill: bool,
    /// Credentials of the account, without secrets.
    pub credentials: Vec<Credential>,
}

/// A credential without its secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Credential {
    /// Id of the credential.
    pub id: CredentialId,
    /// Provider that issued the credential.
    pub provider: ProviderId,
    /// Base URL of a self-hosted server; none for the provider's own.
    pub base_url: Option<String>,
    /// Quota groups of the credential.
    pub groups: Vec<GroupOf>,
    /// End of the key at its provider, as the operator gave it. Calls go on after it: the provider decides.
    pub expires_at: Option<Timestamp>,
    /// State that [`Directory::set_state`] or [`Directory::mark_state`] set last.
    pub state: CredentialState,
    /// Evidence of the state; none when it is that of the import, or an earlier release set it.
    pub mark: Option<Mark>,
}
