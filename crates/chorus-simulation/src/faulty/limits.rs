//! The [`LimitState`] port with faults. Lost change signals are not an error.

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

use super::{Faulty, done};
use crate::fault::Part;

#[async_trait]
impl LimitState for Faulty<dyn LimitState> {
    async fn reserve(&self, demand: Demand) -> Result<Reserved, LimiterError> {
        let what = format!("reserve {}", demand.lease);
        let show = |reserved: &Reserved| match reserved {
            Reserved::Granted(lease) => format!("granted on {}", lease.credential),
            Reserved::Wait { at, .. } => format!("wait until {at:?}"),
            Reserved::Never(why) => format!("never: {why}"),
        };
        self.point
            .call(Part::Limits, &what, show, self.inner.reserve(demand))
            .await
    }

    async fn withdraw(&self, lease: LeaseId) -> Result<(), LimiterError> {
        let what = format!("withdraw {lease}");
        self.point
            .call(Part::Limits, &what, done, self.inner.withdraw(lease))
            .await
    }

    async fn send(
        &self,
        lease: &Lease,
        holder: &Holder,
        deadline: Timestamp,
    ) -> Result<Sent, LimiterError> {
        let what = format!("send {} by {holder}", lease.id);
        self.point
            .call(
                Part::Limits,
                &what,
                |sent| format!("{sent:?}"),
                self.inner.send(lease, holder, deadline),
            )
            .await
    }

    async fn end(&self, lease: LeaseId, end: End) -> Result<(), LimiterError> {
        let what = format!("end {lease} {end:?}");
        self.point
            .call(Part::Limits, &what, done, self.inner.end(lease, end))
            .await
    }

    async fn observe(&self, lease: LeaseId, signals: LimitSignals) -> Result<(), LimiterError> {
        let what = format!("observe {lease} {:?}", signals.failure);
        self.point
            .call(
                Part::Limits,
                &what,
                done,
                self.inner.observe(lease, signals),
            )
            .await
    }

    async fn restore(&self, restoration: Restoration) -> Result<(), LimiterError> {
        let what = format!("restore {} leases", restoration.leases.len());
        self.point
            .call(Part::Limits, &what, done, self.inner.restore(restoration))
            .await
    }

    async fn intact(&self) -> Result<(), LimiterError> {
        self.point
            .call(Part::Limits, "intact", done, self.inner.intact())
            .await
    }
}

#[async_trait]
impl LimitLevels for Faulty<dyn LimitState> {
    async fn levels(&self, groups: &[Arc<QuotaGroup>]) -> Result<Vec<GroupLevel>, LimiterError> {
        self.point
            .call(
                Part::Limits,
                "levels",
                |levels: &Vec<GroupLevel>| format!("{} levels", levels.len()),
                self.inner.levels(groups),
            )
            .await
    }

    fn changed(&self) -> BoxStream<'static, GroupChange> {
        self.inner.changed()
    }
}
