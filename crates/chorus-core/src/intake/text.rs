//! Turns handed-in bytes into text, or refuses them with the reason. Encodings are in [`encoding`](super::encoding).

use super::encoding;
use super::format::Format;
use super::refusal::TextRefusal;
use super::{Limits, Part};

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
