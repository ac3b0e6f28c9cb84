//! Shared limiter state: one atomic reservation over all limits of all groups of a credential.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

pub use super::error::LimiterError;
use crate::id::{Holder, LeaseId};
use crate::limit::{
    Demand, End, GroupChange, GroupLevel, Lease, LimitSignals, QuotaGroup, Reserved, Restoration,
    Sent,
};
use crate::time::Timestamp;

/// Time for which a booking stays without a renewal by another demand of its lease.
pub const BOOKING_LASTS: crate::time::Millis = crate::time::Millis::from_secs(5);

/// Limiter: reserve, send, observe, end. Every method is idempotent per lease.
///
/// A limiter that has lost its state returns [`LimiterError::StateLost`] from every method until leases
/// are restored. If another process has restored it since this process did, `reserve` returns the same
/// error: that process may have known fewer leases.
#[async_trait]
pub trait LimitState: LimitLevels {
    /// Reserves the demand's amounts on its best candidate that has room, or returns the time at which
    /// to ask again. The same lease id gets the same grant while the lease lives.
    ///
    /// A demand that [books](Demand::books) and waits keeps a booking for [`BOOKING_LASTS`]; each further
    /// demand of its lease renews it. Interactive demands do not heed bookings of others.
    async fn reserve(&self, demand: Demand) -> Result<Reserved, LimiterError>;

    /// Removes the booking of a call that waits no longer. An unknown lease changes nothing.
    async fn withdraw(&self, lease: LeaseId) -> Result<(), LimiterError>;

    /// Marks the lease as sent: it lives until `deadline`. The same holder may repeat it; another gets
    /// [`Sent::Gone`]. The lease carries its amounts, so that it is honoured where its grant is not known.
    async fn send(
        &self,
        lease: &Lease,
        holder: &Holder,
        deadline: Timestamp,
    ) -> Result<Sent, LimiterError>;

    /// Ends the lease. A repeated end changes nothing; [`End::Unused`] acts on leases that were never
    /// sent.
    async fn end(&self, lease: LeaseId, end: End) -> Result<(), LimiterError>;

    /// Corrects the levels of every group that the lease draws on, and closes or narrows them as
    /// the failure table says. The limiter knows the groups of its leases: signals of a lease that
    /// has ended, or that it does not know after a flush or an hour, change nothing and succeed.
    async fn observe(&self, lease: LeaseId, signals: LimitSignals) -> Result<(), LimiterError>;

    /// Restores leases after the state was lost or a new leader took over; known leases stay as they are.
    /// The leases must be all that are outstanding, read after the loss was noticed. A limiter that has
    /// lost its state starts at the levels that the past calls left.
    async fn restore(&self, restoration: Restoration) -> Result<(), LimiterError>;

    /// Returns an error if the state was lost; changes nothing.
    async fn intact(&self) -> Result<(), LimiterError>;
}

/// Levels of the limits, for mirrors of them and for operators.
#[async_trait]
pub trait LimitLevels: Send + Sync {
    /// Returns the levels of these groups, in order; one that was never drawn on has the level with which
    /// it would begin. Changes nothing.
    async fn levels(&self, groups: &[Arc<QuotaGroup>]) -> Result<Vec<GroupLevel>, LimiterError>;

    /// Returns groups that were freed or corrected, with their levels: hints that may be late, doubled or
    /// missing.
    fn changed(&self) -> BoxStream<'static, GroupChange>;
}
