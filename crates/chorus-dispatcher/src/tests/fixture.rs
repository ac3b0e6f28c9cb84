//! One project, one account, a store that may lose replies, and dispatchers on virtual time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chorus_bus::Embedded;
use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::{
    AttemptDone, AttemptState, CallSummary, Claim, Delivery, DeliveryRow, Dispatch, Dispatched,
    EndedCall, FailureCause, Finish, Holding, LateUsage, NewAttempt, Outcome, Outstanding,
    QueuedAttempt, Reclaim, Reclaimed, Requeue,
};
use chorus_core::catalog::{Catalog, Model, Price, Quirks};
use chorus_core::failure::{FailureClass, RequeueReaction};
use chorus_core::id::{
    AttemptId, BootId, Epoch, EventId, Holder, ModelSlug, ProjectId, ProviderId, Version,
};
use chorus_core::limit::{Dimension, End, Limit, ReserveRule, Sent, Window};
use chorus_core::llm::Usage;
use chorus_core::money::{MicroUsd, ProjectMoney};
use chorus_core::port::attempts::{QueuePage, QueueSelection};
use chorus_core::port::bus::{Record, Topic};
use chorus_core::port::deliveries::{ChargedPage, EndPosition};
use chorus_core::port::projects::{Commit, NewProject};
use chorus_core::port::workers::WorkerSlots;
use chorus_core::port::{
    Attempts, Bus, Clock, Deliveries, Directory, LimitState, Ports, Projects, StoreError, Workers,
};
use chorus_core::project::{Attention, Head, State};
use chorus_core::record;
use chorus_core::task_kind::ModelRole;
use chorus_core::time::{Millis, Timestamp};
use chorus_limits::{Memory, Start};
use chorus_store::memory::Store;
use chorus_store::rows::AttemptRow;
use chorus_virtual_time::Handle;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all, pending, select};

use super::rows::{account, attempt, head, project};
use crate::{Dispatcher, Settings};

pub(super) struct Fixture {
    pub(super) time: Handle,
    pub(super) store: Store,
    pub(super) attempts: Arc<Faulty>,
    pub(super) bus: Arc<Embedded>,
    pub(super) limits: Arc<Memory>,
    pub(super) deliveries: Arc<CountedDeliveries>,
    pub(super) services: Vec<BoxFuture<'static, ()>>,
    version: u64,
    /// Use of each call that ends.
    pub(super) usage: Option<Usage>,
}

/// The store's deliveries, with the number of readings.
pub(super) struct CountedDeliveries {
    store: Store,
    pub(super) readings_of_projects: AtomicU32,
    pub(super) warm_ups: AtomicU32,
}

/// The store's attempts, with replies that are lost and times at which nothing answers.
pub(super) struct Faulty {
    store: Store,
    clock: Arc<dyn Clock>,
    pub(super) faults: Mutex<Faults>,
}

#[derive(Default)]
pub(super) struct Faults {
    /// So many dispatches are done and their replies lost.
    pub(super) lose_dispatches: u32,
    /// Nothing answers between these times.
    pub(super) down: Option<(i64, i64)>,
    /// All batches that were asked for.
    pub(super) asked: Vec<Vec<Dispatch>>,
    /// Readings of the queue, each with the number of its rows.
    pub(super) readings: Vec<(QueueSelection, usize)>,
}

/// Model outside of the writer's list.
pub(super) const OTHER_MODEL: &str = "claude/haiku";

pub(super) const PROJECT: ProjectId = ProjectId::new(1);
/// A second project of the same tenant; its id is the lesser one.
pub(super) const OTHER_PROJECT: ProjectId = ProjectId::new(0);

pub(super) fn slots(amount: u64) -> Vec<Limit> {
    let (dimension, window) = (Dimension::Concurrency, Window::Held);
    vec![Limit {
        dimension,
        amount,
        burst: None,
        window,
        reserve: ReserveRule::Estimate,
        cache_read_percent: 0,
        output_weight: 1,
    }]
}

