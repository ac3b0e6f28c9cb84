//! The end of a delivery: its outcome, its usage, and the row that is kept of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Assignment, Holding};
use crate::artifact::ArtifactHash;
use crate::id::{AttemptId, Epoch, EventId, TaskId};
use crate::limit::FailureClass;
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

/// Why an attempt is delivered again. Only `Retry` and `Continue` are counted, each with its own limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Requeue {
    /// The provider refused it for a limit's sake.
    Limited {
        /// The kind of refusal.
        class: FailureClass,
    },
    /// The call failed in a way that may pass.
    Retry {
        /// The kind of failure.
        class: FailureClass,
    },
    /// The worker stops.
    Drained,
    /// The lease was gone before the call began.
    LeaseGone,
    /// The answer was cut by `max_tokens`.
    Continue,
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
                write!(f, "the provider says that the request is wrong: {message}")
            }
            Self::Upstream { message, .. } => write!(f, "calls kept failing: {message}"),
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
