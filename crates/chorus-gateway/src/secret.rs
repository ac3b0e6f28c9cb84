//! The text of an API key: `chorus-sk-`, 43 random letters and 6 letters of checksum.
//!
//! The checksum recognises a mistyped key without a query of the store, and lets scanners of leaked
//! files distinguish real keys from made-up ones.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chorus_core::port::keys::KeyHash;
use sha2::{Digest, Sha256};

/// Prefix of every key.
const PREFIX: &str = "chorus-sk-";

/// Number of random letters: 32 bytes in base64url.
const RANDOM: usize = 43;

/// Number of letters of the checksum: 4 bytes in base64url.
const CHECKSUM: usize = 6;

/// Text of a key. The store keeps only its [hash](Secret::hash), so it is shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A key of these bytes, which must come from a cryptographic source of randomness.
    pub fn mint(random: [u8; 32]) -> Self {
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
        let checksum = checksum(&text);
        Self(text + &checksum)
    }

    /// Reads a presented key; `None` if prefix, length or checksum are wrong.
    pub fn read(text: &str) -> Option<Self> {
        let cut = text
            .len()
            .checked_sub(CHECKSUM)
            .filter(|cut| text.is_char_boundary(*cut))?;
        let (body, sum) = text.split_at(cut);
        let is_valid = body.len() == PREFIX.len() + RANDOM
            && body.starts_with(PREFIX)
            && checksum(body) == sum;
        is_valid.then(|| Self(text.to_owned()))
    }

    /// SHA-256 of the text, the part that a store keeps.
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(&self.0)
    }

    /// The text, to be shown to the owner once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(chorus-sk-…)")
    }
}

fn checksum(body: &str) -> String {
    let hash = Sha256::digest(body.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash[..4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_key_is_read_and_a_mistyped_one_is_not() {
        let secret = Secret::mint([7; 32]);
        let text = secret.reveal();
        assert_eq!(text.len(), PREFIX.len() + RANDOM + CHECKSUM);
        assert_eq!(Secret::read(text), Some(secret.clone()));
        assert_eq!(format!("{secret:?}"), "Secret(chorus-sk-…)");
        for at in 0..text.len() {
            let mut mistyped = text.as_bytes().to_vec();
            mistyped[at] = if mistyped[at] == b'x' { b'y' } else { b'x' };
            assert_eq!(
                Secret::read(&String::from_utf8_lossy(&mistyped)),
                None,
                "letter {at}"
            );
        }
        for wrong in ["", "chorus-sk-", "é", &text[1..], &format!("{text} ")] {
            assert_eq!(Secret::read(wrong), None, "{wrong}");
        }
    }
}
