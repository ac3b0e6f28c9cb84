//! Parser of `accounts.toml` and `accounts.csv`.
//!
//! A [`BrokenRow`] does not spoil the others; [`FileError`] is for a file that has no rows at all. Messages name
//! line and column and never repeat a cell or a key of the file, because any of them may be a secret in the wrong place.

mod accounts_csv;
mod accounts_toml;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::row::Row;

/// Reason that [`read`] cannot use a file as a whole.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file does not exist, cannot be read or is not UTF-8.
    #[error("cannot read {}: {reason}", file.display())]
    Unreadable {
        /// Path as the caller gave it.
        file: PathBuf,
        /// Message of the operating system or the decoder.
        reason: String,
    },
    /// The name ends neither in `.toml` nor in `.csv`.
    #[error("{}: expected a file named *.toml or *.csv", file.display())]
    UnknownKind {
        /// Path as the caller gave it.
        file: PathBuf,
    },
    /// The text is not TOML.
    #[error("{}, line {line}: not valid TOML: {reason}", file.display())]
    Syntax {
        /// Path as the caller gave it.
        file: PathBuf,
        /// Line of the error, from 1.
        line: usize,
        /// Message of the parser.
        reason: String,
    },
    /// The first line of CSV does not name the columns.
    #[error("{}, line 1: {reason}; the first line names the columns, for instance email,provider,key", file.display())]
    Header {
        /// Path as the caller gave it.
        file: PathBuf,
        /// Column that is wrong or missing.
        reason: String,
    },
    /// The file has no accounts.
    #[error("{}: no accounts found; expected {expected}", file.display())]
    Empty {
        /// Path as the caller gave it.
        file: PathBuf,
        /// Form in which an account is written.
        expected: &'static str,
    },
}

/// A row that could not be parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenRow {
    /// Place in the file, such as `line 3`.
    pub place: String,
    /// Reason, with the key that is wrong.
    pub reason: String,
}

/// Maximum size of a file of accounts, in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// Parses a file into [`Row`]s, in the order of the file.
pub fn read(file: &Path) -> Result<Vec<Result<Row, BrokenRow>>, FileError> {
    let unreadable = |reason: String| FileError::Unreadable {
        file: file.to_owned(),
        reason,
    };
    let kind = file.extension().and_then(|extension| extension.to_str());
    if !matches!(kind, Some("toml" | "csv")) {
        return Err(FileError::UnknownKind {
            file: file.to_owned(),
        });
    }
    let metadata = std::fs::metadata(file).map_err(|error| unreadable(error.to_string()))?;
    // A pipe or a device would be waited for without an end.
    if !metadata.is_file() {
        return Err(unreadable("it is no regular file".to_owned()));
    }
    if metadata.len() > MAX_BYTES {
        return Err(unreadable(format!("it has more than {MAX_BYTES} bytes")));
    }
    let bytes = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        unreadable(format!(
            "not UTF-8 after byte {}",
            error.utf8_error().valid_up_to()
        ))
    })?;
    match kind {
        Some("toml") => accounts_toml::rows(file, &text),
        _ => accounts_csv::rows(file, &text),
    }
}
