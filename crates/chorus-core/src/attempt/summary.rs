//! The short result of one call, as the records of finishes carry it to the dispatcher.

use serde::{Deserialize, Serialize};

use super::{CallSize, DeliveryEnd, DeliveryRow, Outcome, Requeue};
use crate::failure::FailureClass;
use crate::id::{AccountId, AttemptId, Epoch, ModelSlug, ProviderId};
use crate::llm::Usage;
use crate::money::MicroUsd;
use crate::task_kind::TaskKind;
use crate::time::{Millis, Timestamp};

/// Result of one call: who made it where, how it ended, and what it used.
///
/// It rides in the payloads of `task.done` and `task.ready` as an optional field, so that readers
/// and writers of an earlier release still understand each other. The pool learns from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallSummary {
    /// Provider that was called.
    pub provider: ProviderId,
    /// Model that was called, by its catalogue name.
    pub model: ModelSlug,
    /// Account whose credential was used.
    pub account: AccountId,
    /// Kind of the task, which predicts the size of a reply.
    pub kind: TaskKind,
    /// Size of the call as it was estimated before.
    pub size: CallSize,
    /// Class of the failure; none for a reply and for a call that was cut on our side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<FailureClass>,
    /// True if the reply came to its end; only then do `usage` and `took` teach anything.
    #[serde(default)]
    pub complete: bool,
    /// Tokens used; none when that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Money spent, in micro-dollars.
    pub cost: MicroUsd,
    /// Time from the start of the call to its end.
    pub took: Millis,
}

/// A [`CallSummary`] read from the row of an ended delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedCall {
    /// Attempt of the delivery.
    pub attempt: AttemptId,
    /// Epoch of the delivery.
    pub epoch: Epoch,
    /// Time at which the delivery ended, by the clock of the store.
    pub ended_at: Timestamp,
    /// Result of the call.
    pub call: CallSummary,
}

impl EndedCall {
    /// Reads the call of a delivery whose attempt has this size; none unless its worker reported an outcome.
    pub fn of_row(row: &DeliveryRow, size: CallSize) -> Option<Self> {
        let Some(DeliveryEnd::Finished { outcome }) = &row.end else {
            return None;
        };
        let (claimed_at, ended_at) = (row.claimed_at?, row.ended_at?);
        let complete = match outcome {
            Outcome::Succeeded { .. } | Outcome::Asked { .. } => true,
            Outcome::Requeue { reason, .. } => *reason == Requeue::Continue,
            Outcome::Failed { .. } => false,
        };
        Some(Self {
            attempt: row.attempt,
            epoch: row.epoch,
            ended_at,
            call: CallSummary {
                provider: row.assignment.provider.clone(),
                model: row.assignment.model.clone(),
                account: row.assignment.account,
                kind: row.kind,
                size,
                class: outcome.failure_class(),
                complete,
                usage: row.usage,
                cost: row.cost,
                took: ended_at.since(claimed_at),
            },
        })
    }
}
