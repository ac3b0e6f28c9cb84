//! A secret in the clear, as long as a call or a seal needs it.
//!
//! [`crate::EnvelopeKey`] opens and seals secrets; this type only keeps one from logs and wipes its memory.

use std::fmt;

use zeroize::Zeroizing;

/// A secret in the clear. `Debug` hides it, [`Secret::expose`] shows it, and its memory is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a secret from its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for a header or a seal.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Replaces this secret in a text, if it is at least 6 bytes long.
    pub fn blot(&self, text: &str) -> String {
        const SHORTEST: usize = 6;
        if self.0.len() < SHORTEST {
            text.to_owned()
        } else {
            text.replace(self.0.as_str(), "[secret]")
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
