//! Reasons why an attempt has no result.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::failure::FailureClass;
use crate::money::MicroUsd;

/// Reason why an attempt has no result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum FailureCause {
    /// The provider refused the request itself as wrong.
    Request {
        /// Message of the provider.
        message: String,
    },
    /// Calls kept failing.
    Upstream {
        /// Class of the last failure.
        class: FailureClass,
        /// Message of the provider.
        message: String,
    },
    /// The model returned an empty answer.
    Empty,
    /// The model declined.
    Refused {
        /// Text in which it declined.
        message: String,
    },
    /// The answer never ended: [`Requeue::Continue`](super::Requeue::Continue) reached its limit.
    Endless,
    /// Its workers died too often.
    KillsWorkers,
    /// No account can serve it.
    NoAccount {
        /// Model or provider that is missing.
        message: String,
    },
    /// The project's budget does not cover it.
    OverBudget {
        /// Amount that the call needs; zero in rows of an earlier release.
        #[serde(default)]
        needs: MicroUsd,
        /// Amount spent and reserved when it was refused.
        #[serde(default)]
        spent: MicroUsd,
        /// Budget when it was refused.
        #[serde(default)]
        budget: MicroUsd,
    },
    /// An artifact that it needs is missing.
    MissingArtifact {
        /// Name of the artifact, and the reason.
        message: String,
    },
}

impl FailureCause {
    /// Returns the class of the last upstream failure, if that is the cause.
    pub const fn failure_class(&self) -> Option<FailureClass> {
        match self {
            Self::Request { .. } => Some(FailureClass::Request),
            Self::Upstream { class, .. } => Some(*class),
            Self::Empty
            | Self::Refused { .. }
            | Self::Endless
            | Self::KillsWorkers
            | Self::NoAccount { .. }
            | Self::OverBudget { .. }
            | Self::MissingArtifact { .. } => None,
        }
    }

    /// Returns the stable code that a client is shown.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Request { .. } => FailureClass::Request.rule().client_text.code,
            Self::Upstream { class, .. } => class.rule().client_text.code,
            Self::Empty => "empty_reply",
            Self::Refused { .. } => "model_declined",
            Self::Endless => "endless_reply",
            Self::KillsWorkers => "workers_lost",
            Self::NoAccount { .. } => "no_account",
            Self::OverBudget { .. } => "over_budget",
            Self::MissingArtifact { .. } => "artifact_missing",
        }
    }

    /// Returns the HTTP status of the reply to a caller.
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::Request { .. } => FailureClass::Request.rule().http_status,
            Self::Upstream { class, .. } => class.rule().http_status,
            Self::Empty | Self::Refused { .. } | Self::Endless => 502,
            Self::KillsWorkers | Self::MissingArtifact { .. } => 500,
            Self::NoAccount { .. } => 503,
            Self::OverBudget { .. } => 402,
        }
    }
}

impl fmt::Display for FailureCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { message } => {
                f.write_str(&FailureClass::Request.rule().client_text.render(message))
            }
            Self::Upstream { class, message } => {
                f.write_str(&class.rule().client_text.render(message))
            }
            Self::Empty => f.write_str("the model said nothing"),
            Self::Refused { message } => write!(f, "the model declined: {message}"),
            Self::Endless => f.write_str("the answer never came to an end"),
            Self::KillsWorkers => f.write_str("its workers died too often"),
            Self::NoAccount { message } => write!(f, "no account can serve it: {message}"),
            Self::OverBudget {
                needs: MicroUsd::ZERO,
                ..
            } => f.write_str("the budget does not cover it"),
            Self::OverBudget {
                needs,
                spent,
                budget,
            } => write!(
                f,
                "the budget does not cover it: it needs {needs}, {spent} of {budget} are spent or reserved"
            ),
            Self::MissingArtifact { message } => write!(f, "an artifact is missing: {message}"),
        }
    }
}
