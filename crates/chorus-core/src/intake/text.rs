//! Turns handed-in bytes into text, or refuses them with the reason.
//!
//! UTF-8 and UTF-16 with a byte order mark are decoded. UTF-16 without a mark and UTF-32 are
//! recognised and refused by name, because guessing an encoding may silently change a text.

use std::fmt;

use super::format::Format;
use super::{Limits, Part};

/// First bytes of a text that are examined for UTF-16 without a byte order mark.
const SAMPLE_BYTES: usize = 8192;

/// An encoding that is recognised but not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-16 little-endian.
    Utf16Le,
    /// UTF-16 big-endian.
    Utf16Be,
    /// UTF-32 of either byte order.
    Utf32,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf16Le => "UTF-16 (little-endian)",
            Self::Utf16Be => "UTF-16 (big-endian)",
            Self::Utf32 => "UTF-32",
        })
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
    /// A byte is not valid UTF-8.
    #[error("is not UTF-8 text (byte {at} is not)")]
    NotUtf8 {
        /// Offset of the first invalid byte.
        at: usize,
    },
    /// A UTF-16 content with a byte order mark is cut or has a lone surrogate.
    #[error("is {0} text with errors in it")]
    BrokenUtf16(Encoding),
    /// The content is text in an encoding that is not decoded.
    #[error("is {0} text without a byte order mark")]
    Unmarked(Encoding),
    /// The content is UTF-32 text.
    #[error("is UTF-32 text")]
    Utf32,
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
    let text = match bytes.as_slice() {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Err(TextRefusal::Utf32),
        [0xff, 0xfe, rest @ ..] => utf16(rest, Encoding::Utf16Le)?,
        [0xfe, 0xff, rest @ ..] => utf16(rest, Encoding::Utf16Be)?,
        [0xef, 0xbb, 0xbf, ..] => utf8(bytes, 3)?,
        _ => utf8(bytes, 0)?,
    };
    if text.contains('\0') {
        return Err(TextRefusal::Binary);
    }
    // UTF-16 may grow by half when it becomes UTF-8.
    within(text.len() as u64, max)?;
    Ok(with_line_feeds(text))
}

/// Decodes UTF-8 after `mark` bytes of byte order mark.
fn utf8(mut bytes: Vec<u8>, mark: usize) -> Result<String, TextRefusal> {
    if let Some(encoding) = unmarked_utf16(&bytes) {
        return Err(TextRefusal::Unmarked(encoding));
    }
    bytes.drain(..mark);
    String::from_utf8(bytes).map_err(|error| {
        if error.as_bytes().contains(&0) {
            TextRefusal::Binary
        } else {
            TextRefusal::NotUtf8 {
                at: mark + error.utf8_error().valid_up_to(),
            }
        }
    })
}

fn utf16(bytes: &[u8], encoding: Encoding) -> Result<String, TextRefusal> {
    let pairs = bytes.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(TextRefusal::BrokenUtf16(encoding));
    }
    let units = pairs.map(|pair| {
        let pair = [pair[0], pair[1]];
        if encoding == Encoding::Utf16Be {
            u16::from_be_bytes(pair)
        } else {
            u16::from_le_bytes(pair)
        }
    });
    char::decode_utf16(units)
        .collect::<Result<String, _>>()
        .map_err(|_| TextRefusal::BrokenUtf16(encoding))
}

/// UTF-16 without a byte order mark: in mostly Latin text every second byte is zero.
fn unmarked_utf16(bytes: &[u8]) -> Option<Encoding> {
    let sample = &bytes[..bytes.len().min(SAMPLE_BYTES)];
    let pairs = sample.len() / 2;
    if pairs < 2 || !bytes.len().is_multiple_of(2) {
        return None;
    }
    let zeros = |offset: usize| {
        let bytes = sample.iter().skip(offset).step_by(2);
        bytes.filter(|byte| **byte == 0).count()
    };
    let mostly = |count: usize| count * 10 >= pairs * 6;
    // Control characters are rare in text and common in other data with many zeros.
    let is_control = |byte: &u8| *byte != 0 && *byte < b' ' && !b"\t\n\r".contains(byte);
    if sample.iter().any(is_control) {
        return None;
    }
    match (zeros(0), zeros(1)) {
        (0, odd) if mostly(odd) => Some(Encoding::Utf16Le),
        (even, 0) if mostly(even) => Some(Encoding::Utf16Be),
        _ => None,
    }
}

/// Replaces CR by LF in a text without any LF, so that headings and lines are found in it.
fn with_line_feeds(text: String) -> String {
    if text.contains('\r') && !text.contains('\n') {
        text.replace('\r', "\n")
    } else {
        text
    }
}
