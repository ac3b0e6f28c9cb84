//! Seals of secrets: XChaCha20-Poly1305 under one key, which is kept beside the data and not in it.
//!
//! A sealed secret is bound to its credential and provider, so that a row copied onto another does not open.

use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, Generate as _, Key, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use chorus_core::id::{CredentialId, ProviderId};
use chorus_core::port::directory::SealedSecret;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::fingerprint::{hex, keyed};
use crate::secret::Secret;

const PREFIX: &str = "chorus-key-1:";
const NONCE_LENGTH: usize = 24;

/// The key that seals and opens secrets.
#[derive(Clone)]
pub struct EnvelopeKey {
    key: Zeroizing<[u8; 32]>,
    id: String,
}

/// Reason that there is no envelope key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key's file cannot be read or written.
    #[error("read or write the key file {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Other users of the machine can read the file.
    #[error("the key file {0} can be read by others: run `chmod 600` on it")]
    Exposed(PathBuf),
    /// The text is no key.
    #[error("this is not an envelope key: expected {PREFIX} and 32 bytes in base64")]
    Malformed,
}

/// Reason that a [`SealedSecret`] does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The seal was made with another key.
    #[error("it was sealed with envelope key {sealed_with}, and this process has {have}")]
    OtherKey {
        /// The key's id in the row.
        sealed_with: String,
        /// The id of the key here.
        have: String,
    },
    /// The seal was changed, or belongs to another credential.
    #[error("it was changed or belongs to another credential")]
    Tampered,
}

impl EnvelopeKey {
    /// Draws a new key; [`EnvelopeKey::to_text`] writes it.
    pub fn generate() -> Self {
        Self::new(Zeroizing::new(Key::<XChaCha20Poly1305>::generate().into()))
    }

    /// Reads a key from text in the form of [`EnvelopeKey::to_text`].
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        let encoded = text
            .trim()
            .strip_prefix(PREFIX)
            .ok_or(KeyError::Malformed)?;
        let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| KeyError::Malformed)?);
        let key: [u8; 32] = bytes
            .as_slice()
            .try_into()
            .map_err(|_| KeyError::Malformed)?;
        Ok(Self::new(Zeroizing::new(key)))
    }

    /// Reads a key from a file; fails when other users may read it.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File {
            path: path.to_owned(),
            source,
        };
        if is_exposed(path).map_err(failed)? {
            return Err(KeyError::Exposed(path.to_owned()));
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(failed)?);
        Self::from_text(&text)
    }

    /// Reads the key of a file, or writes a new one to it; true for a new key, which should be backed up.
    pub fn from_file_or_new(path: &Path) -> Result<(Self, bool), KeyError> {
        let key = Self::generate();
        match create(path, &key) {
            Ok(()) => Ok((key, true)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Self::from_file(path).map(|key| (key, false))
            }
            Err(source) => Err(KeyError::File {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Text of the key, for its file or environment variable only.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", STANDARD.encode(self.key.as_slice())))
    }

    /// Id of the key: a hash that does not reveal it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals a secret for one credential; [`EnvelopeKey::open`] opens it.
    pub fn seal(
        &self,
        secret: &Secret,
        credential: CredentialId,
        provider: &ProviderId,
    ) -> SealedSecret {
        let nonce = XNonce::generate();
        let bound = binding(credential, provider);
        let payload = Payload {
            msg: secret.expose().as_bytes(),
            aad: bound.as_bytes(),
        };
        let sealed = self
            .cipher()
            .encrypt(&nonce, payload)
            .expect("a secret is shorter than the cipher's 256 GiB");
        SealedSecret {
            sealed: STANDARD.encode([nonce.as_slice(), &sealed].concat()),
            key_id: self.id.clone(),
        }
    }

    /// Opens a secret of one credential.
    pub fn open(
        &self,
        sealed: &SealedSecret,
        credential: CredentialId,
        provider: &ProviderId,
    ) -> Result<Secret, OpenError> {
        if sealed.key_id != self.id {
            return Err(OpenError::OtherKey {
                sealed_with: sealed.key_id.clone(),
                have: self.id.clone(),
            });
        }
        let bytes = STANDARD
            .decode(&sealed.sealed)
            .map_err(|_| OpenError::Tampered)?;
        let (nonce, text) = bytes
            .split_at_checked(NONCE_LENGTH)
            .ok_or(OpenError::Tampered)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| OpenError::Tampered)?;
        let bound = binding(credential, provider);
        let payload = Payload {
            msg: text,
            aad: bound.as_bytes(),
        };
        let opened = self
            .cipher()
            .decrypt(&nonce, payload)
            .map_err(|_| OpenError::Tampered)?;
        String::from_utf8(opened)
            .map(Secret::new)
            .map_err(|_| OpenError::Tampered)
    }

    /// Fingerprint of a secret: a hash that only holders of this key can compute.
    pub fn fingerprint(&self, provider: &ProviderId, secret: &Secret) -> String {
        keyed(&self.key, provider, secret)
    }

    fn new(key: Zeroizing<[u8; 32]>) -> Self {
        let digest = Sha256::new()
            .chain_update("chorus envelope key id")
            .chain_update(key.as_slice())
            .finalize();
        let id = hex(&digest[..8]);
        Self { key, id }
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::<XChaCha20Poly1305>::from(*self.key))
    }
}

