//! API keys of clients: tenant, scopes and end of each. The text of a key never gets here, only its
//! SHA-256; the gateway mints keys and reads their text.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;

use super::StoreError;
use crate::artifact::ArtifactHash;
use crate::id::{KeyId, Tenant};
use crate::time::Timestamp;

/// Store of the keys that clients present.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Stores a key. Storing the same id again has no effect.
    async fn create(&self, key: NewKey) -> Result<(), StoreError>;

    /// Returns the key with this hash, revoked and expired ones included: [`ApiKey::status`]
    /// separates them.
    async fn find(&self, hash: KeyHash) -> Result<Option<ApiKey>, StoreError>;

    /// Returns all keys of a tenant, newest first.
    async fn list(&self, tenant: &Tenant) -> Result<Vec<ApiKey>, StoreError>;

    /// Revokes a key; false when the tenant has no such key. Revoking it again keeps the first
    /// time.
    async fn revoke(&self, tenant: &Tenant, key: KeyId) -> Result<bool, StoreError>;
}

/// SHA-256 of the text of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(ArtifactHash);

impl KeyHash {
    /// Hashes the whole text of a key.
    pub fn of(text: &str) -> Self {
        Self(ArtifactHash::of(text.as_bytes()))
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for KeyHash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A key to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Public id of the key.
    pub id: KeyId,
    /// Tenant of the projects that the key opens.
    pub tenant: Tenant,
    /// Label for people.
    pub name: String,
    /// SHA-256 of the text of the key.
    pub hash: KeyHash,
    /// Actions that the key permits.
    pub scopes: Scopes,
    /// End of the key; none for a key without an end.
    pub expires_at: Option<Timestamp>,
}

/// A stored key, without its text and hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Public id of the key.
    pub id: KeyId,
    /// Tenant of the projects that the key opens.
    pub tenant: Tenant,
    /// Label for people.
    pub name: String,
    /// Actions that the key permits.
    pub scopes: Scopes,
    /// Time of creation, by the store's clock.
    pub created_at: Timestamp,
    /// End of the key; none for a key without an end.
    pub expires_at: Option<Timestamp>,
    /// Time of revocation; none for a key that was never revoked.
    pub revoked_at: Option<Timestamp>,
}

/// Status of a key at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStatus {
    /// The key may be used.
    Good,
    /// The key was revoked; wins over [`KeyStatus::Expired`].
    Revoked,
    /// The end of the key has passed.
    Expired,
}

impl ApiKey {
    /// Returns the status at `now`; a key ends exactly at `expires_at`.
    pub fn status(&self, now: Timestamp) -> KeyStatus {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => KeyStatus::Revoked,
            (None, Some(end)) if end <= now => KeyStatus::Expired,
            (None, _) => KeyStatus::Good,
        }
    }
}

/// One action that a key can permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Read projects, their events, deliverables and reports.
    ProjectsRead,
    /// Submit projects and command them.
    ProjectsWrite,
    /// Read the names of the accounts on which work ran.
    AccountsRead,
    /// Import, check, pause, rotate and remove accounts, and read the audit.
    AccountsWrite,
}

impl Scope {
    /// All scopes of this release, in order.
    pub const ALL: [Self; 4] = [
        Self::ProjectsRead,
        Self::ProjectsWrite,
        Self::AccountsRead,
        Self::AccountsWrite,
    ];

    /// Returns the text of the scope, as stored and as clients write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProjectsRead => "projects:read",
            Self::ProjectsWrite => "projects:write",
            Self::AccountsRead => "accounts:read",
            Self::AccountsWrite => "accounts:write",
        }
    }
}

/// Set of scopes; stored and shown as their texts with a space between them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Every scope that this release knows.
    pub fn all() -> Self {
        Self(Scope::ALL.into())
    }

    /// Every scope that a key gets unless its scopes are named: all but [`Scope::AccountsWrite`].
    pub fn of_clients() -> Self {
        let mut scopes = Self::all();
        scopes.0.remove(&Scope::AccountsWrite);
        scopes
    }

    /// Parses texts separated by white space; a text of a later release is ignored.
    pub fn known(words: &str) -> Self {
        Self(
            Scope::ALL
                .into_iter()
                .filter(|scope| words.split_whitespace().any(|word| word == scope.as_str()))
                .collect(),
        )
    }

    /// Returns true if the set permits the action.
    pub fn allow(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.0.iter().map(|scope| scope.as_str()).collect();
        f.write_str(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_back_and_unknown_ones_are_ignored() {
        let cases = [
            ("", ""),
            ("projects:read", "projects:read"),
            (
                "later:read projects:write  projects:read",
                "projects:read projects:write",
            ),
        ];
        for (words, known) in cases {
            assert_eq!(Scopes::known(words).to_string(), known);
        }
        assert_eq!(Scopes::known(&Scopes::all().to_string()), Scopes::all());
    }

    #[test]
    fn a_key_is_good_until_its_end_or_its_revocation() {
        let key = |expires_at, revoked_at| ApiKey {
            id: KeyId::new(1),
            tenant: Tenant::new("home"),
            name: "laptop".to_owned(),
            scopes: Scopes::all(),
            created_at: Timestamp(0),
            expires_at,
            revoked_at,
        };
        assert_eq!(key(None, None).status(Timestamp(9)), KeyStatus::Good);
        assert_eq!(
            key(Some(Timestamp(10)), None).status(Timestamp(9)),
            KeyStatus::Good
        );
        assert_eq!(
            key(Some(Timestamp(9)), None).status(Timestamp(9)),
            KeyStatus::Expired
        );
        assert_eq!(
            key(Some(Timestamp(5)), Some(Timestamp(7))).status(Timestamp(9)),
            KeyStatus::Revoked
        );
    }
}
