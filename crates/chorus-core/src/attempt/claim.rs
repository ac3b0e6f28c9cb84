//! Claims: a worker takes a dispatched attempt, and the reconciler takes it back.

use super::{Assignment, NewAttempt};
use crate::id::{AccountId, AttemptId, Epoch, Holder, LeaseId, ModelSlug, ProviderId, Tenant};
use crate::limit::Lease;
use crate::time::{Millis, Timestamp};

/// A worker's claim of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The attempt.
    pub attempt: AttemptId,
    /// The record's epoch.
    pub epoch: Epoch,
    /// Boot id and nonce of this record: a retry finds itself, a doubled record is denied.
    pub holder: Holder,
    /// Until when its lease may hold something: the call's wall-clock deadline and the time for which a provider
    /// may go on after it was cut. Kept with the delivery.
    pub deadline: Timestamp,
}

/// A claimed delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The attempt.
    pub attempt: NewAttempt,
    /// Its epoch.
    pub epoch: Epoch,
    /// Where it runs.
    pub assignment: Assignment,
    /// Deliveries that ended in `Requeue { reason: Retry }` so far.
    pub retries: u32,
    /// Deliveries cut by `max_tokens` so far.
    pub continues: u32,
}

/// Names one holding of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holding {
    /// The attempt.
    pub attempt: AttemptId,
    /// The epoch.
    pub epoch: Epoch,
    /// The holder.
    pub holder: Holder,
}

/// What the reconciler takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reclaim {
    /// Dispatches this long past their lease's `not_after`.
    pub unclaimed_for: Millis,
    /// Running attempts whose last beat is this old.
    pub silent_for: Millis,
    /// At most this many rows in one statement.
    pub limit: u32,
}

/// A delivery that the reconciler took back; its attempt is `Queued` at `epoch + 1`.
#[derive(Debug, Clone, PartialEq)]
pub struct Reclaimed {
    /// The attempt.
    pub attempt: AttemptId,
    /// The epoch of the delivery that was taken back.
    pub epoch: Epoch,
    /// Its lease, to be ended `Unused` (which acts only if it was never sent).
    pub lease: LeaseId,
    /// Whether a worker was lost (else nobody had claimed it).
    pub lost_worker: bool,
}

/// A delivery whose lease may still hold something, for `LimitState::restore`.
#[derive(Debug, Clone, PartialEq)]
pub struct Outstanding {
    /// Whose accounts it is on.
    pub tenant: Tenant,
    /// The lease.
    pub lease: Lease,
    /// The credential's account.
    pub account: AccountId,
    /// The model, which names the groups.
    pub model: ModelSlug,
    /// The provider.
    pub provider: ProviderId,
    /// Deadline of the call once it was claimed; none while it is only dispatched.
    pub sent_until: Option<Timestamp>,
}
