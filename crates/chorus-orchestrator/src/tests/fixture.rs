//! One project over a store and a bus in memory: the service is polled by hand, attempts end in an order drawn from
//! a seed, and the fixture publishes what the dispatcher would.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use bytes::Bytes;
use chorus_bus::Embedded;
use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::{
    Assignment, AttemptDone, AttemptState, Claim, Dispatch, DispatchDecision, Finish, Holding,
    NewAttempt, Outcome, WorkOrder,
};
use chorus_core::brief::{Attachment, Brief, Options};
use chorus_core::id::{
    AccountId, CredentialId, Epoch, EventId, Holder, LeaseId, ModelSlug, Pool, ProjectId,
    ProviderId, TaskId, Tenant, Term,
};
use chorus_core::limit::{Lease, QuotaResets};
use chorus_core::merge::Deliverable;
use chorus_core::money::MicroUsd;
use chorus_core::port::bus::{Record, Topic};
use chorus_core::port::projects::{Commit, Committed, NewProject};
use chorus_core::port::{ArtifactStore, Attempts, Bus, Clock, Outbox, Ports, Projects};
use chorus_core::project::{ClientCommand, Head, HistoryEvent, NewHead};
use chorus_core::record;
use chorus_core::sizes::SizeLimits;
use chorus_core::time::{Millis, Timestamp};
use chorus_limits::{Memory, Start};
use chorus_store::memory::Store;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::clock::ManualClock;
use super::faults::Flaky;
use super::model::{FakeModel, Reply};
use crate::{Orchestrator, Settings};

const PROJECT: ProjectId = ProjectId::new(1);
const DOCUMENT: &str = "# One\nThe lighthouse was built in 1870.\n\n# Two\nThe lighthouse was built in 1871.\n\n# Three\nIt stands in 1870.\n";

pub(super) struct Fixture {
    clock: ManualClock,
    store: Store,
    bus: Embedded,
    model: FakeModel,
    chance: fastrand::Rng,
    line: Arc<Mutex<(fastrand::Rng, u8)>>,
    crashes: bool,
    services: Vec<BoxFuture<'static, ()>>,
    brief: ArtifactHash,
    lost: bool,
    broken: Arc<AtomicBool>,
}

fn now<T>(future: impl Future<Output = T>) -> T {
    future
        .now_or_never()
        .expect("in-memory ports answer at once")
}

impl Fixture {
    pub(super) fn new(seed: u64, model: FakeModel, options: Options) -> Self {
        let clock = ManualClock::new(seed);
        let store = Store::new(Arc::new(clock.clone()));
        let document = now(store.put(Bytes::from(DOCUMENT))).unwrap();
        let attachment = Attachment {
            name: "document.md".into(),
            text: document,
            bytes: DOCUMENT.len() as u64,
        };
        let brief = Brief {
            version: 1,
            text: "Summarise each chapter.".into(),
            attachments: vec![attachment],
            options,
        };
        let brief = now(store.put(Bytes::from(serde_json::to_vec(&brief).unwrap()))).unwrap();
        let mut fixture = Self {
            line: Arc::new(Mutex::new((fastrand::Rng::with_seed(seed), 0))),
            chance: fastrand::Rng::with_seed(seed),
            bus: Embedded::new(),
            services: Vec::new(),
            crashes: false,
            lost: false,
            broken: Arc::default(),
            clock,
            store,
            model,
            brief,
        };
        fixture.submit(options);
        fixture.add_orchestrator();
        fixture
    }

    fn submit(&self, options: Options) {
        let tenant = Tenant::new("home");
        let new = NewHead {
            id: PROJECT,
            tenant: tenant.clone(),
            title: "a project".into(),
            created_at: self.clock.now(),
            brief: self.brief,
            options,
        };
        let record = record::command(
            EventId::new(5),
            &tenant,
            PROJECT,
            &ClientCommand::Submit { brief: self.brief },
        );
        let new = NewProject {
            id: PROJECT,
            tenant,
            idempotency_key: "once".into(),
            body: self.brief,
            budget: MicroUsd(1_000_000),
            head: Head::new(new),
            record,
        };
        now(self.store.submit(new)).unwrap();
    }

    pub(super) fn add_orchestrator(&mut self) {
        let flaky = || Flaky::new(self.store.clone(), self.line.clone(), self.broken.clone());
        let clock = Arc::new(self.clock.clone());
        let ports = Ports {
            projects: Arc::new(flaky()),
            outbox: Arc::new(flaky()),
            deliveries: Arc::new(flaky()),
            artifacts: if self.lost {
                Arc::new(Store::new(Arc::new(self.clock.clone())))
            } else {
                Arc::new(flaky())
            },
            ..Ports::over_store(
                Arc::new(self.store.clone()),
                Arc::new(self.bus.clone()),
                Arc::new(Memory::new(clock.clone(), Start::Full)),
                clock,
            )
        };
        let service = Orchestrator::new(
            ports,
            Settings {
                records: 4,
                batch: 3,
                ..Settings::default()
            },
            Arc::new(SizeLimits::default()),
        );
        self.services
            .push(Box::pin(service.run(std::future::pending())));
    }

