//! Fingerprints of secrets, by which duplicates are found without opening a seal.
//!
//! A fingerprint is keyed by the [`EnvelopeKey`](crate::EnvelopeKey): without the key, a reader of the rows cannot
//! try guesses of a short secret against it.

use std::fmt::Write as _;

use chorus_core::id::ProviderId;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::secret::Secret;

/// Mark of the keyed form, version 1.
const KEYED: &str = "h1:";

/// Purpose of the key that is derived from the envelope key.
const PURPOSE: &[u8] = b"chorus fingerprint key";

/// HMAC-SHA-256 of provider and secret under a key derived from `key`, in hex, after `h1:`.
pub(crate) fn keyed(key: &[u8; 32], provider: &ProviderId, secret: &Secret) -> String {
    let derived = mac(key).chain_update(PURPOSE).finalize().into_bytes();
    let mac = mac(&derived)
        .chain_update(provider.as_str())
        .chain_update([0])
        .chain_update(secret.expose());
    format!("{KEYED}{}", hex(&mac.finalize().into_bytes()))
}

fn mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}

/// SHA-256 of provider and secret, in hex: the form of earlier releases.
pub fn earlier_fingerprint(provider: &ProviderId, secret: &Secret) -> String {
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
    use crate::EnvelopeKey;

    #[test]
    fn provider_and_secret_both_count() {
        let key = EnvelopeKey::generate();
        let of = |provider: &str, secret: &str| {
            key.fingerprint(&ProviderId::new(provider), &Secret::new(secret))
        };
        assert_eq!(of("openai", "sk-1"), of("openai", "sk-1"));
        assert_ne!(of("openai", "sk-1"), of("deepseek", "sk-1"));
        assert_ne!(of("openai", "sk-1"), of("openais", "k-1"));
        assert_eq!(of("openai", "sk-1").len(), KEYED.len() + 64);
    }

    #[test]
    fn a_fingerprint_cannot_be_computed_without_the_envelope_key() {
        let (provider, secret) = (ProviderId::new("openai"), Secret::new("sk-1"));
        let ours = EnvelopeKey::generate().fingerprint(&provider, &secret);
        let theirs = EnvelopeKey::generate().fingerprint(&provider, &secret);
        assert_ne!(ours, theirs);
        assert_ne!(ours, earlier_fingerprint(&provider, &secret));
    }
}
