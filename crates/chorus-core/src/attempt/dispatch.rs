//! Dispatch: an admitted attempt is handed to the workers of a pool.

use serde::{Deserialize, Serialize};

use super::FailureCause;
use crate::id::{AccountId, AttemptId, CredentialId, Epoch, ModelSlug, Pool, ProviderId, Term};
use crate::limit::{Lease, QuotaResets};
use crate::money::MicroUsd;
use crate::port::bus::Record;

/// One statement of the dispatcher about one queued attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatch {
    /// The attempt.
    pub attempt: AttemptId,
    /// The epoch it must still have.
    pub epoch: Epoch,
    /// The dispatcher's term, recorded with the row.
    pub term: Term,
    /// What becomes of it.
    pub decision: DispatchDecision,
    /// The outbox record of the same transaction: `task.dispatch` when sent, `task.done` when refused.
    pub record: Record,
}

/// What becomes of a queued attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum DispatchDecision {
    /// It goes to a worker.
    Send(Box<Assignment>),
    /// It can never run: no account can serve it, it kills workers. The row becomes `Failed`.
    Refuse(FailureCause),
}

/// Where and under which lease a delivery runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The lease.
    pub lease: Lease,
    /// The account that holds the credential.
    pub account: AccountId,
    /// The provider.
    pub provider: ProviderId,
    /// The model.
    pub model: ModelSlug,
    /// The pool whose workers run it.
    pub pool: Pool,
    /// Money set aside from the project's budget.
    pub estimate: MicroUsd,
    /// Windows by which the credential is parked when its quota or money is used up.
    #[serde(default, skip_serializing_if = "QuotaResets::is_empty")]
    pub resets: QuotaResets,
}

impl Assignment {
    /// The credential on which the call runs.
    pub const fn credential(&self) -> CredentialId {
        self.lease.credential
    }
}

/// The answer to one dispatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dispatched {
    /// The row carries this statement, by this call or by an earlier one whose reply was lost.
    Done,
    /// The row has moved on: stop, and end the lease unused.
    Conflict,
    /// The project's budget does not cover the estimate; the row is unchanged.
    OverBudget,
}
