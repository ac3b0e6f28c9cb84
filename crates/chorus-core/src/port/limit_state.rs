//! Shared limiter state: one atomic reservation over all limits of all groups of a credential.

use async_trait::async_trait;
use futures_util::stream::BoxStream;

pub use super::error::LimiterError;
use crate::id::{GroupId, Holder, LeaseId};
use crate::limit::{Demand, End, Lease, LimitSignals, Reserved, Restoration, Sent};
use crate::time::Timestamp;

/// Limiter: reserve, send, observe, end. Every method is idempotent per lease.
///
/// A limiter that has lost its state returns [`LimiterError::StateLost`] from every method until leases
/// are restored. If another process has restored it since this process did, `reserve` returns the same
/// error: that process may have known fewer leases.
#[async_trait]
pub trait LimitState: Send + Sync {
    /// Reserves the demand's amounts on its best candidate that has room, or returns the time at which
    /// to ask again. The same lease id gets the same grant while the lease lives.
    async fn reserve(&self, demand: Demand) -> Result<Reserved, LimiterError>;

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

    /// Returns groups that were freed or corrected: hints that may be late, doubled or missing.
    fn changed(&self) -> BoxStream<'static, GroupId>;
}
