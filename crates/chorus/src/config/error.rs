//! Errors of the configuration. Each names file, key, found and expected.

use std::path::PathBuf;

/// A configuration that cannot be used; the process ends with code 64.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The named file cannot be read.
    #[error("cannot read the configuration {}: {reason}", file.display())]
    Unreadable { file: PathBuf, reason: String },
    /// The text is no TOML.
    #[error("{file}, line {line}: not valid TOML: {reason}")]
    Syntax {
        file: String,
        line: usize,
        reason: String,
    },
    /// A key is unknown, missing, or has a value of another kind.
    #[error("{file}: key `{key}`: {reason}")]
    Key {
        file: String,
        key: String,
        reason: String,
    },
    /// A role cannot be a process of its own on what is configured.
    #[error(
        "`chorus {role}` is a process among others and needs what they share: {missing}. `chorus serve` runs all roles in one process without that"
    )]
    Alone { role: &'static str, missing: String },
}