impl Fixture {
    /// A project with this budget, one account with these limits, and no dispatcher yet.
    pub(super) fn new(budget: MicroUsd, limits: Vec<Limit>) -> Self {
        let time = Handle::default();
        let store = Store::new(time.port());
        let attempts = Arc::new(Faulty {
            store: store.clone(),
            clock: time.port(),
            faults: Mutex::default(),
        });
        let limiter = Arc::new(Memory::new(time.port(), Start::Full));
        let fixture = Self {
            time,
            store: store.clone(),
            attempts,
            bus: Arc::new(Embedded::new()),
            limits: limiter,
            deliveries: Arc::new(CountedDeliveries {
                store,
                readings_of_projects: AtomicU32::new(0),
                warm_ups: AtomicU32::new(0),
            }),
            services: Vec::new(),
            version: 0,
            usage: None,
        };
        let other = NewProject {
            id: OTHER_PROJECT,
            idempotency_key: "other".into(),
            head: Head {
                id: OTHER_PROJECT,
                ..head()
            },
            ..project(budget)
        };
        let submitted = fixture.time.run(fixture.store.submit(other));
        submitted.expect("memory answers");
        fixture
            .time
            .run(fixture.store.import(vec![account(limits)]))
            .expect("memory answers");
        fixture
            .time
            .run(fixture.store.submit(project(budget)))
            .expect("memory answers");
        fixture
    }

    pub(super) fn start(&mut self, boot: u128) {
        self.start_with(boot, Settings::default());
    }

    /// A worker announces so many slots for a while.
    pub(super) fn announce(&self, slots: u32, lasts: Millis) {
        let worker = WorkerSlots {
            boot: BootId::new(900),
            pool: "claude".into(),
            slots,
        };
        let announced = self.time.run(self.store.announce(worker, lasts));
        announced.expect("memory answers");
    }

    pub(super) fn start_with(&mut self, boot: u128, settings: Settings) {
        self.announce(1_000_000, Millis::from_secs(1_000_000));
        self.start_without_worker(boot, settings);
    }

    pub(super) fn start_without_worker(&mut self, boot: u128, settings: Settings) {
        let ports = Ports {
            attempts: self.attempts.clone(),
            deliveries: self.deliveries.clone(),
            ..Ports::over_store(
                Arc::new(self.store.clone()),
                self.bus.clone(),
                self.limits.clone(),
                self.time.port(),
            )
        };
        let slug = ModelSlug::new("claude/sonnet");
        let model = Model {
            slug: slug.clone(),
            pool: "claude".into(),
            routes: [(ProviderId::new("anthropic"), "sonnet".to_owned())].into(),
            context: 200_000,
            max_output: 8_000,
            price: Price {
                input: MicroUsd(3_000_000),
                output: MicroUsd(15_000_000),
                ..Price::default()
            },
            strength: 80,
            reasoning: false,
            quirks: Quirks::default(),
        };
        let other = Model {
            slug: OTHER_MODEL.into(),
            routes: [(ProviderId::new("anthropic"), "haiku".to_owned())].into(),
            strength: 40,
            ..model.clone()
        };
        let catalog = Catalog {
            providers: Vec::new(),
            models: vec![model, other],
        };
        let roles = [(ModelRole::Writer, vec![vec![slug]])].into();
        let dispatcher =
            Dispatcher::new(ports, settings, Arc::new(catalog), roles, BootId::new(boot));
        self.services.push(dispatcher.run(pending()).boxed());
    }

    /// Lets the services run until a time.
    pub(super) fn run_until(&mut self, at: i64) {
        let end = self.time.port().sleep_until(Timestamp(at));
        self.time.run(select(
            join_all(self.services.iter_mut()).then(|_| pending::<()>()),
            end,
        ));
    }

    /// Queues attempts with these numbers.
    pub(super) fn queue(&mut self, numbers: impl IntoIterator<Item = u128>) {
        let attempts = numbers.into_iter().map(attempt).collect();
        self.commit(attempts, Vec::new());
    }

    /// Queues attempts as `change` makes them.
    pub(super) fn queue_as(
        &mut self,
        numbers: impl IntoIterator<Item = u128>,
        change: impl Fn(&mut NewAttempt),
    ) {
        let changed = |number| {
            let mut attempt = attempt(number);
            change(&mut attempt);
            attempt
        };
        self.commit(numbers.into_iter().map(changed).collect(), Vec::new());
    }

    /// Publishes the record of an attempt that was queued.
    pub(super) fn publish_ready(&self, number: u128) {
        let row = self.row(number);
        let id = EventId::new(self.time.port().random_u128());
        self.publish(record::task_ready(id, &row.attempt, row.epoch));
    }

    pub(super) fn cancel(&mut self, number: u128) {
        self.commit(Vec::new(), vec![AttemptId::new(number)]);
    }

    /// The project needs attention: one task is held, and none is queued.
    pub(super) fn hold_up(&mut self) {
        let why = Attention::NoAccount {
            message: "none serves it".to_owned(),
        };
        let state = State::NeedsAttention {
            since: Timestamp(0),
            why,
            was: Box::new(State::Running),
        };
        let held = Head {
            state,
            held: 1,
            ..head()
        };
        self.commit_as(held, Vec::new(), Vec::new());
    }

