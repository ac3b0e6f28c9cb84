//! Errors that a person sees: each has a stable code, an exit code, advice, and a page in `docs/errors`.
//!
//! [`ErrorCode`] is the table of the command line's own codes; refusals of a gateway keep the gateway's code. An error
//! gets its code from a [`Failure`] anywhere in its chain, or from its type; [`Report`] finds and prints it.

mod code;
mod report;

use std::fmt;

pub(crate) use code::ErrorCode;
pub(crate) use report::Report;

/// An error, or the description of one below it, with a code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    code: ErrorCode,
    message: String,
}

impl Failure {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// Returns true if the failure has this code.
    pub(crate) fn is(&self, code: ErrorCode) -> bool {
        self.code == code
    }

    /// Failure with the message of this error.
    pub(crate) fn caused(code: ErrorCode, error: impl fmt::Display) -> Self {
        Self::new(code, error.to_string())
    }
}

/// Context of an error: what to do about it, known where it happened. Printed before the advice of the error's code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advice(pub(crate) String);

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
