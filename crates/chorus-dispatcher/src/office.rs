//! What all parts of one term share: the ports, the settings, the term's number, the watch over the store.

use std::future::Future;
use std::sync::Arc;

use chorus_core::id::{EventId, LeaseId, Term};
use chorus_core::limit::End;
use chorus_core::port::bus::Record;
use chorus_core::port::{
    Attempts, Bus, Clock, Deliveries, Directory, Leaders, LimitState, Outbox, StoreError,
};
use chorus_core::time::Timestamp;

use crate::settings::Settings;
use crate::watch::Watch;

/// The ways in which a dispatcher reaches the world.
#[derive(Clone)]
pub struct Ports {
    /// Rows of attempts.
    pub attempts: Arc<dyn Attempts>,
    /// Records that were committed.
    pub outbox: Arc<dyn Outbox>,
    /// Who leads.
    pub leaders: Arc<dyn Leaders>,
    /// Leases that may still hold something.
    pub deliveries: Arc<dyn Deliveries>,
    /// Accounts.
    pub directory: Arc<dyn Directory>,
    /// Limits.
    pub limits: Arc<dyn LimitState>,
    /// Transport.
    pub bus: Arc<dyn Bus>,
    /// Time and chance.
    pub clock: Arc<dyn Clock>,
}

/// One term's surroundings.
pub(crate) struct Office {
    pub(crate) ports: Ports,
    pub(crate) settings: Settings,
    pub(crate) term: Term,
    pub(crate) watch: Watch,
}

impl Office {
    pub(crate) fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    pub(crate) fn event_id(&self) -> EventId {
        EventId::new(self.ports.clock.random_u128())
    }

    pub(crate) fn lease_id(&self) -> LeaseId {
        LeaseId::new(self.ports.clock.random_u128())
    }

    /// One statement to the store; a failed or slow one is a gap.
    pub(crate) async fn statement<T>(
        &self,
        what: &str,
        statement: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let asked = self.now();
        let answer = statement.await;
        let now = self.now();
        if answer.is_err() || now.since(asked) > self.settings.slow_statement {
            self.watch.gap(now);
        }
        answer.inspect_err(|problem| tracing::warn!(error = %problem, "failed to {what}"))
    }

    /// Publishes committed records and marks them. What fails here is swept later.
    pub(crate) async fn publish(&self, records: Vec<Record>) {
        if records.is_empty() {
            return;
        }
        let ids = records.iter().map(|record| record.id).collect();
        match self.ports.bus.publish(records).await {
            Ok(()) => drop(
                self.statement("mark records sent", self.ports.outbox.mark_sent(ids))
                    .await,
            ),
            Err(problem) => tracing::warn!(error = %problem, "failed to publish, the sweep will"),
        }
    }

    /// Ends a lease on which no call was made. If the limiter does not hear it, the lease expires by itself.
    pub(crate) async fn end_unused(&self, lease: LeaseId) {
        if let Err(problem) = self.ports.limits.end(lease, End::Unused).await {
            tracing::warn!(lease.id = %lease, error = %problem, "failed to end an unused lease");
        }
    }

    /// A little rest before something is tried again.
    pub(crate) async fn rest(&self) {
        let clock = &self.ports.clock;
        let half = self.settings.repeat_after.0 / 2;
        let rest = chorus_core::time::Millis(half + clock.random_below(half + 1));
        clock.sleep(rest).await;
    }
}
