//! One identity as a person writes it down, before anything about it is checked.

use chorus_core::limit::Limit;
use serde::{Deserialize, Serialize};

/// One account of a file, with where it stood.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// `line 3` or `account 2`.
    pub(crate) place: String,
    pub(crate) identity: Identity,
    pub(crate) credentials: Vec<CredentialRow>,
}

/// Who the account is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    /// E-mail address.
    pub(crate) email: String,
    /// Who owns it; the address when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    /// `own`, `delegated_byok` or `employer`.
    #[serde(default = "own")]
    pub(crate) entitlement: String,
    /// Who attests that the operator may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attested_by: Option<String>,
    /// Whether a rate-limited call may move to a sibling of the same owner: only with the provider's approval.
    #[serde(default)]
    pub(crate) same_owner_spill: bool,
}

fn own() -> String {
    "own".to_owned()
}

/// One credential of an account.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CredentialRow {
    /// The provider's row in `catalog/providers.toml`.
    pub(crate) provider: String,
    /// The secret; may be empty for servers that want none.
    #[serde(default)]
    pub(crate) key: String,
    /// The provider's organisation or project: keys that name the same one share its limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) organization: Option<String>,
    /// Another address than the provider's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base_url: Option<String>,
    /// The models that it may serve; all of the provider's when empty.
    #[serde(default)]
    pub(crate) models: Vec<String>,
    /// Limits; the provider's usual ones when empty.
    #[serde(default)]
    pub(crate) limits: Vec<Limit>,
}

impl std::fmt::Debug for CredentialRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialRow")
            .field("provider", &self.provider)
            .field("organization", &self.organization)
            .finish_non_exhaustive()
    }
}

/// A row in the form in which a file holds it.
#[derive(Serialize)]
pub(crate) struct Written {
    #[serde(flatten)]
    identity: Identity,
    credential: Vec<CredentialRow>,
}

impl Row {
    /// The row as a file holds it.
    pub(crate) fn written(self) -> Written {
        Written {
            identity: self.identity,
            credential: self.credentials,
        }
    }
}
