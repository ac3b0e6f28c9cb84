//! A secret in the clear, as long as a call or a seal needs it.
//!
//! [`crate::EnvelopeKey`] opens and seals secrets; this type only keeps one from logs and wipes its memory.

use std::fmt;

use zeroize::Zeroizing;

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
