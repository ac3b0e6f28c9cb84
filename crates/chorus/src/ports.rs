//! The ports of one process that stand before adapters; what is put around them, sees all of them.

use std::sync::Arc;

use chorus_core::port::{
    ArtifactStore, Attempts, Bus, Deliveries, Directory, Keys, Leaders, LimitState, Outbox,
    Projects, Upstream,
};

/// All ports but the clock.
#[derive(Clone)]
pub(crate) struct Ports {
    pub(crate) projects: Arc<dyn Projects>,
    pub(crate) attempts: Arc<dyn Attempts>,
    pub(crate) deliveries: Arc<dyn Deliveries>,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) leaders: Arc<dyn Leaders>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) keys: Arc<dyn Keys>,
    pub(crate) artifacts: Arc<dyn ArtifactStore>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) limits: Arc<dyn LimitState>,
    pub(crate) upstream: Arc<dyn Upstream>,
}
