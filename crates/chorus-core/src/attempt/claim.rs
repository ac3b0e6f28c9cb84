//! Claims: a worker takes a dispatched attempt, and the reconciler takes it back.

use super::{Assignment, NewAttempt};
use crate::id::{AccountId, AttemptId, Epoch, Holder, LeaseId, ModelSlug, ProviderId, Tenant};
use crate::limit::Lease;
use crate::time::{Millis, Timestamp};

/// Claim of one record by a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Attempt named by the record.
    pub attempt: AttemptId,
    /// Epoch named by the record.
    pub epoch: Epoch,
    /// Boot id and nonce of this record: a repeated claim finds itself, a doubled record is denied.
    pub holder: Holder,
    /// Time until which the lease may hold something: the call's wall-clock deadline and the time
    /// for which a provider may go on after it was cut. Kept with the delivery.
    pub deadline: Timestamp,
}

/// A claimed delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Attempt that the delivery belongs to.
    pub attempt: NewAttempt,
    /// Epoch of the delivery.
    pub epoch: Epoch,
    /// Account, model and lease of the delivery.
    pub assignment: Assignment,
    /// Number of deliveries that ended in [`Requeue::Retry`](super::Requeue::Retry) so far.
    pub retries: u32,
    /// Number of deliveries cut by `max_tokens` so far.
    pub continues: u32,
}

/// Bounds of one sweep of the reconciler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reclaim {
    /// Time that must have passed since the `not_after` of a dispatched attempt's lease.
    pub unclaimed_for: Millis,
    /// Time that must have passed since the last heartbeat of a running attempt.
    pub silent_for: Millis,
    /// Time at which every earlier process had ended: an attempt without a heartbeat since has lost its
    /// worker. None where other processes may run.
    pub alone_since: Option<Timestamp>,
    /// Maximum number of rows in one statement.
    pub limit: u32,
}

/// A delivery that the reconciler took back; its attempt is `Queued` at `epoch + 1`.
#[derive(Debug, Clone, PartialEq)]
pub struct Reclaimed {
    /// Attempt that was taken back.
    pub attempt: AttemptId,
    /// Epoch of the delivery that was taken back.
    pub epoch: Epoch,
    /// Lease of the delivery, to be ended `Unused` or `Lost`.
    pub lease: LeaseId,
    /// True if a worker had claimed it and was lost.
    pub lost_worker: bool,
    /// Time until which its lease could be sent.
    pub not_after: Timestamp,
    /// Provider of the call.
    pub provider: ProviderId,
    /// Model of the call.
    pub model: ModelSlug,
}

impl Reclaim {
    /// Returns the time since which a running attempt must have sent a heartbeat.
    pub fn silent_since(&self, now: Timestamp) -> Timestamp {
        let silent_since = now - self.silent_for;
        self.alone_since
            .map_or(silent_since, |alone| silent_since.max(alone.min(now)))
    }
}

/// A delivery with a lease that may still hold something, for
/// [`LimitState::restore`](crate::port::LimitState::restore).
#[derive(Debug, Clone, PartialEq)]
pub struct Outstanding {
    /// Tenant that owns the account.
    pub tenant: Tenant,
    /// Lease with its amounts.
    pub lease: Lease,
    /// Account of the credential.
    pub account: AccountId,
    /// Model, which names the groups.
    pub model: ModelSlug,
    /// Provider that the credential is for.
    pub provider: ProviderId,
    /// Deadline of the call once it was claimed; none while it is only dispatched.
    pub sent_until: Option<Timestamp>,
    /// Time of the claim; none while it is only dispatched.
    pub claimed_at: Option<Timestamp>,
    /// True if the delivery was taken back from a silent worker.
    pub lost_worker: bool,
}
