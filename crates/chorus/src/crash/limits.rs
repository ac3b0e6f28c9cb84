//! [`Point::Reserve`].

use std::sync::Arc;

use async_trait::async_trait;
use chorus_core::id::{Holder, LeaseId};
use chorus_core::limit::{
    Demand, End, GroupChange, GroupLevel, Lease, LimitSignals, QuotaGroup, Reserved, Restoration,
    Sent,
};
use chorus_core::port::limit_state::LimiterError;
use chorus_core::port::{LimitLevels, LimitState};
use chorus_core::time::Timestamp;
use futures_util::stream::BoxStream;

use super::{Crash, Point};

pub(super) struct Wrap {
    pub(super) inner: Arc<dyn LimitState>,
    pub(super) crash: Arc<Crash>,
}

#[async_trait]
impl LimitState for Wrap {
    async fn reserve(&self, demand: Demand) -> Result<Reserved, LimiterError> {
        let answer = self.inner.reserve(demand).await;
        if matches!(answer, Ok(Reserved::Granted(_))) {
            self.crash.reached(Point::Reserve);
        }
        answer
    }

    async fn withdraw(&self, lease: LeaseId) -> Result<(), LimiterError> {
        self.inner.withdraw(lease).await
    }

    async fn send(
        &self,
        lease: &Lease,
        holder: &Holder,
        deadline: Timestamp,
    ) -> Result<Sent, LimiterError> {
        self.inner.send(lease, holder, deadline).await
    }

    async fn end(&self, lease: LeaseId, end: End) -> Result<(), LimiterError> {
        self.inner.end(lease, end).await
    }

    async fn observe(&self, lease: LeaseId, signals: LimitSignals) -> Result<(), LimiterError> {
        self.inner.observe(lease, signals).await
    }

    async fn restore(&self, restoration: Restoration) -> Result<(), LimiterError> {
        self.inner.restore(restoration).await
    }

    async fn intact(&self) -> Result<(), LimiterError> {
        self.inner.intact().await
    }
}

#[async_trait]
impl LimitLevels for Wrap {
    async fn levels(&self, groups: &[Arc<QuotaGroup>]) -> Result<Vec<GroupLevel>, LimiterError> {
        self.inner.levels(groups).await
    }

    fn changed(&self) -> BoxStream<'static, GroupChange> {
        self.inner.changed()
    }
}
