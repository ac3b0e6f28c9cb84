//! The end of a delivery: its outcome, its usage, and the row that is kept of it.

use serde::{Deserialize, Serialize};

use super::{Assignment, CallSummary, FailureCause, Holding, NewAttempt, UnfitModel};
use crate::artifact::ArtifactHash;
use crate::failure::{FailureClass, RequeueReaction};
use crate::id::{AttemptId, Epoch, EventId, ModelSlug, TaskId};
use crate::llm::Usage;
use crate::money::MicroUsd;
use crate::port::bus::Record;
use crate::task_kind::TaskKind;
use crate::time::Timestamp;

/// Final report of a worker on one delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Finish {
    /// Holding under which the worker ran it.
    pub holding: Holding,
    /// Outcome of the delivery.
    pub outcome: Outcome,
    /// Tokens that the call used; none when no call was made.
    pub usage: Option<Usage>,
    /// Price of the call.
    pub cost: MicroUsd,
    /// `task.done` when the attempt ended, `task.ready` when it is queued again.
    pub record: Record,
}

/// Outcome of a delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Outcome {
    /// The attempt has a result.
    Succeeded {
        /// Text of the result.
        result: ArtifactHash,
    },
    /// The result is a question.
    Asked {
        /// Text of the question.
        question: ArtifactHash,
    },
    /// The attempt will have no result.
    Failed {
        /// Cause of the failure.
        cause: FailureCause,
    },
    /// The attempt needs a new delivery.
    Requeue {
        /// Reason of the new delivery.
        reason: Requeue,
        /// Earliest time of the new delivery.
        not_before: Timestamp,
        /// A new [`WorkOrder`](super::WorkOrder), when the answer was cut.
        order: Option<ArtifactHash>,
        /// Message of the provider; empty when no call failed, and in rows of earlier releases.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        message: String,
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

    /// Reads the end of a delivery to `model`; none unless the model refused the request itself.
    pub fn unfit_model(&self, model: &ModelSlug) -> Option<UnfitModel> {
        let Self::Requeue {
            reason, message, ..
        } = self
        else {
            return None;
        };
        let rule = reason.failure_class()?.rule();
        (rule.requeue == RequeueReaction::OtherModel).then(|| UnfitModel {
            model: model.clone(),
            message: message.clone(),
        })
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

/// Payload of `task.done`: an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptDone {
    /// Attempt that ended.
    pub attempt: AttemptId,
    /// Task of the attempt.
    pub task: TaskId,
    /// Outcome of the last delivery; never [`Outcome::Requeue`].
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

/// Usage of a delivery that was taken back, reported late and counted as waste.
#[derive(Debug, Clone, PartialEq)]
pub struct LateUsage {
    /// Attempt of the delivery.
    pub attempt: AttemptId,
    /// Epoch of the delivery.
    pub epoch: Epoch,
    /// Tokens that the call used.
    pub usage: Usage,
    /// Price of the call.
    pub cost: MicroUsd,
    /// Key of deduplication.
    pub event: EventId,
}

/// Row of one delivery, kept after it has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryRow {
    /// Attempt of the delivery.
    pub attempt: AttemptId,
    /// Epoch of the delivery.
    pub epoch: Epoch,
    /// Task of the attempt.
    pub task: TaskId,
    /// Kind of the task.
    pub kind: TaskKind,
    /// Account, model and lease that it ran on.
    pub assignment: Assignment,
    /// Time at which it was admitted and published.
    pub dispatched_at: Timestamp,
    /// Time at which a worker claimed it.
    pub claimed_at: Option<Timestamp>,
    /// Time until which its lease may hold something: the call's deadline and the provider's grace
    /// after it.
    pub deadline: Option<Timestamp>,
    /// Time of its end.
    pub ended_at: Option<Timestamp>,
    /// Manner of its end.
    pub end: Option<DeliveryEnd>,
    /// Tokens that the call used, as far as known.
    pub usage: Option<Usage>,
    /// Price of the call; the estimate for a lost one.
    pub cost: MicroUsd,
}

/// Manner in which a delivery ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum DeliveryEnd {
    /// Its worker finished it.
    Finished {
        /// Outcome that the worker reported.
        outcome: Outcome,
    },
    /// No worker claimed it in time: no call was made.
    Unclaimed,
    /// Its worker fell silent: a call may have been made and paid for.
    #[serde(rename = "lost_worker")]
    WorkerLost,
    /// Cancelled before it was claimed or while it ran.
    Cancelled,
}
