//! The result of one call, read from the row of its ended delivery.

use super::{CallSummary, DeliveryEnd, DeliveryRow, NewAttempt, Outcome, Requeue};
use crate::id::{AttemptId, Epoch, ProjectId, Tenant};
use crate::time::Timestamp;

/// A [`CallSummary`] read from the row of an ended delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedCall {
    /// Attempt of the delivery.
    pub attempt: AttemptId,
    /// Epoch of the delivery.
    pub epoch: Epoch,
    /// Tenant that the call was made for.
    pub tenant: Tenant,
    /// Project of the attempt.
    pub project: ProjectId,
    /// Time at which the delivery ended, by the clock of the store.
    pub ended_at: Timestamp,
    /// Result of the call.
    pub call: CallSummary,
}

impl EndedCall {
    /// Reads the call of a delivery of an attempt. None unless the worker reported an outcome.
    pub fn of_row(row: &DeliveryRow, attempt: &NewAttempt) -> Option<Self> {
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
            tenant: attempt.tenant.clone(),
            project: attempt.project,
            ended_at,
            call: CallSummary {
                provider: row.assignment.provider.clone(),
                model: row.assignment.model.clone(),
                account: row.assignment.account,
                kind: row.kind,
                size: attempt.size,
                class: outcome.failure_class(),
                complete,
                usage: row.usage,
                cost: row.cost,
                took: ended_at.since(claimed_at),
            },
        })
    }
}
