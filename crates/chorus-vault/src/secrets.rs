//! Opened secrets for calls: read sealed from the directory, opened once, kept in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chorus_core::id::{CredentialId, ProviderId};
use chorus_core::port::directory::StoredSecret;
use chorus_core::port::{Directory, StoreError};

use crate::envelope::{EnvelopeKey, OpenError};
use crate::secret::Secret;

/// A credential, as a call needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Secret; empty for servers that want none.
    pub secret: Secret,
    /// Base URL instead of the provider's own.
    pub base_url: Option<String>,
}

/// Source of opened secrets.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// Opens the secret of a credential at its provider.
    async fn open(
        &self,
        credential: CredentialId,
        provider: &ProviderId,
    ) -> Result<Opened, SecretsError>;

    /// Drops the kept secret, so that the next call reads it again.
    fn forget(&self, credential: CredentialId);
}

/// Reason that a secret cannot be opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SecretsError {
    /// The credential does not exist or belongs to another provider.
    #[error("no credential {0} at this provider")]
    Missing(CredentialId),
    /// The seal does not open with this envelope key.
    #[error("open the credential")]
    Sealed(#[from] OpenError),
    /// The store failed to read it.
    #[error("read the credential")]
    Store(#[from] StoreError),
}

/// Secrets of a [`Directory`], opened with an [`EnvelopeKey`] and kept in memory. The pool decides which
/// credential a call may use; a secret opened here goes to its own provider only.
pub struct DirectorySecrets {
    directory: Arc<dyn Directory>,
    key: EnvelopeKey,
    kept: Mutex<BTreeMap<(CredentialId, ProviderId), Opened>>,
}

impl DirectorySecrets {
    /// Creates a source in which no secret is open.
    pub fn new(directory: Arc<dyn Directory>, key: EnvelopeKey) -> Self {
        Self {
            directory,
            key,
            kept: Mutex::new(BTreeMap::new()),
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<(CredentialId, ProviderId), Opened>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Secrets for DirectorySecrets {
    async fn open(
        &self,
        credential: CredentialId,
        provider: &ProviderId,
    ) -> Result<Opened, SecretsError> {
        let name = (credential, provider.clone());
        if let Some(opened) = self.kept().get(&name) {
            return Ok(opened.clone());
        }
        let stored = self
            .directory
            .secret(credential)
            .await?
            .filter(|stored| stored.provider == *provider);
        let StoredSecret {
            base_url, secret, ..
        } = stored.ok_or(SecretsError::Missing(credential))?;
        let opened = Opened {
            secret: self.key.open(&secret, credential, provider)?,
            base_url,
        };
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

    use chorus_core::id::Tenant;
    use chorus_core::port::directory::{
        Account, CredentialState, Imported, Mark, NewAccount, Removal, SealedSecret,
    };
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
            Err(StoreError::broken("read only"))
        }

        async fn accounts(&self, _: &Tenant) -> Result<Vec<Account>, StoreError> {
            Err(StoreError::broken("not asked"))
        }

        async fn secret(
            &self,
            credential: CredentialId,
        ) -> Result<Option<StoredSecret>, StoreError> {
            self.reads.fetch_add(1, Ordering::Relaxed);
            let base_url = Some("http://127.0.0.1:9/v1".into());
            let stored = StoredSecret {
                provider: "sim-openai".into(),
                base_url,
                secret: self.sealed.clone(),
                fingerprint: String::new(),
            };
            Ok((credential == CREDENTIAL).then_some(stored))
        }

        async fn set_state(&self, _: CredentialId, _: CredentialState) -> Result<(), StoreError> {
            Err(StoreError::broken("read only"))
        }

        async fn mark_state(
            &self,
            _: CredentialId,
            _: CredentialState,
            _: Mark,
        ) -> Result<bool, StoreError> {
            Err(StoreError::broken("read only"))
        }

        async fn update(
            &self,
            _: NewAccount,
            _: Vec<CredentialId>,
        ) -> Result<Imported, StoreError> {
            Err(StoreError::broken("read only"))
        }

        async fn remove(&self, _: &Tenant, _: Removal) -> Result<bool, StoreError> {
            Err(StoreError::broken("read only"))
        }
    }

    fn secrets() -> (DirectorySecrets, Arc<OneAccount>) {
        let key = EnvelopeKey::generate();
        let sealed = key.seal(&Secret::new("sk-home"), CREDENTIAL, &"sim-openai".into());
        let directory = Arc::new(OneAccount {
            sealed,
            reads: AtomicU32::new(0),
        });
        (
            DirectorySecrets::new(Arc::<OneAccount>::clone(&directory), key),
            directory,
        )
    }

    fn open(
        secrets: &DirectorySecrets,
        number: u128,
        provider: &str,
    ) -> Result<Opened, SecretsError> {
        secrets
            .open(CredentialId::new(number), &provider.into())
            .now_or_never()
            .expect("nothing here waits")
    }

    #[test]
    fn a_secret_is_opened_once_until_it_is_forgotten() {
        let (secrets, directory) = secrets();
        for _ in 0..3 {
            let opened = open(&secrets, 7, "sim-openai").expect("a secret");
            assert_eq!(
                (opened.secret.expose(), opened.base_url.as_deref()),
                ("sk-home", Some("http://127.0.0.1:9/v1"))
            );
        }
        assert_eq!(directory.reads.load(Ordering::Relaxed), 1);
        assert!(
            matches!(open(&secrets, 7, "openai"), Err(SecretsError::Missing(_))),
            "a kept secret goes to its own provider only"
        );
        let read = directory.reads.load(Ordering::Relaxed);
        secrets.forget(CREDENTIAL);
        open(&secrets, 7, "sim-openai").expect("a secret");
        assert_eq!(directory.reads.load(Ordering::Relaxed), read + 1);
    }

    #[test]
    fn another_providers_or_an_unknown_credential_is_not_opened() {
        for (number, provider) in [(8, "sim-openai"), (7, "openai")] {
            let (secrets, _directory) = secrets();
            assert!(
                matches!(
                    open(&secrets, number, provider),
                    Err(SecretsError::Missing(_))
                ),
                "{number} {provider}"
            );
        }
    }

    #[test]
    fn debug_output_hides_a_secret() {
        let (secrets, _directory) = secrets();
        let opened = open(&secrets, 7, "sim-openai").expect("a secret");
        assert!(!format!("{opened:?}").contains("sk-home"));
        assert_eq!(
            opened.secret.blot("key sk-home is wrong"),
            "key [secret] is wrong"
        );
    }
}
