//! Opened secrets for calls: the directory keeps them sealed, here they are opened once and kept.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chorus_core::id::{CredentialId, ProviderId, Tenant};
use chorus_core::port::{Directory, StoreError};
use zeroize::Zeroizing;

use crate::credential::{EnvelopeKey, OpenError};

/// A secret in the clear. It shows itself to nobody who does not ask by name, and is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A secret from its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for the one header or seal that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A text in which this secret is blotted out.
    pub fn blot(&self, text: &str) -> String {
        const SHORTEST: usize = 6;
        if self.0.len() < SHORTEST { text.to_owned() } else { text.replace(self.0.as_str(), "[secret]") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a call needs of a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The secret; empty for servers that want none.
    pub secret: Secret,
    /// Another address than the provider's own.
    pub base_url: Option<String>,
}

/// Opens secrets.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The opened secret of a credential at a provider.
    async fn open(&self, credential: CredentialId, provider: &ProviderId) -> Result<Opened, SecretsError>;

    /// What was kept of it may be wrong: read it anew next time.
    fn forget(&self, credential: CredentialId);
}

/// Why no secret came.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SecretsError {
    /// There is no such credential, or it belongs to another provider.
    #[error("no credential {0} at this provider")]
    Missing(CredentialId),
    /// It cannot be opened with this envelope key.
    #[error("open the credential")]
    Sealed(#[from] OpenError),
    /// The store did not answer.
    #[error("read the credential")]
    Store(#[from] StoreError),
}

/// Secrets of one tenant, read from the directory, opened with the envelope key and kept in memory.
pub struct DirectorySecrets {
    directory: Arc<dyn Directory>,
    key: EnvelopeKey,
    tenant: Tenant,
    kept: Mutex<BTreeMap<CredentialId, Opened>>,
}

impl DirectorySecrets {
    /// Nothing opened yet.
    pub fn new(directory: Arc<dyn Directory>, key: EnvelopeKey, tenant: Tenant) -> Self {
        Self { directory, key, tenant, kept: Mutex::new(BTreeMap::new()) }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<CredentialId, Opened>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Secrets for DirectorySecrets {
    async fn open(&self, credential: CredentialId, provider: &ProviderId) -> Result<Opened, SecretsError> {
        if let Some(opened) = self.kept().get(&credential) {
            return Ok(opened.clone());
        }
        let accounts = self.directory.accounts(&self.tenant).await?;
        let mut rows = accounts.into_iter().flat_map(|account| account.credentials);
        let row = rows.find(|row| row.id == credential && row.provider == *provider).ok_or(SecretsError::Missing(credential))?;
        let sealed = self.directory.secret(credential).await?.ok_or(SecretsError::Missing(credential))?;
        let opened = Opened { secret: self.key.open(&sealed, credential, provider)?, base_url: row.base_url };
        self.kept().insert(credential, opened.clone());
        Ok(opened)
    }

    fn forget(&self, credential: CredentialId) {
        self.kept().remove(&credential);
    }
}
