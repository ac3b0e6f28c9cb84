//! The queue as the leading dispatcher reads it, and what becomes of deliveries.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chorus_core::attempt::{
    Claim, Delivery, Dispatch, DispatchDecision, Dispatched, Finish, Holding, Outcome,
    QueuedAttempt, Reclaim, Reclaimed,
};
use chorus_core::id::{AttemptId, Epoch};
use chorus_core::limit::Dimension;
use chorus_core::llm::Usage;
use chorus_core::port::attempts::{QueuePage, QueueSelection};
use chorus_core::port::{Attempts, StoreError};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Became {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Estimated {
    dimension: &'static str,
}

/// Amounts that were reserved for one call.
type Reserved = Vec<(Dimension, u64)>;

/// Deliveries that workers of this process hold, with what was reserved for each.
type Held = BTreeMap<(AttemptId, Epoch), Reserved>;

/// Bounds of a ratio around one, each half as large again as the one before.
fn ratios() -> Histogram {
    Histogram::new(exponential_buckets(0.1, 1.5, 12))
}

/// The queue and its deliveries.
pub(super) struct Queue {
    queued: Gauge,
    running: Gauge,
    held: Mutex<Held>,
    estimates: Family<Estimated, Histogram>,
    dispatches: Family<Became, Counter>,
    claims: Family<Became, Counter>,
    finishes: Family<Became, Counter>,
    taken_back: Family<Became, Counter>,
}

impl Queue {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let queue = Self {
            queued: Gauge::default(),
            running: Gauge::default(),
            held: Mutex::default(),
            estimates: Family::new_with_constructor(ratios as fn() -> Histogram),
            dispatches: Family::default(),
            claims: Family::default(),
            finishes: Family::default(),
            taken_back: Family::default(),
        };
        registry.register(
            "attempts_queued",
            "Attempts that wait for admission, as the leading dispatcher read them last",
            queue.queued.clone(),
        );
        registry.register(
            "deliveries_running",
            "Deliveries that workers of this process hold",
            queue.running.clone(),
        );
        registry.register(
            "dispatches",
            "Attempts that were decided: sent, refused, over_budget, lost",
            queue.dispatches.clone(),
        );
        registry.register(
            "claims",
            "Claims of deliveries: granted, denied",
            queue.claims.clone(),
        );
        registry.register(
            "finishes",
            "Deliveries that ended: succeeded, asked, failed, requeued, moved_on",
            queue.finishes.clone(),
        );
        registry.register(
            "estimate_error_ratio",
            "Tokens that calls used, divided by those that were reserved for them",
            queue.estimates.clone(),
        );
        registry.register(
            "deliveries_taken_back",
            "Deliveries that the reconciler took back: unclaimed, lost_worker",
            queue.taken_back.clone(),
        );
        queue
    }

    /// Records a change in the number of calls that workers of this process hold.
    fn holds<T>(&self, change: impl FnOnce(&mut Held) -> T) -> T {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut held);
        self.running
            .set(i64::try_from(held.len()).unwrap_or(i64::MAX));
        changed
    }

    /// Records the error of each amount that was reserved for a call, by what the call used.
    fn used(&self, reserved: &Reserved, usage: &Usage) {
        for (dimension, amount) in reserved {
            let (dimension, used) = match dimension {
                Dimension::InputTokens => ("input_tokens", usage.prompt()),
                Dimension::OutputTokens => ("output_tokens", usage.output),
                Dimension::TotalTokens => ("total_tokens", usage.total()),
                Dimension::Requests | Dimension::Spend | Dimension::Concurrency => continue,
            };
            if *amount > 0 {
                let ratio = used as f64 / *amount as f64;
                let label = Estimated { dimension };
                self.estimates.get_or_create(&label).observe(ratio);
            }
        }
    }

    /// Forgets the length of the queue when this process stops reading it.
    pub(super) fn is_read_elsewhere(&self) {
        self.queued.set(0);
    }
}

