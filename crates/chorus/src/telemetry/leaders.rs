//! Leadership of this process and its term.

use std::sync::Arc;

use async_trait::async_trait;
use chorus_core::id::{BootId, Term};
use chorus_core::port::{Leaders, StoreError};
use chorus_core::time::Millis;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::attempts::Queue;

/// The dispatcher's leadership.
pub(super) struct Leadership {
    leads: Gauge,
    term: Gauge,
    queue: Arc<Queue>,
}

impl Leadership {
    pub(super) fn register(registry: &mut Registry, queue: Arc<Queue>) -> Self {
        let leadership = Self {
            leads: Gauge::default(),
            term: Gauge::default(),
            queue,
        };
        registry.register(
            "dispatcher_leads",
            "1 while this process holds the dispatcher's term",
            leadership.leads.clone(),
        );
        registry.register(
            "dispatcher_term",
            "The dispatcher's last term in this process; grows with each change of leader",
            leadership.term.clone(),
        );
        leadership
    }

    fn begins(&self, term: Term) {
        self.leads.set(1);
        self.term.set(i64::try_from(term.0).unwrap_or(i64::MAX));
    }

    fn ends(&self) {
        self.leads.set(0);
        self.queue.is_read_elsewhere();
    }
}

/// Leaders, with what became of our asking noted in [`Leadership`].
pub(super) struct Noted {
    pub(super) inner: Arc<dyn Leaders>,
    pub(super) leadership: Arc<Leadership>,
}

#[async_trait]
impl Leaders for Noted {
    async fn acquire(
        &self,
        name: &str,
        boot: BootId,
        lasts: Millis,
    ) -> Result<Option<Term>, StoreError> {
        let answer = self.inner.acquire(name, boot, lasts).await;
        match &answer {
            Ok(Some(term)) => self.leadership.begins(*term),
            Ok(None) | Err(_) => self.leadership.ends(),
        }
        answer
    }

    async fn renew(&self, name: &str, term: Term, lasts: Millis) -> Result<bool, StoreError> {
        let answer = self.inner.renew(name, term, lasts).await;
        if matches!(answer, Ok(false)) {
            self.leadership.ends();
        }
        answer
    }

    async fn resign(&self, name: &str, term: Term) -> Result<(), StoreError> {
        self.leadership.ends();
        self.inner.resign(name, term).await
    }
}
