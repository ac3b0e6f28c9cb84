//! Fingerprints of secrets, by which duplicates are found without opening a seal.

use std::fmt::Write as _;

use chorus_core::id::ProviderId;
use sha2::{Digest as _, Sha256};

use crate::secret::Secret;

/// SHA-256 of provider and secret, in hex.
pub fn fingerprint(provider: &ProviderId, secret: &Secret) -> String {
    let mut hash = Sha256::new();
    hash.update(provider.as_str());
    hash.update([0]);
    hash.update(secret.expose());
    hex(&hash.finalize())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a String takes any text");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provider_and_secret_both_count() {
        let of = |provider: &str, secret: &str| {
            fingerprint(&ProviderId::new(provider), &Secret::new(secret))
        };
        assert_eq!(of("openai", "sk-1"), of("openai", "sk-1"));
        assert_ne!(of("openai", "sk-1"), of("deepseek", "sk-1"));
        assert_ne!(of("openai", "sk-1"), of("openais", "k-1"));
        assert_eq!(of("openai", "sk-1").len(), 64);
    }
}