fn count(family: &Family<Became, Counter>, outcome: &'static str) {
    family.get_or_create(&Became { outcome }).inc();
}

/// Counts the state changes of attempts into the [`Queue`].
pub(super) struct Counted {
    pub(super) inner: Arc<dyn Attempts>,
    pub(super) queue: Arc<Queue>,
}

#[async_trait]
impl Attempts for Counted {
    async fn queued(&self, limit: u32) -> Result<Vec<QueuedAttempt>, StoreError> {
        let answer = self.inner.queued(limit).await;
        if let Ok(rows) = &answer {
            self.queue
                .queued
                .set(i64::try_from(rows.len()).unwrap_or(i64::MAX));
        }
        answer
    }

    async fn read_queue(
        &self,
        selection: QueueSelection,
        limit: u32,
    ) -> Result<QueuePage, StoreError> {
        self.inner.read_queue(selection, limit).await
    }

    async fn dispatch(&self, batch: Vec<Dispatch>) -> Result<Vec<Dispatched>, StoreError> {
        let sent: Vec<bool> = batch
            .iter()
            .map(|dispatch| matches!(dispatch.decision, DispatchDecision::Send(_)))
            .collect();
        let answer = self.inner.dispatch(batch).await;
        for (sent, dispatched) in sent.into_iter().zip(answer.iter().flatten()) {
            let outcome = match (dispatched, sent) {
                (Dispatched::Done, true) => "sent",
                (Dispatched::Done, false) => "refused",
                (Dispatched::OverBudget, _) => "over_budget",
                (Dispatched::Conflict, _) => "lost",
            };
            count(&self.queue.dispatches, outcome);
        }
        answer
    }

    async fn claim(&self, claim: Claim) -> Result<Option<Box<Delivery>>, StoreError> {
        let holding = (claim.attempt, claim.epoch);
        let answer = self.inner.claim(claim).await;
        match &answer {
            Ok(Some(delivery)) => {
                let charges = delivery.assignment.lease.charges.iter();
                let reserved = charges.map(|charge| (charge.dimension, charge.amount));
                let reserved: Reserved = reserved.collect();
                self.queue.holds(|held| held.insert(holding, reserved));
                count(&self.queue.claims, "granted");
            }
            Ok(None) => count(&self.queue.claims, "denied"),
            Err(_) => {}
        }
        answer
    }

    async fn beat(&self, held: Vec<Holding>) -> Result<Vec<Holding>, StoreError> {
        let answer = self.inner.beat(held).await;
        if let Ok(gone) = &answer {
            self.queue.holds(|held| {
                held.retain(|of, _| gone.iter().all(|gone| (gone.attempt, gone.epoch) != *of));
            });
        }
        answer
    }

    async fn finish(&self, finish: Finish) -> Result<bool, StoreError> {
        let outcome = match &finish.outcome {
            Outcome::Succeeded { .. } => "succeeded",
            Outcome::Asked { .. } => "asked",
            Outcome::Failed { .. } => "failed",
            Outcome::Requeue { .. } => "requeued",
        };
        let holding = (finish.holding.attempt, finish.holding.epoch);
        let usage = finish.usage.filter(|usage| !usage.is_estimated);
        let answer = self.inner.finish(finish).await;
        if let Ok(ours) = answer {
            let reserved = self.queue.holds(|held| held.remove(&holding));
            if let Some((reserved, usage)) = reserved.zip(usage) {
                self.queue.used(&reserved, &usage);
            }
            count(
                &self.queue.finishes,
                if ours { outcome } else { "moved_on" },
            );
        }
        answer
    }

    async fn reclaim(&self, reclaim: Reclaim) -> Result<Vec<Reclaimed>, StoreError> {
        let answer = self.inner.reclaim(reclaim).await;
        for taken in answer.iter().flatten() {
            count(
                &self.queue.taken_back,
                if taken.lost_worker {
                    "lost_worker"
                } else {
                    "unclaimed"
                },
            );
        }
        answer
    }
}
