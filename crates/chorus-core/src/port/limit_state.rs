//! Shared limiter state: one atomic reservation over all limits of all groups of a credential.

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use crate::id::{GroupId, Holder, LeaseId};
use crate::limit::{Demand, End, HeldLease, Observation, Reserved, Sent};
use crate::time::Timestamp;

/// The limiter did not answer; the deed may have been done.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the limiter did not answer: {0}")]
pub struct LimiterError(pub String);

/// Reserve, send, end, observe. Every method is idempotent per lease.
#[async_trait]
pub trait LimitState: Send + Sync {
    /// Sets the demand's amounts aside on its best candidate that has room, or says when to ask again.
    /// The same lease id gets the same grant while the lease lives.
    async fn reserve(&self, demand: Demand) -> Result<Reserved, LimiterError>;

    /// The call begins: the lease now lives until `deadline`. The same holder may repeat it; another gets `Gone`.
    async fn send(&self, lease: LeaseId, holder: &Holder, deadline: Timestamp) -> Result<Sent, LimiterError>;

    /// The lease is over. Repeating it changes nothing; `Unused` acts on leases that were never sent.
    async fn end(&self, lease: LeaseId, end: End) -> Result<(), LimiterError>;

    /// Corrects the mirror of one group by what a reply or refusal told.
    async fn observe(&self, observation: Observation) -> Result<(), LimiterError>;

    /// Puts leases back after the state was lost; known leases are left as they are.
    async fn restore(&self, leases: Vec<HeldLease>) -> Result<(), LimiterError>;

    /// Groups in which something was freed or corrected; a hint that may be late, doubled or missing.
    fn changed(&self) -> BoxStream<'static, GroupId>;
}
