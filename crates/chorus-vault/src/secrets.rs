//! Opened secrets for calls: the directory keeps them sealed, here they are opened once and kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chorus_core::id::{CredentialId, ProviderId};
use chorus_core::port::directory::StoredSecret;
use chorus_core::port::{Directory, StoreError};

use crate::envelope::{EnvelopeKey, OpenError};
use crate::secret::Secret;

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
    async fn open(
        &self,
        credential: CredentialId,
        provider: &ProviderId,
    ) -> Result<Opened, SecretsError>;

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

/// Secrets read from the directory, opened with the envelope key and kept in memory. Whose credential a call may use
/// is the pool's to say; here it only goes to its own provider.
pub struct DirectorySecrets {
    directory: Arc<dyn Directory>,
    key: EnvelopeKey,
    kept: Mutex<BTreeMap<(CredentialId, ProviderId), Opened>>,
}

impl DirectorySecrets {
    /// Nothing opened yet.
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
        let deposit = self
            .directory
            .secret(credential)
            .await?
            .filter(|deposit| deposit.provider == *provider);
        let StoredSecret {
            base_url, secret, ..
        } = deposit.ok_or(SecretsError::Missing(credential))?;
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

    use chorus_core::id::{AccountId, Tenant};
    use chorus_core::port::directory::{
        Account, CredentialState, Imported, NewAccount, SealedSecret,
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
            Err(StoreError::broken("nobody asks"))
        }

        async fn secret(
            &self,
            credential: CredentialId,
        ) -> Result<Option<StoredSecret>, StoreError> {
            self.reads.fetch_add(1, Ordering::Relaxed);
            let base_url = Some("http://127.0.0.1:9/v1".into());
            let deposit = StoredSecret {
                provider: "sim-openai".into(),
                base_url,
                secret: self.sealed.clone(),
            };
            Ok((credential == CREDENTIAL).then_some(deposit))
        }

        async fn set_state(&self, _: CredentialId, _: CredentialState) -> Result<(), StoreError> {
            Err(StoreError::broken("read only"))
        }

        async fn remove(&self, _: &Tenant, _: AccountId) -> Result<bool, StoreError> {
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
    fn a_secret_shows_itself_to_nobody() {
        let (secrets, _directory) = secrets();
        let opened = open(&secrets, 7, "sim-openai").expect("a secret");
        assert!(!format!("{opened:?}").contains("sk-home"));
        assert_eq!(
            opened.secret.blot("key sk-home is wrong"),
            "key [secret] is wrong"
        );
    }
}
