//! Reasons why a content is not taken as text.

use std::fmt;

use super::format::Format;

/// An encoding by its name, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding(pub(super) &'static str);

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Reason why a content is refused. The text continues "the brief …" or "the attachment …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextRefusal {
    /// A brief has nothing but blanks.
    #[error("is empty")]
    Empty,
    /// The content is larger than its bound, as bytes or once decoded.
    #[error("has {found} bytes, at most {max} are taken")]
    TooLarge {
        /// Size of the content, in bytes.
        found: u64,
        /// Maximum size, in bytes.
        max: u64,
    },
    /// The content is not UTF-8, and no other encoding is certain.
    #[error("is not UTF-8 text (byte {at} is not){}", like.map(|like| format!("; it looks like {like}")).unwrap_or_default())]
    NotUtf8 {
        /// Offset of the first invalid byte.
        at: usize,
        /// Encoding that the content may be in.
        like: Option<Encoding>,
    },
    /// The content is in an encoding with errors in it.
    #[error("is {0} text with errors in it")]
    Broken(Encoding),
    /// The content begins like a known format.
    #[error("is {0}")]
    Format(Format),
    /// The content holds NUL bytes, which no text has.
    #[error("is binary")]
    Binary,
}