    fn commit(&mut self, attempts: Vec<NewAttempt>, cancel: Vec<AttemptId>) {
        self.commit_as(head(), attempts, cancel);
    }

    fn commit_as(&mut self, head: Head, attempts: Vec<NewAttempt>, cancel: Vec<AttemptId>) {
        let commit = Commit {
            project: PROJECT,
            expected: Version(self.version),
            head,
            tasks: Vec::new(),
            attempts,
            cancel,
            events: Vec::new(),
            outbox: Vec::new(),
            budget: None,
            folded: Vec::new(),
        };
        self.version += 1;
        self.time
            .run(self.store.commit(commit))
            .expect("the decision is valid");
    }

    pub(super) fn row(&self, number: u128) -> AttemptRow {
        self.store
            .with_rows(|rows| rows.attempts[&AttemptId::new(number)].clone())
    }

    #[track_caller]
    pub(super) fn is(&self, number: u128, state: AttemptState, epoch: u32) {
        let row = self.row(number);
        assert_eq!((row.state, row.epoch), (state, Epoch(epoch)));
    }

    /// A worker claims the delivery, sends its lease, and says nothing more; false when it is denied.
    pub(super) fn claim_and_send(&self, number: u128, deadline: i64) -> bool {
        let epoch = self.row(number).epoch;
        let holder = Holder::new(format!("worker/{number}/{}", epoch.0));
        let claim = Claim {
            attempt: AttemptId::new(number),
            epoch,
            holder: holder.clone(),
            deadline: Timestamp(deadline),
        };
        let Some(delivery) = self
            .time
            .run(self.store.claim(claim))
            .expect("memory answers")
        else {
            return false;
        };
        let sent = self
            .time
            .run(
                self.limits
                    .send(&delivery.assignment.lease, &holder, Timestamp(deadline)),
            )
            .expect("memory answers");
        sent == Sent::Sent
    }

    /// The attempt's worker reports a reply, or a failure of this class; the record is published, and returned.
    pub(super) fn finish(&self, number: u128, class: Option<FailureClass>) -> Record {
        let record = self.finish_without_record(number, class);
        self.publish(record.clone());
        record
    }

    pub(super) fn publish(&self, record: Record) {
        self.time
            .run(self.bus.publish(vec![record]))
            .expect("memory answers");
    }

    /// The attempt's worker reports as in [`Self::finish`], but the bus loses the record.
    pub(super) fn finish_without_record(
        &self,
        number: u128,
        class: Option<FailureClass>,
    ) -> Record {
        let row = self.row(number);
        let key = (row.attempt.id, row.epoch);
        let assignment = self
            .store
            .with_rows(|rows| rows.deliveries[&key].delivery.assignment.clone());
        let message = "the provider failed".to_owned();
        let outcome = match class {
            Some(class) if class.rule().requeue == RequeueReaction::OtherModel => {
                Outcome::Requeue {
                    reason: Requeue::Retry { class },
                    not_before: self.time.port().now(),
                    order: None,
                    message,
                }
            }
            Some(class) => Outcome::Failed {
                cause: FailureCause::Upstream { class, message },
            },
            None => Outcome::Succeeded {
                result: ArtifactHash::of(b"result"),
            },
        };
        let call = CallSummary {
            provider: assignment.provider,
            model: assignment.model,
            account: assignment.account,
            kind: row.attempt.kind,
            size: row.attempt.size,
            class,
            complete: class.is_none(),
            usage: self.usage,
            cost: MicroUsd(1),
            took: Millis(100),
        };
        let id = EventId::new(self.time.port().random_u128());
        let record = if let Outcome::Requeue { .. } = outcome {
            record::task_ready_after(id, &row.attempt, row.epoch.next(), Some(call))
        } else {
            let done = AttemptDone {
                attempt: row.attempt.id,
                task: row.attempt.task,
                outcome: outcome.clone(),
                call: Some(Box::new(call)),
            };
            record::task_done(id, &row.attempt, row.epoch, &done)
        };
        let finish = Finish {
            holding: Holding {
                attempt: row.attempt.id,
                epoch: row.epoch,
                holder: row.holder.expect("it was claimed"),
            },
            outcome,
            usage: self.usage,
            cost: MicroUsd(1),
            record: record.clone(),
        };
        let is_done = self.time.run(self.store.finish(finish));
        assert!(is_done.expect("memory answers"), "the row has moved on");
        let ended = self
            .time
            .run(self.limits.end(assignment.lease.id, End::Unused));
        ended.expect("memory answers");
        record
    }

