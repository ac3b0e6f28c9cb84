//! Shared limiter state: one atomic reservation over all limits of all groups of a credential.

use async_trait::async_trait;
use futures_util::stream::BoxStream;

pub use super::error::LimiterError;
use crate::id::{GroupId, Holder, LeaseId};
use crate::limit::{Demand, End, HeldLease, Lease, LimitSignals, Reserved, Sent};
use crate::time::Timestamp;

/// Reserve, send, end, observe. Every method is idempotent per lease.
///
/// A limiter that has lost its state says so to every question until leases are restored. A limiter that was
/// restored by somebody else since this process did it says so to `reserve` as well: that other process may
/// have known less.
#[async_trait]
pub trait LimitState: Send + Sync {
    /// Sets the demand's amounts aside on its best candidate that has room, or says when to ask again.
    /// The same lease id gets the same grant while the lease lives.
    async fn reserve(&self, demand: Demand) -> Result<Reserved, LimiterError>;

    /// The call begins: the lease now lives until `deadline`. The same holder may repeat it; another gets `Gone`.
    /// The lease is named with its amounts, so that it can be honoured where its grant is not known.
    async fn send(
        &self,
        lease: &Lease,
        holder: &Holder,
        deadline: Timestamp,
    ) -> Result<Sent, LimiterError>;

    /// The lease is over. Repeating it changes nothing; `Unused` acts on leases that were never sent.
    async fn end(&self, lease: LeaseId, end: End) -> Result<(), LimiterError>;

    /// Corrects the levels of every group that the lease draws on, and closes or narrows them as
    /// the failure table says. The limiter knows the groups of its leases: signals of a lease that
    /// has ended, or that it does not know after a flush or an hour, change nothing and succeed.
    async fn observe(&self, lease: LeaseId, signals: LimitSignals) -> Result<(), LimiterError>;

    /// Puts leases back, after the state was lost or a new leader took over; known leases are left as they are.
    /// The leases must be all that are outstanding, read after the loss was heard of.
    async fn restore(&self, leases: Vec<HeldLease>) -> Result<(), LimiterError>;

    /// Whether it knows what it was told, and nothing else: a question that changes nothing.
    async fn intact(&self) -> Result<(), LimiterError>;

    /// Groups in which something was freed or corrected; a hint that may be late, doubled or missing.
    fn changed(&self) -> BoxStream<'static, GroupId>;
}
