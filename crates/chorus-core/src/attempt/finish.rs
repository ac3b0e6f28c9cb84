//! The end of a delivery: its outcome, its usage, and the row that is kept of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Assignment, CallSummary, Holding, NewAttempt};
use crate::artifact::ArtifactHash;
use crate::failure::FailureClass;
use crate::id::{AttemptId, Epoch, EventId, TaskId};
use crate::llm::Usage;
use crate::money::MicroUsd;
use crate::port::bus::Record;
use crate::task_kind::TaskKind;
use crate::time::Timestamp;

/// A worker's last word on one delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Finish {
    /// Whose word it is.
    pub holding: Holding,
    /// What came of it.
    pub outcome: Outcome,
    /// What the call used; none when no call was made.
    pub usage: Option<Usage>,
    /// What the call cost.
    pub cost: MicroUsd,
    /// `task.done` when the attempt ended, `task.ready` when it is queued again.
    pub record: Record,
}

/// What came of a delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Outcome {
    /// The attempt has a result.
    Succeeded {
        /// The text.
        result: ArtifactHash,
    },
    /// The result is a question.
    Asked {
        /// The question's text.
        question: ArtifactHash,
    },
    /// The attempt will have no result.
    Failed {
        /// Why.
        cause: FailureCause,
    },
    /// A new delivery of the same attempt is wanted.
    Requeue {
        /// Why.
        reason: Requeue,
        /// Not before this time.
        not_before: Timestamp,
        /// A new `WorkOrder`, when the answer was cut.
        order: Option<ArtifactHash>,
    },
}

/// Reason of a new delivery. Only `Retry` and `Continue` are counted, each with its own limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Requeue {
    /// The call failed with a class that its [`FailureRule`](crate::failure::FailureRule) does not
    /// count: a limit, or a refused credential.
    Limited {
        /// Class of the refusal.
        class: FailureClass,
    },
    /// The call failed with a class that counts as a retry.
    Retry {
        /// Class of the failure.
        class: FailureClass,
    },
    /// The worker stops.
    Drained,
    /// The lease was gone before the call began.
    LeaseGone,
    /// The answer was cut by `max_tokens`.
    Continue,
}

impl Outcome {
    /// Returns the class of the upstream failure that led to this outcome, if one did.
    pub const fn failure_class(&self) -> Option<FailureClass> {
        match self {
            Self::Succeeded { .. } | Self::Asked { .. } => None,
            Self::Failed { cause } => cause.failure_class(),
            Self::Requeue { reason, .. } => reason.failure_class(),
        }
    }
}

impl Requeue {
    /// Returns the class of the upstream failure that caused the new delivery, if one did.
    pub const fn failure_class(&self) -> Option<FailureClass> {
        match self {
            Self::Limited { class } | Self::Retry { class } => Some(*class),
            Self::Drained | Self::LeaseGone | Self::Continue => None,
        }
    }
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
            | Self::OverBudget
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
            Self::OverBudget => "over_budget",
            Self::MissingArtifact { .. } => "artifact_missing",
        }
    }

    /// Returns the HTTP status of a reply to a caller whose call ended so.
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::Request { .. } => FailureClass::Request.rule().http_status,
            Self::Upstream { class, .. } => class.rule().http_status,
            Self::Empty | Self::Refused { .. } | Self::Endless => 502,
            Self::KillsWorkers | Self::MissingArtifact { .. } => 500,
            Self::NoAccount { .. } => 503,
            Self::OverBudget => 402,
        }
    }
}

/// Why an attempt has no result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum FailureCause {
    /// The provider says that the request itself is wrong.
    Request {
        /// The provider's words.
        message: String,
    },
    /// Calls kept failing.
    Upstream {
        /// The last kind of failure.
        class: FailureClass,
        /// The provider's words.
        message: String,
    },
    /// The model said nothing.
    Empty,
    /// The model declined.
    Refused {
        /// Its words.
        message: String,
    },
    /// The answer never ended: `Continue` reached its limit.
    Endless,
    /// Its workers died too often.
    KillsWorkers,
    /// No account can serve it.
    NoAccount {
        /// What is missing.
        message: String,
    },
    /// The project's budget does not cover it.
    OverBudget,
    /// An artifact it needs is not there.
    MissingArtifact {
        /// Which.
        message: String,
    },
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
            Self::OverBudget => f.write_str("the budget does not cover it"),
            Self::MissingArtifact { message } => write!(f, "an artifact is missing: {message}"),
        }
    }
}

/// The payload of `task.done`: an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptDone {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its task.
    pub task: TaskId,
    /// What came of it; never `Requeue`.
    pub outcome: Outcome,
    /// Result of the attempt's last call; none when no call was made or an earlier release wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Box<CallSummary>>,
}

impl AttemptDone {
    /// Returns the payload of an attempt that ended without a call.
    pub const fn uncalled(attempt: &NewAttempt, outcome: Outcome) -> Self {
        Self {
            attempt: attempt.id,
            task: attempt.task,
            outcome,
            call: None,
        }
    }
}

/// A late word on a delivery that was taken back: what its call really used, counted as waste.
#[derive(Debug, Clone, PartialEq)]
pub struct LateUsage {
    /// The attempt.
    pub attempt: AttemptId,
    /// The epoch of the delivery.
    pub epoch: Epoch,
    /// What the call used.
    pub usage: Usage,
    /// What it cost.
    pub cost: MicroUsd,
    /// For deduplication.
    pub event: EventId,
}

/// The story of one delivery, kept after it is over.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryRow {
    /// The attempt.
    pub attempt: AttemptId,
    /// The epoch.
    pub epoch: Epoch,
    /// The task.
    pub task: TaskId,
    /// What the task is for.
    pub kind: TaskKind,
    /// Where it ran.
    pub assignment: Assignment,
    /// When it was admitted and published.
    pub dispatched_at: Timestamp,
    /// When a worker claimed it.
    pub claimed_at: Option<Timestamp>,
    /// Until when its lease may hold something: its call's deadline and the provider's grace after it.
    pub deadline: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub end: Option<DeliveryEnd>,
    /// What the call used, as far as known.
    pub usage: Option<Usage>,
    /// What the call cost; the estimate for a lost one.
    pub cost: MicroUsd,
}

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum DeliveryEnd {
    /// Its worker finished it.
    Finished {
        /// What came of it.
        outcome: Outcome,
    },
    /// Nobody claimed it in time: no call was made.
    Unclaimed,
    /// Its worker fell silent: a call may have been made and paid for.
    #[serde(rename = "lost_worker")]
    WorkerLost,
    /// Cancelled before it was claimed or while it ran.
    Cancelled,
}