impl fmt::Debug for EnvelopeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnvelopeKey({})", self.id)
    }
}

fn binding(credential: CredentialId, provider: &ProviderId) -> String {
    format!("{credential}/{provider}")
}

#[cfg(unix)]
fn is_exposed(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_exposed(path: &Path) -> io::Result<bool> {
    std::fs::metadata(path).map(|_| false)
}

fn create(path: &Path, key: &EnvelopeKey) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{}", key.to_text().as_str())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(number: u128) -> (CredentialId, ProviderId) {
        (CredentialId::new(number), ProviderId::new("openai"))
    }

    #[test]
    fn a_sealed_secret_opens_only_for_its_own_credential() {
        let key = EnvelopeKey::generate();
        let (id, provider) = credential(1);
        let secret = Secret::new("sk-very-secret");
        let sealed = key.seal(&secret, id, &provider);
        assert!(!sealed.sealed.contains("secret"));
        assert_eq!(key.open(&sealed, id, &provider), Ok(secret));
        assert_eq!(
            key.open(&sealed, credential(2).0, &provider),
            Err(OpenError::Tampered)
        );
        assert_eq!(
            key.open(&sealed, id, &ProviderId::new("deepseek")),
            Err(OpenError::Tampered)
        );
    }

    #[test]
    fn a_changed_seal_and_another_key_are_different_errors() {
        let (id, provider) = credential(1);
        let key = EnvelopeKey::generate();
        let mut sealed = key.seal(&Secret::new("x"), id, &provider);
        assert!(matches!(
            EnvelopeKey::generate().open(&sealed, id, &provider),
            Err(OpenError::OtherKey { .. })
        ));
        sealed.sealed.replace_range(
            40..41,
            if &sealed.sealed[40..41] == "A" {
                "B"
            } else {
                "A"
            },
        );
        assert_eq!(key.open(&sealed, id, &provider), Err(OpenError::Tampered));
        sealed.sealed.truncate(8);
        assert_eq!(key.open(&sealed, id, &provider), Err(OpenError::Tampered));
    }

    #[test]
    fn the_same_secret_is_never_sealed_twice_alike() {
        let (id, provider) = credential(1);
        let key = EnvelopeKey::generate();
        assert_ne!(
            key.seal(&Secret::new("x"), id, &provider),
            key.seal(&Secret::new("x"), id, &provider)
        );
    }

    #[test]
    fn a_key_file_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys/envelope.key");
        let (first, fresh) = EnvelopeKey::from_file_or_new(&path).expect("a fresh key");
        assert!(fresh);
        let (second, fresh) = EnvelopeKey::from_file_or_new(&path).expect("the same key");
        assert!(!fresh);
        assert_eq!(first.id(), second.id());
        assert!(!is_exposed(&path).expect("its mode"));
        assert!(!format!("{first:?}").contains(first.to_text().trim_start_matches(PREFIX)));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("envelope.key");
        EnvelopeKey::from_file_or_new(&path).expect("a fresh key");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))
            .expect("a changed mode");
        assert!(matches!(
            EnvelopeKey::from_file(&path),
            Err(KeyError::Exposed(_))
        ));
    }

    #[test]
    fn text_that_is_no_key_is_refused() {
        for text in [
            "",
            "chorus-key-1:",
            "chorus-key-1:AAAA",
            "AAAA",
            "chorus-key-1:!",
        ] {
            assert!(
                matches!(EnvelopeKey::from_text(text), Err(KeyError::Malformed)),
                "{text:?}"
            );
        }
    }
}