    /// Records a heartbeat of the attempt's worker.
    pub(super) fn store_beat(&self, number: u128) {
        let row = self.row(number);
        if let Some(holder) = row.holder {
            let holding = Holding {
                attempt: AttemptId::new(number),
                epoch: row.epoch,
                holder,
            };
            self.time
                .run(self.store.beat(vec![holding]))
                .expect("memory answers");
        }
    }

    /// Lets time pass while the attempt's worker beats every second.
    pub(super) fn beat_until(&mut self, number: u128, at: i64) {
        while self.time.port().now().0 < at {
            self.store_beat(number);
            let next = self.time.port().now().0 + 1_000;
            self.run_until(next.min(at));
        }
    }

    pub(super) fn sent_at(&self, id: EventId) -> Option<Timestamp> {
        self.store.with_rows(|rows| rows.outbox[&id].sent_at)
    }

    /// Records of a topic in the outbox, and whether each was sent.
    pub(super) fn records(&self, topic: &Topic) -> Vec<(Record, bool)> {
        self.store.with_rows(|rows| {
            let rows = rows
                .outbox
                .values()
                .filter(|row| row.record.topic == *topic);
            rows.map(|row| (row.record.clone(), row.sent_at.is_some()))
                .collect()
        })
    }
}

#[async_trait]
impl Deliveries for CountedDeliveries {
    async fn outstanding(&self) -> Result<Vec<Outstanding>, StoreError> {
        self.store.outstanding().await
    }

    async fn of_project(&self, project: ProjectId) -> Result<Vec<DeliveryRow>, StoreError> {
        self.readings_of_projects.fetch_add(1, Ordering::Relaxed);
        self.store.of_project(project).await
    }

    async fn ended_since(
        &self,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<EndedCall>, StoreError> {
        self.warm_ups.fetch_add(1, Ordering::Relaxed);
        self.store.ended_since(since, limit).await
    }

    async fn charged_since(
        &self,
        since: Timestamp,
        after: Option<EndPosition>,
        limit: u32,
    ) -> Result<ChargedPage, StoreError> {
        self.store.charged_since(since, after, limit).await
    }

    async fn late(&self, late: LateUsage) -> Result<(), StoreError> {
        self.store.late(late).await
    }

    async fn money(&self, project: ProjectId) -> Result<Option<ProjectMoney>, StoreError> {
        self.store.money(project).await
    }
}

impl Faulty {
    fn answers(&self) -> Result<(), StoreError> {
        let now = self.clock.now().0;
        match self.faults.lock().expect("one thread").down {
            Some((from, to)) if (from..to).contains(&now) => Err(StoreError::unavailable("down")),
            Some(_) | None => Ok(()),
        }
    }
}

#[async_trait]
impl Attempts for Faulty {
    async fn queued(&self, limit: u32) -> Result<Vec<QueuedAttempt>, StoreError> {
        self.answers()?;
        self.store.queued(limit).await
    }

    async fn read_queue(
        &self,
        selection: QueueSelection,
        limit: u32,
    ) -> Result<QueuePage, StoreError> {
        self.answers()?;
        let page = self.store.read_queue(selection.clone(), limit).await?;
        let mut faults = self.faults.lock().expect("one thread");
        faults.readings.push((selection, page.rows.len()));
        Ok(page)
    }

    async fn dispatch(&self, batch: Vec<Dispatch>) -> Result<Vec<Dispatched>, StoreError> {
        self.answers()?;
        self.faults
            .lock()
            .expect("one thread")
            .asked
            .push(batch.clone());
        let answer = self.store.dispatch(batch).await;
        let mut faults = self.faults.lock().expect("one thread");
        match faults.lose_dispatches.checked_sub(1) {
            Some(left) => {
                faults.lose_dispatches = left;
                Err(StoreError::unavailable("the reply was lost"))
            }
            None => answer,
        }
    }

    async fn claim(&self, claim: Claim) -> Result<Option<Box<Delivery>>, StoreError> {
        self.store.claim(claim).await
    }

    async fn beat(&self, held: Vec<Holding>) -> Result<Vec<Holding>, StoreError> {
        self.store.beat(held).await
    }

    async fn finish(&self, finish: Finish) -> Result<bool, StoreError> {
        self.store.finish(finish).await
    }

    async fn reclaim(&self, reclaim: Reclaim) -> Result<Vec<Reclaimed>, StoreError> {
        self.answers()?;
        self.store.reclaim(reclaim).await
    }
}