    /// Lost replies, crashes and doubled records from now on.
    pub(super) fn inject_faults(&mut self) {
        self.line.lock().unwrap().1 = 25;
        self.crashes = true;
    }

    pub(super) fn lose_brief(&mut self) {
        self.lost = true;
        self.services.clear();
        self.add_orchestrator();
    }

    pub(super) fn restore_brief(&mut self) {
        self.lost = false;
        self.services.clear();
        self.add_orchestrator();
    }

    /// Makes the rows of projects unreadable, or readable again.
    pub(super) fn break_rows(&self, broken: bool) {
        self.broken.store(broken, Ordering::Relaxed);
    }

    /// Records that services took from the bus and did not acknowledge.
    pub(super) fn unacknowledged(&self) -> u64 {
        let topics = [Topic::ProjectCmd, Topic::TaskDone];
        topics
            .iter()
            .map(|topic| self.bus.depth(topic, crate::GROUP))
            .sum()
    }

    /// Commits a head that need not agree with the tasks.
    pub(super) fn corrupt(&self, change: impl FnOnce(&mut Head)) {
        let loaded = now(self.store.load(PROJECT)).unwrap().unwrap();
        let mut head = loaded.project.head;
        change(&mut head);
        let commit = Commit {
            project: PROJECT,
            expected: loaded.version,
            head,
            tasks: Vec::new(),
            attempts: Vec::new(),
            cancel: Vec::new(),
            events: Vec::new(),
            outbox: Vec::new(),
            budget: None,
            folded: Vec::new(),
        };
        let committed = now(self.store.commit(commit)).unwrap();
        assert_ne!(committed, Committed::Conflict);
    }

    pub(super) fn head(&self) -> Head {
        self.store
            .with_rows(|rows| rows.projects[&PROJECT].project.head.clone())
    }

    pub(super) fn history(&self) -> Vec<HistoryEvent> {
        self.store.with_rows(|rows| {
            rows.events
                .values()
                .map(|stored| stored.event.clone())
                .collect()
        })
    }

    /// All text of the deliverable.
    pub(super) fn texts(&self) -> String {
        let Some(hash) = self.head().deliverable() else {
            return String::new();
        };
        let deliverable: Deliverable = serde_json::from_slice(&self.artifact(hash)).unwrap();
        deliverable
            .files
            .iter()
            .map(|file| String::from_utf8(self.artifact(file.content).to_vec()).unwrap())
            .collect()
    }

    pub(super) fn unfolded(&self) -> Vec<Record> {
        now(self.store.unfolded(Millis(0), 100)).unwrap()
    }

    /// Records of a topic that were committed.
    pub(super) fn records(&self, topic: &Topic) -> usize {
        self.store.with_rows(|rows| {
            rows.outbox
                .values()
                .filter(|row| row.record.topic == *topic)
                .count()
        })
    }

    pub(super) fn queued(&self) -> Vec<NewAttempt> {
        self.store.with_rows(|rows| {
            rows.attempts
                .values()
                .filter(|row| row.state == AttemptState::Queued)
                .map(|row| row.attempt.clone())
                .collect()
        })
    }

    pub(super) fn attempts_of(&self, task: TaskId) -> usize {
        self.store.with_rows(|rows| {
            rows.attempts
                .values()
                .filter(|row| row.attempt.task == task)
                .count()
        })
    }

    pub(super) fn command(&self, command: &ClientCommand) {
        let tenant = Tenant::new("home");
        let record = record::command(
            EventId::new(self.clock.random_u128()),
            &tenant,
            PROJECT,
            command,
        );
        assert!(now(self.store.command(&tenant, PROJECT, record)).unwrap());
    }

    /// A command of another world.
    pub(super) fn garbage(&self, id: EventId) {
        let tenant = Tenant::new("home");
        let mut record = record::command(id, &tenant, PROJECT, &ClientCommand::Pause { at: None });
        record.payload = Bytes::from_static(b"{\"type\":\"dance\"}");
        now(self.store.command(&tenant, PROJECT, record)).unwrap();
    }

    pub(super) fn run_to_end(&mut self) {
        self.run(|head, fixture| head.is_terminal() && fixture.unfolded().is_empty());
    }

    /// One step of everything but the end.
    pub(super) fn step(&mut self) {
        self.sweep();
        self.poll();
        self.clock.advance(Millis(200));
    }

    /// Runs until every command and finished attempt is folded.
    pub(super) fn run_folded(&mut self) {
        self.run(|_, fixture| fixture.unfolded().is_empty());
    }

