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
    kept: Mutex<BTreeMap<(CredentialId, ProviderId), Opened>>,
}

impl DirectorySecrets {
    /// Nothing opened yet.
    pub fn new(directory: Arc<dyn Directory>, key: EnvelopeKey, tenant: Tenant) -> Self {
        Self { directory, key, tenant, kept: Mutex::new(BTreeMap::new()) }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<(CredentialId, ProviderId), Opened>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Secrets for DirectorySecrets {
    async fn open(&self, credential: CredentialId, provider: &ProviderId) -> Result<Opened, SecretsError> {
        let name = (credential, provider.clone());
        if let Some(opened) = self.kept().get(&name) {
            return Ok(opened.clone());
        }
        let accounts = self.directory.accounts(&self.tenant).await?;
        let mut rows = accounts.into_iter().flat_map(|account| account.credentials);
        let row = rows.find(|row| row.id == credential && row.provider == *provider).ok_or(SecretsError::Missing(credential))?;
        let sealed = self.directory.secret(credential).await?.ok_or(SecretsError::Missing(credential))?;
        let opened = Opened { secret: self.key.open(&sealed, credential, provider)?, base_url: row.base_url };
        self.kept().insert(name, opened.clone());
        Ok(opened)
    }

    fn forget(&self, credential: CredentialId) {
        self.kept().retain(|(kept, _), _| *kept != credential);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use chorus_core::id::AccountId;
    use chorus_core::port::directory::{Account, Credential, CredentialState, Entitlement, Imported, NewAccount, SealedSecret};
    use chorus_core::time::Timestamp;
    use futures_util::FutureExt as _;

    use super::*;

    /// One account with one credential at its own address, and how often its secret was read.
    struct OneAccount {
        sealed: SealedSecret,
        reads: AtomicU32,
    }

    const CREDENTIAL: CredentialId = CredentialId::new(7);

    #[async_trait]
    impl Directory for OneAccount {
        async fn import(&self, _: Vec<NewAccount>) -> Result<Vec<Imported>, StoreError> {
            Err(StoreError::Broken("read only".into()))
        }

        async fn accounts(&self, tenant: &Tenant) -> Result<Vec<Account>, StoreError> {
            let credential = Credential {
                id: CREDENTIAL,
                provider: "sim-openai".into(),
                base_url: Some("http://127.0.0.1:9/v1".into()),
                groups: Vec::new(),
                state: CredentialState::Active,
            };
            let entitlement = Entitlement { kind: "own".into(), attested_by: "test".into(), attested_at: Timestamp(0) };
            let account = Account {
                id: AccountId::new(1),
                name: "a@example.com".into(),
                owner: "a".into(),
                entitlement,
                same_owner_spill: false,
                credentials: vec![credential],
            };
            Ok(if tenant.as_str() == "home" { vec![account] } else { Vec::new() })
        }

        async fn secret(&self, _: CredentialId) -> Result<Option<SealedSecret>, StoreError> {
            self.reads.fetch_add(1, Ordering::Relaxed);
            Ok(Some(self.sealed.clone()))
        }

        async fn set_state(&self, _: CredentialId, _: CredentialState) -> Result<(), StoreError> {
            Err(StoreError::Broken("read only".into()))
        }

        async fn remove(&self, _: &Tenant, _: AccountId) -> Result<bool, StoreError> {
            Err(StoreError::Broken("read only".into()))
        }
    }

    fn secrets(tenant: &str) -> (DirectorySecrets, Arc<OneAccount>) {
        let key = EnvelopeKey::generate();
        let sealed = key.seal(&Secret::new("sk-home"), CREDENTIAL, &"sim-openai".into());
        let directory = Arc::new(OneAccount { sealed, reads: AtomicU32::new(0) });
        (DirectorySecrets::new(Arc::<OneAccount>::clone(&directory), key, Tenant::new(tenant)), directory)
    }

    fn open(secrets: &DirectorySecrets, number: u128, provider: &str) -> Result<Opened, SecretsError> {
        secrets.open(CredentialId::new(number), &provider.into()).now_or_never().expect("nothing here waits")
    }

    #[test]
    fn a_secret_is_opened_once_until_it_is_forgotten() {
        let (secrets, directory) = secrets("home");
        for _ in 0..3 {
            let opened = open(&secrets, 7, "sim-openai").expect("a secret");
            assert_eq!((opened.secret.expose(), opened.base_url.as_deref()), ("sk-home", Some("http://127.0.0.1:9/v1")));
        }
        assert_eq!(directory.reads.load(Ordering::Relaxed), 1);
        assert!(matches!(open(&secrets, 7, "openai"), Err(SecretsError::Missing(_))), "a kept secret goes to its own provider only");
        secrets.forget(CREDENTIAL);
        open(&secrets, 7, "sim-openai").expect("a secret");
        assert_eq!(directory.reads.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn another_tenants_provider_or_credential_is_not_opened() {
        for (tenant, number, provider) in [("away", 7, "sim-openai"), ("home", 8, "sim-openai"), ("home", 7, "openai")] {
            let (secrets, directory) = secrets(tenant);
            assert!(matches!(open(&secrets, number, provider), Err(SecretsError::Missing(_))), "{tenant} {number} {provider}");
            assert_eq!(directory.reads.load(Ordering::Relaxed), 0);
        }
    }

    #[test]
    fn a_secret_shows_itself_to_nobody() {
        let (secrets, _directory) = secrets("home");
        let opened = open(&secrets, 7, "sim-openai").expect("a secret");
        assert!(!format!("{opened:?}").contains("sk-home"));
        assert_eq!(opened.secret.blot("key sk-home is wrong"), "key [secret] is wrong");
    }
}
