//! Errors of the ports. Each carries a message for people and, where an adapter had one, the error beneath it.
//!
//! An error of a port means *unknown*: the operation may have been applied although its reply was lost, so
//! every changing method can be repeated with the same arguments.

use std::error::Error;
use std::sync::Arc;

/// Error beneath an error of a port. Shared, so that errors of ports can be cloned for several callers.
/// Not an [`Error`] itself, so that [`Error::source`] returns the error beneath and not the pointer to it.
#[derive(Debug, Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl Cause {
    /// Shares an error of an adapter.
    pub fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(error))
    }
}

impl std::ops::Deref for Cause {
    type Target = dyn Error + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

/// Failure of a store ([`Projects`](super::Projects), [`Attempts`](super::Attempts) and their neighbours).
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Passing: the database is away, busy, or its connection broke. The caller asks again.
    #[error("the store did not answer: {message}")]
    Unavailable {
        /// Text that includes the text of `source`.
        message: String,
        /// Error of the driver or of the file system.
        source: Option<Cause>,
    },
    /// Lasting: disk full, corrupt file, a row that cannot be read. A person must act.
    #[error("the store cannot go on: {message}")]
    Broken {
        /// Text that includes the text of `source`.
        message: String,
        /// Error of the driver or of the file system.
        source: Option<Cause>,
    },
}

impl StoreError {
    /// A passing failure without an error beneath it.
    pub fn unavailable(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Unavailable {
            message,
            source: None,
        }
    }

    /// A lasting failure without an error beneath it.
    pub fn broken(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Broken {
            message,
            source: None,
        }
    }

    /// The same failure with the error beneath it.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        match &mut self {
            Self::Unavailable { source, .. } | Self::Broken { source, .. } => {
                *source = Some(Cause::new(cause));
            }
        }
        self
    }

    /// The same failure, its message prefixed with the thing on which it happened and a colon.
    #[must_use]
    pub fn within(mut self, thing: &str) -> Self {
        match &mut self {
            Self::Unavailable { message, .. } | Self::Broken { message, .. } => {
                *message = format!("{thing}: {message}");
            }
        }
        self
    }

    /// Text of the failure without the words that both kinds begin with.
    pub fn message(&self) -> &str {
        match self {
            Self::Unavailable { message, .. } | Self::Broken { message, .. } => message,
        }
    }
}

/// Failure of the [`Bus`](super::Bus) to take or give records. The caller asks again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the bus did not answer: {message}")]
pub struct BusError {
    /// Text that includes the text of `source`.
    pub message: String,
    /// Error of the client library.
    pub source: Option<Cause>,
}

impl BusError {
    /// A failure without an error beneath it.
    pub fn new(message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            message,
            source: None,
        }
    }

    /// The same failure with the error beneath it.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Cause::new(cause));
        self
    }
}

/// Failure of [`LimitState`](super::LimitState). Two are equal when their messages are.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LimiterError {
    /// No answer; the operation may have been applied. The caller asks again.
    #[error("the limiter did not answer: {message}")]
    Unavailable {
        /// Text that includes the text of `source`.
        message: String,
        /// Error of the client library.
        source: Option<Cause>,
    },
    /// The limiter lost its state and did nothing. The dispatcher's leader restores all outstanding leases;
    /// every other caller waits for that and asks again.
    #[error("the limiter has lost its state, leases must be restored first")]
    StateLost,
}

impl LimiterError {
    /// A passing failure without an error beneath it.
    pub fn unavailable(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Unavailable {
            message,
            source: None,
        }
    }

    /// The same failure with the error beneath it; [`LimiterError::StateLost`] has none.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        if let Self::Unavailable { source, .. } = &mut self {
            *source = Some(Cause::new(cause));
        }
        self
    }
}

impl PartialEq for LimiterError {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::StateLost, Self::StateLost) => true,
            (Self::Unavailable { message, .. }, Self::Unavailable { message: same, .. }) => {
                message == same
            }
            (Self::StateLost, Self::Unavailable { .. })
            | (Self::Unavailable { .. }, Self::StateLost) => false,
        }
    }
}

impl Eq for LimiterError {}

/// Text of an error and of the errors beneath it, outermost first, separated by `: `. A text that is
/// part of the text before it is left out: errors of ports repeat their source.
pub fn full_text(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let part = inner.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// An error around another, as the layers above the ports add them.
    #[derive(Debug, thiserror::Error)]
    #[error("failed to open chorus.db")]
    struct Opening(#[source] StoreError);

    #[test]
    fn the_error_beneath_can_be_found_by_its_type() {
        let disk = io::Error::from(io::ErrorKind::StorageFull);
        let error = StoreError::broken(format!("failed to write: {disk}")).caused_by(disk);
        let beneath = error.source().and_then(|cause| {
            let cause: &(dyn Error + 'static) = cause;
            cause.downcast_ref::<io::Error>()
        });
        assert_eq!(
            beneath.map(io::Error::kind),
            Some(io::ErrorKind::StorageFull)
        );
        assert!(StoreError::unavailable("away").source().is_none());
        assert!(
            LimiterError::StateLost
                .caused_by(io::Error::other("no"))
                .source()
                .is_none()
        );
    }

    #[test]
    fn a_text_that_repeats_its_source_is_printed_once() {
        let disk = io::Error::other("no room");
        let error = StoreError::broken(format!("failed to write: {disk}")).caused_by(disk);
        assert_eq!(
            full_text(&Opening(error)),
            "failed to open chorus.db: the store cannot go on: failed to write: no room"
        );
        let bus = BusError::new("failed to publish").caused_by(io::Error::other("reset"));
        assert_eq!(
            full_text(&bus),
            "the bus did not answer: failed to publish: reset"
        );
    }

    #[test]
    fn errors_of_the_limiter_are_compared_by_message() {
        let plain = LimiterError::unavailable("away");
        assert_eq!(plain, plain.clone().caused_by(io::Error::other("reset")));
        assert_ne!(plain, LimiterError::unavailable("slow"));
        assert_ne!(plain, LimiterError::StateLost);
    }
}
