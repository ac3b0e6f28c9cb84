//! Ports, settings, term and store health that all parts of one term share.

use std::future::Future;
use std::sync::Arc;

use chorus_core::id::{EventId, LeaseId, Term};
use chorus_core::limit::End;
use chorus_core::port::bus::Record;
use chorus_core::port::relay::{self, Published};
use chorus_core::port::{
    Attempts, Audit, Bus, Clock, Deliveries, Directory, Leaders, LimitState, Outbox, Ports,
    Projects, StoreError, Waits, Workers, retry,
};
use chorus_core::time::Timestamp;

use crate::route_durations::RouteDurations;
use crate::settings::Settings;
use crate::store_health::StoreHealth;

/// State shared by one term.
pub(crate) struct Context {
    pub(crate) projects: Arc<dyn Projects>,
    pub(crate) attempts: Arc<dyn Attempts>,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) waits: Arc<dyn Waits>,
    pub(crate) workers: Arc<dyn Workers>,
    pub(crate) leaders: Arc<dyn Leaders>,
    pub(crate) deliveries: Arc<dyn Deliveries>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) audit: Arc<dyn Audit>,
    pub(crate) limits: Arc<dyn LimitState>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) term: Term,
    pub(crate) store_health: StoreHealth,
    pub(crate) durations: RouteDurations,
}

impl Context {
    pub(crate) fn new(ports: Ports, settings: Settings, term: Term) -> Self {
        let Ports {
            projects,
            attempts,
            outbox,
            waits,
            workers,
            leaders,
            deliveries,
            directory,
            audit,
            limits,
            bus,
            clock,
            ..
        } = ports;
        let store_health = StoreHealth::new(clock.now());
        Self {
            projects,
            attempts,
            outbox,
            waits,
            workers,
            leaders,
            deliveries,
            directory,
            audit,
            limits,
            bus,
            clock,
            settings,
            term,
            store_health,
            durations: RouteDurations::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn event_id(&self) -> EventId {
        EventId::new(self.clock.random_u128())
    }

    pub(crate) fn lease_id(&self) -> LeaseId {
        LeaseId::new(self.clock.random_u128())
    }

    /// Runs one statement of the store; a failed or slow one is recorded as a gap. `operation` reads after
    /// "failed to".
    pub(crate) async fn statement<T>(
        &self,
        operation: &str,
        statement: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = self.watched(statement).await;
        answer.inspect_err(|error| tracing::warn!(error = %error, "failed to {operation}"))
    }

    /// Repeats one statement of the store without an end; failed and slow ones are recorded as gaps.
    pub(crate) async fn until_ok<T, F>(&self, operation: &str, mut call: impl FnMut() -> F) -> T
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        retry::until_ok(&*self.clock, operation, || self.watched(call())).await
    }

    async fn watched<T>(
        &self,
        statement: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let asked = self.now();
        let answer = statement.await;
        let now = self.now();
        if answer.is_err() || now.since(asked) > self.settings.slow_statement {
            self.store_health.gap(now);
        }
        answer
    }

    /// Publishes committed records and marks them; the reconciler sends what fails here.
    pub(crate) async fn publish(&self, records: Vec<Record>) {
        let published =
            relay::publish_committed(&*self.bus, &*self.outbox, &*self.clock, records).await;
        if published == Published::Unmarked {
            self.store_health.gap(self.now());
        }
    }

    /// Ends a lease on which no call was made. Where the limiter does not answer, the lease expires by itself.
    pub(crate) async fn end_unused(&self, lease: LeaseId) {
        self.end_lease(lease, End::Unused).await;
    }

    /// Withdraws the booking of a call that waits no longer. Where the limiter does not answer, the booking ends
    /// without renewal.
    pub(crate) async fn withdraw(&self, lease: LeaseId) {
        if let Err(error) = self.limits.withdraw(lease).await {
            tracing::debug!(lease.id = %lease, error = %error, "failed to withdraw a booking");
        }
    }

    /// Ends a lease. Where the limiter does not answer, the lease expires by itself.
    pub(crate) async fn end_lease(&self, lease: LeaseId, end: End) {
        if let Err(error) = self.limits.end(lease, end).await {
            tracing::warn!(lease.id = %lease, error = %error, "failed to end a lease without its worker");
        }
    }
}
