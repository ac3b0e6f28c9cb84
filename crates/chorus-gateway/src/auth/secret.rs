//! The text of an API key: `chorus-sk-`, 43 letters of chance and 6 of checksum. The checksum tells a mistyped key
//! without a look into the store, and a real key in a leaked file from a made-up one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chorus_core::port::keys::KeyHash;
use sha2::{Digest, Sha256};

/// What every key begins with.
const PREFIX: &str = "chorus-sk-";

/// Letters of chance: 32 bytes.
const CHANCE: usize = 43;

/// Letters of checksum: 4 bytes.
const CHECKSUM: usize = 6;

/// A key's text. It is shown once, when it is made.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The key of these bytes, which must come from a source that nobody can guess.
    pub fn mint(chance: [u8; 32]) -> Self {
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(chance));
        let checksum = checksum(&text);
        Self(text + &checksum)
    }

    /// The key that somebody presents; none when it has not the form of one.
    pub fn read(text: &str) -> Option<Self> {
        let cut = text
            .len()
            .checked_sub(CHECKSUM)
            .filter(|cut| text.is_char_boundary(*cut))?;
        let (body, sum) = text.split_at(cut);
        let formed = body.len() == PREFIX.len() + CHANCE
            && body.starts_with(PREFIX)
            && checksum(body) == sum;
        formed.then(|| Self(text.to_owned()))
    }

    /// What is kept of it.
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(&self.0)
    }

    /// The text itself, for its owner's eyes.
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
        assert_eq!(text.len(), PREFIX.len() + CHANCE + CHECKSUM);
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
