//! What all folds of one orchestrator share: the ports, the settings, and patience with both.

use std::future::Future;
use std::sync::Arc;

use chorus_core::id::EventId;
use chorus_core::port::{ArtifactStore, Bus, Clock, Deliveries, Outbox, Projects, StoreError};
use chorus_core::time::Millis;

use crate::{Settings, SizePolicy};

const FIRST_WAIT: u64 = 100;
const LONGEST_WAIT: u64 = 5_000;

/// The ways in which an orchestrator reaches the world.
#[derive(Clone)]
pub struct Ports {
    /// Projects and their plans.
    pub projects: Arc<dyn Projects>,
    /// Records of commits, to be marked once they are published.
    pub outbox: Arc<dyn Outbox>,
    /// The story of deliveries: what ended just before a project was paused.
    pub deliveries: Arc<dyn Deliveries>,
    /// Briefs, plans, prompts, results, deliverables.
    pub artifacts: Arc<dyn ArtifactStore>,
    /// Records.
    pub bus: Arc<dyn Bus>,
    /// Time and chance.
    pub clock: Arc<dyn Clock>,
}

/// Ports, settings and measure.
pub(crate) struct Shop {
    pub(crate) ports: Ports,
    pub(crate) settings: Settings,
    pub(crate) measure: Arc<dyn SizePolicy>,
}

impl Shop {
    pub(crate) fn event_id(&self) -> EventId {
        EventId::new(self.ports.clock.random_u128())
    }

    /// Repeats the question until the store answers, however long that takes: what is being folded stays
    /// unacknowledged meanwhile, so nothing is lost when the process goes before the store comes back.
    pub(crate) async fn until_answered<T, F>(&self, what: &str, mut ask: impl FnMut() -> F) -> T
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let clock = &self.ports.clock;
        let mut bound = FIRST_WAIT;
        loop {
            match ask().await {
                Ok(answer) => return answer,
                Err(error) => {
                    tracing::warn!(error = %error, "{what} was not answered, asking again")
                }
            }
            clock
                .sleep(Millis(bound / 2 + clock.random_below(bound / 2 + 1)))
                .await;
            bound = (bound * 2).min(LONGEST_WAIT);
        }
    }
}
