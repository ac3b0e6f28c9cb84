//! Rules for what a client may hand in: the brief, attachments, names, and the project's title.
//!
//! The gateway and the command line both read input through this module, so a text that one accepts
//! is accepted by the other. Callers put the subject before a refusal ("the brief " + refusal) and
//! their own advice after it.
//!
//! Deliberately absent: files, HTTP, multipart, base64, and the size of a whole request.

mod encoding;
mod format;
mod name;
mod refusal;
mod text;

#[cfg(test)]
mod tests;

use std::fmt;

pub use format::Format;
pub use name::{MAX_NAME_BYTES, NameRefusal, check_name};
pub use refusal::{Encoding, TextRefusal};
pub use text::{binary_format, brief_text, check_size};

use crate::brief;

/// Maximum length of a project's title, in characters.
pub const MAX_TITLE_CHARS: usize = 80;

/// Bounds of one submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum size of the brief, in bytes.
    pub brief_bytes: u64,
    /// Maximum size of one attachment, in bytes.
    pub attachment_bytes: u64,
    /// Maximum number of attachments.
    pub attachments: usize,
    /// Maximum size of all attachments together, in bytes.
    pub total_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            brief_bytes: 200_000,
            attachment_bytes: 32 << 20,
            attachments: 1000,
            total_bytes: 48 << 20,
        }
    }
}

/// An attachment that passed every rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedAttachment {
    /// Relative path with `/`, unique in its submission.
    pub name: String,
    /// Decoded text, without a byte order mark.
    pub text: String,
}

/// Reason why an attachment is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttachmentRefusal {
    /// The submission has its maximum number of attachments already.
    #[error("is one too many, at most {max} are taken")]
    TooMany {
        /// Value of [`Limits::attachments`].
        max: usize,
    },
    /// An earlier attachment has the same name.
    #[error("has the name of another attachment")]
    DuplicateName,
    /// The name breaks a rule of [`check_name`].
    #[error("has a name that {0}")]
    Name(#[source] NameRefusal),
    /// The content is not a text that can be attached.
    #[error(transparent)]
    Text(#[from] TextRefusal),
}

/// Collects the attachments of one submission, in the order given.
#[derive(Debug)]
pub struct Attachments {
    limits: Limits,
    accepted: Vec<AcceptedAttachment>,
}

impl Attachments {
    /// An empty collection under `limits`.
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            accepted: Vec::new(),
        }
    }

    /// Number of attachments accepted so far.
    pub const fn len(&self) -> usize {
        self.accepted.len()
    }

    /// Returns true until the first attachment is accepted.
    pub const fn is_empty(&self) -> bool {
        self.accepted.is_empty()
    }

    /// Checks count, name and content, then accepts the attachment.
    pub fn add(&mut self, name: String, bytes: Vec<u8>) -> Result<(), AttachmentRefusal> {
        if self.accepted.len() >= self.limits.attachments {
            return Err(AttachmentRefusal::TooMany {
                max: self.limits.attachments,
            });
        }
        check_name(&name).map_err(AttachmentRefusal::Name)?;
        if self.accepted.iter().any(|other| other.name == name) {
            return Err(AttachmentRefusal::DuplicateName);
        }
        let text = text::attachment_text(bytes, self.limits.attachment_bytes)?;
        self.accepted.push(AcceptedAttachment { name, text });
        Ok(())
    }

    /// The accepted attachments, in the order given.
    pub fn into_accepted(self) -> Vec<AcceptedAttachment> {
        self.accepted
    }
}

/// Title of a project: the client's, else the brief's first heading or line.
///
/// Control characters become spaces, and the result has at most [`MAX_TITLE_CHARS`] characters.
pub fn title(given: Option<&str>, brief: &str) -> String {
    let plain = |text: &str| -> String {
        let spaced: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        spaced.trim().chars().take(MAX_TITLE_CHARS).collect()
    };
    given
        .map(plain)
        .filter(|title| !title.is_empty())
        .unwrap_or_else(|| plain(&brief::title(brief, MAX_TITLE_CHARS)))
}

/// The part of a submission that a refusal is about, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The brief.
    Brief,
    /// An attachment.
    Attachment,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Brief => "the brief",
            Self::Attachment => "the attachment",
        })
    }
}
