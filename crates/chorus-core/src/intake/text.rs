//! Turns handed-in bytes into text, or refuses them with the reason. Encodings are in [`encoding`](super::encoding).

use super::encoding::{self, Encoding};
use super::format::Format;
use super::{Limits, Part};

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

/// Checks a size before the content is read.
pub const fn check_size(part: Part, bytes: u64, limits: &Limits) -> Result<(), TextRefusal> {
    let max = match part {
        Part::Brief => limits.brief_bytes,
        Part::Attachment => limits.attachment_bytes,
    };
    within(bytes, max)
}

/// Returns the refusal of a content that its first bytes show to be no text; none for all others.
pub fn binary_format(first: &[u8]) -> Option<TextRefusal> {
    Format::detect(first).map(TextRefusal::Format)
}

/// The text of a brief. A brief of blanks only is refused.
pub fn brief_text(bytes: Vec<u8>, limits: &Limits) -> Result<String, TextRefusal> {
    let text = decode(bytes, limits.brief_bytes)?;
    if text.trim().is_empty() {
        return Err(TextRefusal::Empty);
    }
    Ok(text)
}

/// The text of an attachment. An empty attachment is accepted.
pub(super) fn attachment_text(bytes: Vec<u8>, max: u64) -> Result<String, TextRefusal> {
    decode(bytes, max)
}

const fn within(found: u64, max: u64) -> Result<(), TextRefusal> {
    if found <= max {
        Ok(())
    } else {
        Err(TextRefusal::TooLarge { found, max })
    }
}

fn decode(bytes: Vec<u8>, max: u64) -> Result<String, TextRefusal> {
    within(bytes.len() as u64, max)?;
    if let Some(format) = Format::detect(&bytes) {
        return Err(TextRefusal::Format(format));
    }
    let text = encoding::decode(bytes)?;
    if text.contains('\0') {
        return Err(TextRefusal::Binary);
    }
    // Other encodings may grow when they become UTF-8.
    within(text.len() as u64, max)?;
    Ok(with_line_feeds(text))
}

/// Replaces CR without LF by LF, so that headings and lines are found.
fn with_line_feeds(text: String) -> String {
    if !text.contains('\r') {
        return text;
    }
    let mut letters = text.chars().peekable();
    let mut lines = String::with_capacity(text.len());
    while let Some(letter) = letters.next() {
        let is_lone = letter == '\r' && letters.peek() != Some(&'\n');
        lines.push(if is_lone { '\n' } else { letter });
    }
    lines
}
