//! The in-memory limiter, watched. A flush models a server that lost its memory.

use std::sync::Arc;

use async_trait::async_trait;
use chorus_core::id::{Holder, LeaseId};
use chorus_core::limit::{
    Demand, End, GroupChange, GroupLevel, Lease, LimitSignals, QuotaGroup, Reserved, Restoration,
    Sent,
};
use chorus_core::port::limit_state::LimiterError;
use chorus_core::port::{Clock, LimitLevels, LimitState};
use chorus_core::time::Timestamp;
use chorus_limits::{Memory, Start};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use crate::invariant::{LeaseOperation, Level, Monitor};

/// The in-memory limiter [`Memory`] with a [`Monitor`].
pub struct WatchedLimits {
    memory: Memory,
    monitor: Arc<Monitor>,
}

impl WatchedLimits {
    /// Creates a limiter with full rates. Without `expiry`, no lease ever expires.
    pub fn new(clock: Arc<dyn Clock>, monitor: Arc<Monitor>, expiry: bool) -> Self {
        let clock = if expiry {
            clock
        } else {
            Arc::new(FixedClock(clock.now()))
        };
        if !expiry {
            monitor.leases_never_expire();
        }
        Self {
            memory: Memory::new(clock, Start::Full),
            monitor,
        }
    }

    /// Returns the limiter as another process sees it.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self {
            memory: self.memory.beside(),
            monitor: Arc::clone(&self.monitor),
        }
    }

    /// Drops all state. Rates start at zero, as past use is unknown.
    pub fn flush(&self) {
        self.memory.flush();
        self.monitor.flushed();
    }

    /// Number of leases that hold something, including those of groups that are not loaded yet.
    pub fn live_leases(&self) -> usize {
        self.memory.live_leases()
    }

    /// Current levels of all limits.
    pub fn all_levels(&self) -> Vec<Level> {
        Level::of(&self.memory.all_levels())
    }

    fn check(&self, operation: &LeaseOperation<'_>) {
        self.monitor.check_limits(operation, &self.all_levels());
    }
}

#[async_trait]
impl LimitState for WatchedLimits {
    async fn reserve(&self, demand: Demand) -> Result<Reserved, LimiterError> {
        let reserved = self.memory.reserve(demand.clone()).await?;
        self.check(&LeaseOperation::Reserve(&demand, &reserved));
        Ok(reserved)
    }

    async fn withdraw(&self, lease: LeaseId) -> Result<(), LimiterError> {
        self.memory.withdraw(lease).await
    }

    async fn send(
        &self,
        lease: &Lease,
        holder: &Holder,
        deadline: Timestamp,
    ) -> Result<Sent, LimiterError> {
        let sent = self.memory.send(lease, holder, deadline).await?;
        self.check(&LeaseOperation::Send {
            lease: lease.id,
            holder,
            deadline,
            sent,
        });
        Ok(sent)
    }

    async fn end(&self, lease: LeaseId, end: End) -> Result<(), LimiterError> {
        self.memory.end(lease, end.clone()).await?;
        self.check(&LeaseOperation::End(lease, &end));
        Ok(())
    }

    async fn observe(&self, lease: LeaseId, signals: LimitSignals) -> Result<(), LimiterError> {
        self.memory.observe(lease, signals).await?;
        self.check(&LeaseOperation::Observe);
        Ok(())
    }

    async fn restore(&self, restoration: Restoration) -> Result<(), LimiterError> {
        self.memory.restore(restoration.clone()).await?;
        self.check(&LeaseOperation::Restore(&restoration.leases));
        Ok(())
    }

    async fn intact(&self) -> Result<(), LimiterError> {
        self.memory.intact().await
    }
}

#[async_trait]
impl LimitLevels for WatchedLimits {
    async fn levels(&self, groups: &[Arc<QuotaGroup>]) -> Result<Vec<GroupLevel>, LimiterError> {
        self.memory.levels(groups).await
    }

    fn changed(&self) -> BoxStream<'static, GroupChange> {
        self.memory.changed()
    }
}

/// Clock with a constant time.
struct FixedClock(Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn sleep_until(&self, _at: Timestamp) -> BoxFuture<'static, ()> {
        futures_util::future::pending().boxed()
    }

    fn random_u128(&self) -> u128 {
        0
    }

    fn random_below(&self, _below: u64) -> u64 {
        0
    }
}
