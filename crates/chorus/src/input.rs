//! Reads a brief and its attachments from files, and names exactly what is wrong with a refused one.
//!
//! Rules for texts and names are those of [`chorus_core::intake`], as in the gateway. [`folder`] lists
//! and opens files; [`refusal`] has the errors. What cannot be read is left out of a folder and named, and
//! refused only where it is named itself.

mod folder;
mod refusal;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use chorus_core::intake::{
    AcceptedAttachment, Attachments, Limits, Part, TextRefusal, binary_format, brief_text,
    check_size,
};
use folder::{NotOpened, Opened};
pub(crate) use refusal::InputError;

/// A document that will be attached, read and checked.
pub(crate) type Document = AcceptedAttachment;

/// First bytes of a file that show whether it is a text.
const SNIFFED: u64 = 8192;

/// Maximum number of left-out files that are printed.
const MAX_LISTED: usize = 12;

/// Documents of a run, and what was not taken.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) documents: Vec<Document>,
    /// Files left out of folders, with the reason and what to do.
    pub(crate) left_out: Vec<String>,
    hidden: usize,
    ignored: usize,
}

/// One line for what is attached, and one for each file that is left out.
impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: usize = self
            .documents
            .iter()
            .map(|document| document.text.len())
            .sum();
        write!(
            f,
            "attached {} files, {} kB",
            self.documents.len(),
            bytes.div_ceil(1000)
        )?;
        let others = [
            (self.hidden, "hidden"),
            (self.ignored, "named by .gitignore, .ignore or --exclude"),
        ];
        for (count, what) in others.iter().filter(|(count, _)| *count > 0) {
            write!(f, "; {count} {what} left out")?;
        }
        if !self.left_out.is_empty() {
            write!(f, "; {} more left out:", self.left_out.len())?;
        }
        for line in self.left_out.iter().take(MAX_LISTED) {
            write!(f, "\n  {line}")?;
        }
        if self.left_out.len() > MAX_LISTED {
            write!(f, "\n  and {} more", self.left_out.len() - MAX_LISTED)?;
        }
        Ok(())
    }
}

/// The brief's text.
pub(crate) fn brief(path: &Path, limits: &Limits) -> Result<String, InputError> {
    let part = Part::Brief;
    let refused = |source| InputError::Text {
        part,
        path: path.to_owned(),
        source,
    };
    let failed = |error: &io::Error| InputError::unreadable(part, path, error);
    // A brief may be a link; what it leads to may not be a pipe or a device.
    let path_of_file = std::fs::canonicalize(path).map_err(|error| failed(&error))?;
    let mut file = open(part, &path_of_file, path)?;
    check_size(part, file.size, limits).map_err(refused)?;
    let mut bytes = Vec::new();
    file.read(limits.brief_bytes.saturating_add(1), &mut bytes)
        .map_err(|error| failed(&error))?;
    brief_text(bytes, limits).map_err(refused)
}

/// The documents of all these files and folders, folder by folder and sorted by name in each.
pub(crate) fn documents(
    paths: &[PathBuf],
    excludes: &[String],
    limits: &Limits,
) -> Result<Taken, InputError> {
    let mut intake = Intake {
        limits,
        attachments: Attachments::new(*limits),
        total: 0,
        taken: Taken::default(),
    };
    for path in paths {
        let kind = std::fs::symlink_metadata(path)
            .map_err(|error| InputError::unreadable(Part::Attachment, path, &error))?
            .file_type();
        if kind.is_dir() {
            intake.folder(path, excludes)?;
        } else {
            intake.file(path)?;
        }
    }
    intake.taken.documents = intake.attachments.into_accepted();
    Ok(intake.taken)
}

/// Attachments under way.
struct Intake<'a> {
    limits: &'a Limits,
    attachments: Attachments,
    /// Bytes of all files that were taken so far.
    total: u64,
    taken: Taken,
}

