//! Ports, settings and size policy that all folds of one orchestrator share.

use std::future::Future;
use std::sync::Arc;

use chorus_core::id::EventId;
use chorus_core::port::retry::Backoff;
use chorus_core::port::{
    ArtifactStore, Bus, Clock, Deliveries, Outbox, Ports, Projects, StoreError, retry,
};

use crate::{Settings, SizePolicy};

/// State shared by all folds.
pub(crate) struct Context {
    pub(crate) projects: Arc<dyn Projects>,
    pub(crate) outbox: Arc<dyn Outbox>,
    /// Read when a project is resumed, for attempts that ended just before its pause.
    pub(crate) deliveries: Arc<dyn Deliveries>,
    pub(crate) artifacts: Arc<dyn ArtifactStore>,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) sizes: Arc<dyn SizePolicy>,
}

impl Context {
    pub(crate) fn new(ports: Ports, settings: Settings, sizes: Arc<dyn SizePolicy>) -> Self {
        let Ports {
            projects,
            outbox,
            deliveries,
            artifacts,
            bus,
            clock,
            ..
        } = ports;
        Self {
            projects,
            outbox,
            deliveries,
            artifacts,
            bus,
            clock,
            settings,
            sizes,
        }
    }

    pub(crate) fn event_id(&self) -> EventId {
        EventId::new(self.clock.random_u128())
    }

    /// Repeats a call to the store without an end. Records being folded stay unacknowledged meanwhile, so
    /// nothing is lost when the process stops before the store is back.
    pub(crate) async fn until_ok<T, F>(&self, operation: &str, call: impl FnMut() -> F) -> T
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        retry::until_ok(&*self.clock, operation, call).await
    }

    /// Repeats a call to the store until it answers; a failure that lasts is returned at once. It concerns the
    /// rows that were asked for, so it must not hold up other projects.
    pub(crate) async fn until_answered<T, F>(
        &self,
        operation: &str,
        mut call: impl FnMut() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut backoff = Backoff::default();
        loop {
            match call().await {
                Err(error @ StoreError::Unavailable { .. }) => {
                    tracing::warn!(error = %error, "failed to {operation}, trying again");
                }
                answered => return answered,
            }
            backoff.wait(&*self.clock).await;
        }
    }
}