    pub(super) fn run_until(&mut self, state: &str) {
        let state = state.to_owned();
        self.run(move |head, _| head.state.as_str() == state);
    }

    fn run(&mut self, over: impl Fn(&Head, &Self) -> bool) {
        for _ in 0..3_000 {
            self.sweep();
            self.poll();
            if over(&self.head(), self) {
                return;
            }
            self.work();
            self.crash();
            self.clock.advance(Millis(200));
        }
        panic!("the project does not go on: {:?}", self.head().state);
    }

    fn poll(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..20 {
            for service in &mut self.services {
                assert!(
                    Pin::new(service).poll(&mut context).is_pending(),
                    "the service runs until it is told to stop"
                );
            }
        }
    }

    /// Drops the service at any await, and starts it again.
    fn crash(&mut self) {
        if self.crashes && self.chance.u8(0..100) < 15 {
            drop(
                self.services
                    .remove(self.chance.usize(0..self.services.len())),
            );
            self.add_orchestrator();
        }
    }

    /// Publishes unsent and unfolded records, as the dispatcher does.
    fn sweep(&mut self) {
        let unsent = now(self.store.unsent(Millis(0), 100)).unwrap();
        let unfolded = now(self.store.unfolded(Millis(5_000), 100)).unwrap();
        let ids = unsent
            .iter()
            .chain(&unfolded)
            .map(|record| record.id)
            .collect();
        let mut records: Vec<_> = unsent.into_iter().chain(unfolded).collect();
        if self.crashes && self.chance.bool() {
            records.extend(records.clone());
            self.chance.shuffle(&mut records);
        }
        now(self.bus.publish(records)).unwrap();
        now(self.store.mark_sent(ids)).unwrap();
    }

    /// One queued attempt is carried out, or none.
    fn work(&mut self) {
        let queued = self.queued();
        if queued.is_empty() || self.chance.u8(0..4) == 0 {
            return;
        }
        let attempt = queued[self.chance.usize(0..queued.len())].clone();
        self.finish(&attempt);
    }

    /// The attempt is carried out, and its record waits for the sweep.
    pub(super) fn finish_without_record(&self, attempt: &NewAttempt) {
        self.finish(attempt);
    }

    fn finish(&self, attempt: &NewAttempt) {
        let order: WorkOrder = serde_json::from_slice(&self.artifact(attempt.order)).unwrap();
        let put = |text: String| now(self.store.put(Bytes::from(text))).unwrap();
        let outcome = match self.model.answer(attempt.kind, &order.request) {
            Reply::Text(text) => Outcome::Succeeded { result: put(text) },
            Reply::Question(text) => Outcome::Asked {
                question: put(text),
            },
        };
        let holding = self.claim(attempt);
        let done = AttemptDone {
            attempt: attempt.id,
            task: attempt.task,
            outcome: outcome.clone(),
            call: None,
        };
        let record = record::task_done(
            EventId::new(self.clock.random_u128()),
            attempt,
            Epoch(0),
            &done,
        );
        assert!(
            now(self.store.finish(Finish {
                holding,
                outcome,
                usage: None,
                cost: MicroUsd(1),
                record
            }))
            .unwrap()
        );
    }

    fn claim(&self, attempt: &NewAttempt) -> Holding {
        let never = Timestamp(i64::MAX);
        let number = self.clock.random_u128();
        let (granted_at, credential) = (self.clock.now(), CredentialId::new(1));
        let lease = Lease {
            id: LeaseId::new(number),
            credential,
            charges: Vec::new(),
            granted_at,
            not_after: never,
        };
        let pool = Pool::new("other");
        let record = record::task_dispatch(EventId::new(number), &pool, attempt, Epoch(0), never);
        let (account, provider, model) = (
            AccountId::new(1),
            ProviderId::new("p"),
            ModelSlug::new("p/m"),
        );
        let assignment = Assignment {
            lease,
            account,
            provider,
            model,
            pool,
            estimate: MicroUsd(1),
            resets: QuotaResets::default(),
        };
        let decision = DispatchDecision::Send(Box::new(assignment));
        now(self.store.dispatch(vec![Dispatch {
            attempt: attempt.id,
            epoch: Epoch(0),
            term: Term(1),
            decision,
            record,
        }]))
        .unwrap();
        let holder = Holder::new(number.to_string());
        let claim = Claim {
            attempt: attempt.id,
            epoch: Epoch(0),
            holder: holder.clone(),
            deadline: never,
        };
        assert!(now(self.store.claim(claim)).unwrap().is_some());
        Holding {
            attempt: attempt.id,
            epoch: Epoch(0),
            holder,
        }
    }

    fn artifact(&self, hash: ArtifactHash) -> Bytes {
        now(self.store.get(hash)).unwrap().expect("it was stored")
    }
}