impl Intake<'_> {
    /// Takes a file that is named itself: every refusal is an error.
    fn file(&mut self, path: &Path) -> Result<(), InputError> {
        let name = path.file_name().map_or_else(
            || "attachment".into(),
            |name| name.to_string_lossy().into_owned(),
        );
        let file = open(Part::Attachment, path, path)?;
        let bytes = self.bytes(path, file)?;
        self.attachments
            .add(name, bytes)
            .map_err(|source| InputError::attachment(path, source))
    }

    /// Takes what can be read below a folder, and remembers the rest.
    fn folder(&mut self, path: &Path, excludes: &[String]) -> Result<(), InputError> {
        let listing =
            folder::list(path, excludes).map_err(|error| InputError::folder(path, &error))?;
        let before = self.attachments.len();
        let left_before = self.taken.left_out.len();
        let strange = listing
            .strange
            .iter()
            .map(|(name, kind)| format!("{} is {kind}", name.escape_debug()));
        let unreadable = listing
            .unreadable
            .iter()
            .map(|(name, reason)| format!("{} cannot be read: {reason}", name.escape_debug()));
        self.taken.left_out.extend(strange.chain(unreadable));
        self.taken.hidden += listing.hidden;
        self.taken.ignored += listing.ignored;
        let handle = folder::open_folder(path)
            .map_err(|error| InputError::unreadable(Part::Attachment, path, &error))?;
        for below in &listing.files {
            let whole = path.join(below);
            let taken = match folder::open_below(&handle, below) {
                Ok(file) => self.below(&whole, below, file),
                Err(NotOpened::Strange(kind)) => {
                    Err(InputError::strange(Part::Attachment, &whole, kind))
                }
                Err(NotOpened::Failed(error)) => {
                    Err(InputError::unreadable(Part::Attachment, &whole, &error))
                }
            };
            match taken {
                Ok(()) => {}
                Err(error) if error.is_of_one_file() => {
                    let line = error.in_folder(&folder::name_of(below));
                    self.taken.left_out.push(line);
                }
                Err(error) => return Err(error),
            }
        }
        if self.attachments.len() == before {
            let first = self.taken.left_out.get(left_before).cloned();
            return Err(InputError::EmptyFolder {
                path: path.to_owned(),
                first,
            });
        }
        Ok(())
    }

    fn below(&mut self, whole: &Path, below: &Path, file: Opened) -> Result<(), InputError> {
        let Some(name) = below.to_str() else {
            return Err(InputError::NotUnicode {
                path: whole.to_owned(),
            });
        };
        let bytes = self.bytes(whole, file)?;
        self.attachments
            .add(name.replace(std::path::MAIN_SEPARATOR, "/"), bytes)
            .map_err(|source| InputError::attachment(whole, source))
    }

    /// Reads a file if its size and first bytes allow it. One that grows meanwhile is read up to its bound only.
    fn bytes(&mut self, path: &Path, mut file: Opened) -> Result<Vec<u8>, InputError> {
        let refused = |source: TextRefusal| InputError::attachment(path, source.into());
        let failed = |error: io::Error| InputError::unreadable(Part::Attachment, path, &error);
        let mut bytes = Vec::new();
        file.read(SNIFFED, &mut bytes).map_err(failed)?;
        if let Some(refusal) = binary_format(&bytes) {
            return Err(refused(refusal));
        }
        check_size(Part::Attachment, file.size, self.limits).map_err(refused)?;
        let total = self.total + file.size;
        if total > self.limits.total_bytes {
            return Err(InputError::TooMuch {
                max: self.limits.total_bytes,
            });
        }
        let rest = self
            .limits
            .attachment_bytes
            .saturating_add(1)
            .saturating_sub(bytes.len() as u64);
        file.read(rest, &mut bytes).map_err(failed)?;
        self.total += bytes.len() as u64;
        Ok(bytes)
    }
}

/// Opens a file that is named itself; messages name `shown`.
fn open(part: Part, path: &Path, shown: &Path) -> Result<Opened, InputError> {
    let failed = |error: io::Error| InputError::unreadable(part, shown, &error);
    let name = path
        .file_name()
        .ok_or_else(|| failed(io::Error::other("it is no file")))?;
    let handle =
        folder::open_folder(path.parent().unwrap_or_else(|| Path::new("."))).map_err(failed)?;
    folder::open_below(&handle, Path::new(name)).map_err(|error| match error {
        NotOpened::Strange(kind) => InputError::strange(part, shown, kind),
        NotOpened::Failed(error) => failed(error),
    })
}
