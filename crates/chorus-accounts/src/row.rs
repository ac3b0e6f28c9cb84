//! Accounts as people write them, before [`crate::Importer`] checks them.

use chorus_core::limit::Limit;
use serde::{Deserialize, Serialize};

/// One account of a file or a variable, unchecked. `Debug` shows its place only: any cell may be a key in
/// the wrong column.
#[derive(Clone, PartialEq)]
pub struct Row {
    /// Place for messages, such as `line 3` or `account 2`.
    pub place: String,
    /// Name and owner of the account.
    pub identity: Identity,
    /// Credentials, in the order of the file.
    pub credentials: Vec<CredentialRow>,
}

/// Name, owner and entitlement of an account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// E-mail address, which is the account's name.
    pub email: String,
    /// Owner; the e-mail address when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// `own`, `delegated_byok` or `employer`.
    #[serde(default = "own")]
    pub entitlement: String,
    /// Person who attests that the operator may use the account; the owner when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attested_by: Option<String>,
    /// True if a rate-limited call may move to another account of the same owner: only with the provider's approval.
    #[serde(default)]
    pub same_owner_spill: bool,
}

fn own() -> String {
    "own".to_owned()
}

/// One credential of an account. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialRow {
    /// Id of a provider of the catalogue.
    pub provider: String,
    /// Secret; empty for servers that want none.
    #[serde(default)]
    pub key: String,
    /// Organisation or project at the provider: keys of the same one share its limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Base URL instead of the provider's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Models that the key may call; all of the provider when empty.
    #[serde(default)]
    pub models: Vec<String>,
    /// Limits of the key; the provider's defaults when empty.
    #[serde(default)]
    pub limits: Vec<Limit>,
}

impl std::fmt::Debug for CredentialRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialRow").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// A row in the form of `accounts.toml`.
#[derive(Serialize)]
pub struct Written {
    #[serde(flatten)]
    identity: Identity,
    credential: Vec<CredentialRow>,
}

impl Row {
    /// Returns the row as [`Written`], the form of `accounts.toml`.
    pub fn written(self) -> Written {
        Written {
            identity: self.identity,
            credential: self.credentials,
        }
    }
}
