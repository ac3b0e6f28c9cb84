//! API keys of clients: whose they are, what they may do, until when. The key's own text never comes here, only
//! its SHA-256; minting and reading that text is the gateway's.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;

use super::StoreError;
use crate::artifact::ArtifactHash;
use crate::id::{KeyId, Tenant};
use crate::time::Timestamp;

/// The keys that clients present.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Keeps a key from now on. The same id again is the same deed.
    async fn create(&self, key: NewKey) -> Result<(), StoreError>;

    /// The key of this hash, also when it is revoked or expired: the caller tells the client which.
    async fn find(&self, hash: KeyHash) -> Result<Option<ApiKey>, StoreError>;

    /// All keys of a tenant, newest first.
    async fn list(&self, tenant: &Tenant) -> Result<Vec<ApiKey>, StoreError>;

    /// From now on the key is refused; false when the tenant has no such key. A key stays revoked since the first time.
    async fn revoke(&self, tenant: &Tenant, key: KeyId) -> Result<bool, StoreError>;
}

/// SHA-256 of a key's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(ArtifactHash);

impl KeyHash {
    /// The hash of a key's whole text.
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

/// A key that is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Its id, by which people speak of it.
    pub id: KeyId,
    /// Whose work it may see and do.
    pub tenant: Tenant,
    /// What people call it.
    pub name: String,
    /// SHA-256 of its text.
    pub hash: KeyHash,
    /// What it may do.
    pub scopes: Scopes,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// A key as everybody may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// Whose it is.
    pub tenant: Tenant,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// When it was made, by the store's clock.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Since when it is refused.
    pub revoked_at: Option<Timestamp>,
}

/// Whether a key may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStatus {
    /// It may.
    Good,
    /// Somebody revoked it.
    Revoked,
    /// Its time is over.
    Expired,
}

impl ApiKey {
    /// Whether it may be used now.
    pub fn status(&self, now: Timestamp) -> KeyStatus {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => KeyStatus::Revoked,
            (None, Some(end)) if end <= now => KeyStatus::Expired,
            (None, _) => KeyStatus::Good,
        }
    }
}

/// One thing that a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// See projects, their events, deliverables and reports.
    ProjectsRead,
    /// Hand in projects and command them.
    ProjectsWrite,
    /// See the names of the accounts on which work ran.
    AccountsRead,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::ProjectsRead, Self::ProjectsWrite, Self::AccountsRead];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProjectsRead => "projects:read",
            Self::ProjectsWrite => "projects:write",
            Self::AccountsRead => "accounts:read",
        }
    }
}

/// What a key may do; kept and shown as words with a space between them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Everything that this release knows.
    pub fn all() -> Self {
        Self(Scope::ALL.into())
    }

    /// The scopes that these words name; a word of a later release gives nothing.
    pub fn known(words: &str) -> Self {
        Self(
            Scope::ALL
                .into_iter()
                .filter(|scope| words.split_whitespace().any(|word| word == scope.as_str()))
                .collect(),
        )
    }

    /// Whether this may be done.
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
    fn scopes_are_read_back_and_later_words_give_nothing() {
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
