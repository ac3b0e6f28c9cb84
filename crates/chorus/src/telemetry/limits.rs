//! Reservations by their outcome, and what became of leases.

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
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::stopwatch::Stopwatch;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Became {
    outcome: &'static str,
}

/// The figures of the limiter.
pub(super) struct Reservations {
    reservations: Family<Became, Counter>,
    leases: Family<Became, Counter>,
    restored: Counter,
    seconds: Histogram,
}

impl Reservations {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let figures = Self {
            reservations: Family::default(),
            leases: Family::default(),
            restored: Counter::default(),
            seconds: Histogram::new(exponential_buckets(0.000_25, 4.0, 9)),
        };
        registry.register(
            "reservations",
            "Answers to reservations: granted, wait, never, lost, unavailable",
            figures.reservations.clone(),
        );
        registry.register(
            "leases",
            "What became of leases: sent, gone, used, refused, aborted, unused",
            figures.leases.clone(),
        );
        registry.register(
            "leases_restored",
            "Leases that were put back at the begin of a term or after the limiter lost its state",
            figures.restored.clone(),
        );
        registry.register_with_unit(
            "reservation",
            "Time until the limiter answered a reservation",
            Unit::Seconds,
            figures.seconds.clone(),
        );
        figures
    }

    fn lease(&self, outcome: &'static str) {
        self.leases.get_or_create(&Became { outcome }).inc();
    }
}

/// Counts the answers of a limiter into [`Reservations`].
pub(super) struct Counted {
    pub(super) inner: Arc<dyn LimitState>,
    pub(super) reservations: Arc<Reservations>,
}

#[async_trait]
impl LimitState for Counted {
    async fn reserve(&self, demand: Demand) -> Result<Reserved, LimiterError> {
        let watch = Stopwatch::start();
        let answer = self.inner.reserve(demand).await;
        self.reservations.seconds.observe(watch.seconds());
        let outcome = match &answer {
            Ok(Reserved::Granted(_)) => "granted",
            Ok(Reserved::Wait { .. }) => "wait",
            Ok(Reserved::Never(_)) => "never",
            Err(LimiterError::StateLost) => "lost",
            Err(LimiterError::Unavailable { .. }) => "unavailable",
        };
        self.reservations
            .reservations
            .get_or_create(&Became { outcome })
            .inc();
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
        let answer = self.inner.send(lease, holder, deadline).await;
        match &answer {
            Ok(Sent::Gone) => self.reservations.lease("gone"),
            Ok(_) => self.reservations.lease("sent"),
            Err(_) => {}
        }
        answer
    }

    async fn end(&self, lease: LeaseId, end: End) -> Result<(), LimiterError> {
        let outcome = match &end {
            End::Unused => "unused",
            End::Used { .. } => "used",
            End::Aborted { .. } => "aborted",
            End::Lost { .. } => "lost",
            End::Refused { .. } => "refused",
        };
        let answer = self.inner.end(lease, end).await;
        if answer.is_ok() {
            self.reservations.lease(outcome);
        }
        answer
    }

    async fn observe(&self, lease: LeaseId, signals: LimitSignals) -> Result<(), LimiterError> {
        self.inner.observe(lease, signals).await
    }

    async fn restore(&self, restoration: Restoration) -> Result<(), LimiterError> {
        let count = restoration.leases.len() as u64;
        let answer = self.inner.restore(restoration).await;
        if answer.is_ok() {
            self.reservations.restored.inc_by(count);
        }
        answer
    }

    async fn intact(&self) -> Result<(), LimiterError> {
        self.inner.intact().await
    }
}

#[async_trait]
impl LimitLevels for Counted {
    async fn levels(&self, groups: &[Arc<QuotaGroup>]) -> Result<Vec<GroupLevel>, LimiterError> {
        self.inner.levels(groups).await
    }

    fn changed(&self) -> BoxStream<'static, GroupChange> {
        self.inner.changed()
    }
}
