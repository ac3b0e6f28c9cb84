//! Dispatch: an admitted attempt is handed to the workers of a pool.

use serde::{Deserialize, Serialize};

use super::FailureCause;
use crate::id::{AccountId, AttemptId, CredentialId, Epoch, ModelSlug, Pool, ProviderId, Term};
use crate::limit::{Lease, QuotaResets};
use crate::money::MicroUsd;
use crate::port::bus::Record;

/// One decision of the dispatcher about one queued attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatch {
    /// Attempt that the decision is about.
    pub attempt: AttemptId,
    /// Epoch that the row must still have.
    pub epoch: Epoch,
    /// Term of the dispatcher, recorded with the row.
    pub term: Term,
    /// Decision for the attempt.
    pub decision: DispatchDecision,
    /// Outbox record of the same transaction: `task.dispatch` when sent, `task.done` when refused.
    pub record: Record,
}

/// Decision for a queued attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum DispatchDecision {
    /// A worker gets the attempt.
    Send(Box<Assignment>),
    /// The attempt can never run: no account can serve it, or it kills workers. The row becomes
    /// `Failed`.
    Refuse(FailureCause),
}

/// Account, model and lease of a delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// Lease under which the call runs.
    pub lease: Lease,
    /// Account that holds the credential.
    pub account: AccountId,
    /// Provider that the credential is for.
    pub provider: ProviderId,
    /// Model of the call.
    pub model: ModelSlug,
    /// Pool of the workers that run it.
    pub pool: Pool,
    /// Money reserved from the project's budget.
    pub estimate: MicroUsd,
    /// Windows by which the credential is parked when its quota or money is used up.
    #[serde(default, skip_serializing_if = "QuotaResets::is_empty")]
    pub resets: QuotaResets,
}

impl Assignment {
    /// Returns the credential on which the call runs.
    pub const fn credential(&self) -> CredentialId {
        self.lease.credential
    }
}

/// Result of one [`Dispatch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dispatched {
    /// The row carries this decision, by this call or by an earlier one with a lost reply.
    Done,
    /// The row has moved on: the dispatcher stops, and ends the lease unused.
    Conflict,
    /// The project's budget does not cover the estimate; the row is unchanged.
    OverBudget,
}
