//! Reasons why a brief or an attachment is not taken, with what a person can do.

use std::io;
use std::path::{Path, PathBuf};

use chorus_core::intake::{AttachmentRefusal, Part, TextRefusal};

use super::folder::ListingError;
use crate::failure::ErrorCode;

/// A brief or an attachment that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("{part} {} cannot be read: {reason}", path.display())]
    Unreadable {
        part: Part,
        path: PathBuf,
        reason: String,
    },
    #[error("{part} {} is {kind}", path.display())]
    Strange {
        part: Part,
        path: PathBuf,
        kind: &'static str,
    },
    #[error("{part} {} {source}", path.display())]
    Text {
        part: Part,
        path: PathBuf,
        source: TextRefusal,
    },
    #[error("the attachment {} {source}", path.display())]
    Attachment {
        path: PathBuf,
        source: AttachmentRefusal,
    },
    #[error("the attachment {} has a name that is not Unicode", path.display())]
    NotUnicode { path: PathBuf },
    #[error("the attachments have more than {max} bytes together")]
    TooMuch { max: u64 },
    #[error("the attached folder {} cannot be listed: {reason}", path.display())]
    Folder { path: PathBuf, reason: String },
    #[error("the attached folder {} holds no text file{}", path.display(), first.as_deref().map(|first| format!(" ({first})")).unwrap_or_default())]
    EmptyFolder {
        path: PathBuf,
        /// Reason of the first file that was left out.
        first: Option<String>,
    },
}

impl InputError {
    pub(super) fn unreadable(part: Part, path: &Path, error: &io::Error) -> Self {
        Self::Unreadable {
            part,
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }

    pub(super) fn strange(part: Part, path: &Path, kind: &'static str) -> Self {
        Self::Strange {
            part,
            path: path.to_owned(),
            kind,
        }
    }

    pub(super) fn attachment(path: &Path, source: AttachmentRefusal) -> Self {
        Self::Attachment {
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn folder(path: &Path, error: &ListingError) -> Self {
        Self::Folder {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }

    /// Returns true if the other files of a folder can be taken without this one.
    pub(super) const fn is_of_one_file(&self) -> bool {
        match self {
            Self::Unreadable { .. }
            | Self::Strange { .. }
            | Self::NotUnicode { .. }
            | Self::Text { .. } => true,
            Self::Attachment { source, .. } => match source {
                AttachmentRefusal::Text(_) | AttachmentRefusal::Name(_) => true,
                AttachmentRefusal::TooMany { .. } | AttachmentRefusal::DuplicateName => false,
            },
            Self::TooMuch { .. } | Self::Folder { .. } | Self::EmptyFolder { .. } => false,
        }
    }

    /// The line about a file that is left out of a folder.
    pub(super) fn in_folder(&self, name: &str) -> String {
        let reason = match self {
            Self::Unreadable { reason, .. } => format!("cannot be read: {reason}"),
            Self::Strange { kind, .. } => format!("is {kind}"),
            Self::Text { source, .. } => source.to_string(),
            Self::Attachment { source, .. } => source.to_string(),
            Self::NotUnicode { .. } => "has a name that is not Unicode".to_owned(),
            Self::TooMuch { .. } | Self::Folder { .. } | Self::EmptyFolder { .. } => {
                self.to_string()
            }
        };
        let advice = match self {
            Self::Attachment { source, .. } => format!(": {}", name_advice(source)),
            _ => String::new(),
        };
        format!("{name:?} {reason}{advice}")
    }

    /// [`ErrorCode`] of this reason.
    pub(crate) const fn code(&self) -> ErrorCode {
        match self {
            Self::Unreadable { .. } | Self::Strange { .. } | Self::Folder { .. } => {
                ErrorCode::FileUnreadable
            }
            Self::EmptyFolder { .. } => ErrorCode::FolderEmpty,
            Self::TooMuch { .. } => ErrorCode::AttachmentTooLarge,
            Self::NotUnicode { .. } => ErrorCode::AttachmentRefused,
            Self::Text { source, .. } => match source {
                TextRefusal::Empty => ErrorCode::BriefEmpty,
                TextRefusal::TooLarge { .. } => ErrorCode::BriefTooLong,
                _ => ErrorCode::BriefNotText,
            },
            Self::Attachment { source, .. } => match source {
                AttachmentRefusal::Text(TextRefusal::TooLarge { .. }) => {
                    ErrorCode::AttachmentTooLarge
                }
                AttachmentRefusal::Text(_) => ErrorCode::AttachmentNotText,
                _ => ErrorCode::AttachmentRefused,
            },
        }
    }

    /// Advice for a person at a terminal.
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Self::Text { part, source, .. } => advice(*part, source),
            Self::Attachment { source, .. } => name_advice(source),
            Self::Strange { .. } => "name a regular file, or the folder that holds it",
            Self::TooMuch { .. } => "attach less, or leave files out with --exclude",
            Self::NotUnicode { .. } => "rename it",
            Self::Unreadable { .. } | Self::Folder { .. } | Self::EmptyFolder { .. } => {
                self.code().entry().advice
            }
        }
    }
}

fn advice(part: Part, refusal: &TextRefusal) -> &'static str {
    match (refusal, part) {
        (TextRefusal::Empty, _) => "write what is to be made, then run again",
        (TextRefusal::TooLarge { .. }, Part::Brief) => {
            "move long texts into files and attach them with --attach, or raise project.max_brief_bytes"
        }
        (TextRefusal::TooLarge { .. }, Part::Attachment) => {
            "split it, or raise project.max_attachment_bytes"
        }
        (TextRefusal::NotUtf8 { .. } | TextRefusal::Broken(_), _) => "save it as UTF-8",
        (TextRefusal::Format(format), _) => format.advice(),
        (TextRefusal::Binary, Part::Attachment) => {
            "only text can be attached; convert it to .md or .txt first"
        }
        (TextRefusal::Binary, Part::Brief) => "only text is taken; convert it to .md or .txt first",
    }
}

fn name_advice(refusal: &AttachmentRefusal) -> &'static str {
    match refusal {
        AttachmentRefusal::TooMany { .. } => "join some of them, or leave files out with --exclude",
        AttachmentRefusal::DuplicateName => "rename one, or attach the folder that holds both",
        AttachmentRefusal::Name(_) => "rename it",
        AttachmentRefusal::Text(refusal) => advice(Part::Attachment, refusal),
    }
}
