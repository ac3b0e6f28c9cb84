//! All ports of one process as one value.

use std::sync::Arc;

use super::{
    ArtifactStore, Attempts, Audit, Bus, Clock, Deliveries, Directory, Keys, Leaders, LimitState,
    Outbox, Projects, Upstream, Waits, Workers,
};

/// All ports of one process, the clock included. The binary builds the value once; decorators (telemetry,
/// crash points, faults) wrap its fields; each service takes it by value and keeps the fields it needs.
#[derive(Clone)]
pub struct Ports {
    /// Projects with their plans, commands and events.
    pub projects: Arc<dyn Projects>,
    /// Rows of attempts and the guarded steps between their states.
    pub attempts: Arc<dyn Attempts>,
    /// History of deliveries, money, and leases that may still hold something.
    pub deliveries: Arc<dyn Deliveries>,
    /// Records that were committed, and their marks.
    pub outbox: Arc<dyn Outbox>,
    /// Reasons why queued attempts wait.
    pub waits: Arc<dyn Waits>,
    /// Slots of workers, and deliveries that take them.
    pub workers: Arc<dyn Workers>,
    /// Leaderships with fencing numbers.
    pub leaders: Arc<dyn Leaders>,
    /// Accounts, credentials and their quota groups.
    pub directory: Arc<dyn Directory>,
    /// Acts of operators and uses of accounts.
    pub audit: Arc<dyn Audit>,
    /// API keys of clients.
    pub keys: Arc<dyn Keys>,
    /// Briefs, plans, work orders, results, deliverables.
    pub artifacts: Arc<dyn ArtifactStore>,
    /// Transport of records between processes.
    pub bus: Arc<dyn Bus>,
    /// Leases on the limits of accounts.
    pub limits: Arc<dyn LimitState>,
    /// Providers of models.
    pub upstream: Arc<dyn Upstream>,
    /// Time, ids and chance.
    pub clock: Arc<dyn Clock>,
}

impl Ports {
    /// The ports of a process with rows and artifacts in one store and which calls no provider: the
    /// upstream is [`NoProvider`](super::upstream::NoProvider). Other fields are replaced by struct update.
    pub fn over_store<S>(
        store: Arc<S>,
        bus: Arc<dyn Bus>,
        limits: Arc<dyn LimitState>,
        clock: Arc<dyn Clock>,
    ) -> Self
    where
        S: Projects
            + Attempts
            + Deliveries
            + Outbox
            + Leaders
            + Directory
            + Audit
            + Keys
            + Waits
            + Workers
            + ArtifactStore
            + 'static,
    {
        Self {
            projects: store.clone(),
            attempts: store.clone(),
            deliveries: store.clone(),
            outbox: store.clone(),
            waits: store.clone(),
            workers: store.clone(),
            leaders: store.clone(),
            directory: store.clone(),
            audit: store.clone(),
            keys: store.clone(),
            artifacts: store,
            bus,
            limits,
            upstream: Arc::new(super::upstream::NoProvider),
            clock,
        }
    }
}
