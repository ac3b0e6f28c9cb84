//! A worker with one attempt, one credential, a scripted provider, and time that a test moves.

use std::sync::Arc;

use bytes::Bytes;
use chorus_bus::Embedded;
use chorus_core::attempt::{Assignment, AttemptState, CallSize, NewAttempt, Outcome, WorkOrder};
use chorus_core::catalog::{Catalog, Model, Price, Provider, Quirks};
use chorus_core::id::*;
use chorus_core::limit::{
    CallEstimate, Candidate, Demand, Dimension, Limit, QuotaGroup, QuotaResets, ReserveRule,
    Reserved, Window,
};
use chorus_core::llm::{Content, Extra, Message, Request, Role, Sampling};
use chorus_core::money::MicroUsd;
use chorus_core::port::bus::{Incoming, Record, Topic};
use chorus_core::port::directory::{
    CredentialState, Entitlement, GroupOf, NewAccount, NewCredential, SealedSecret,
};
use chorus_core::port::{ArtifactStore, Attempts, Bus, Clock, Directory, LimitState, Ports};
use chorus_core::record;
use chorus_core::task_kind::TaskKind;
use chorus_core::time::{Millis, Timestamp};
use chorus_limits::{Memory, Start};
use chorus_store::memory::Store;
use futures_util::FutureExt as _;

use super::rows::Rows;
use super::script::{Scene, Script};
use super::time::{Time, run};
use crate::{Settings, Worker};

pub(super) struct Bench {
    pub(super) time: Arc<Time>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) rows: Arc<Rows>,
    pub(super) store: Store,
    pub(super) limits: Arc<Memory>,
    pub(super) bus: Embedded,
    /// Bus of the worker, if it is another one.
    pub(super) failing: Option<Arc<dyn Bus>>,
    pub(super) script: Arc<Script>,
    pub(super) settings: Settings,
    leases: u128,
}

const CREDENTIAL: CredentialId = CredentialId::new(9);

/// Value of a future that waits for nothing.
pub(super) fn now<T, E: std::fmt::Debug>(future: impl Future<Output = Result<T, E>>) -> T {
    future
        .now_or_never()
        .expect("nothing in memory waits")
        .expect("nothing in memory fails")
}

fn group() -> QuotaGroup {
    let limit = |dimension, amount, window| Limit {
        dimension,
        amount,
        burst: None,
        window,
        reserve: ReserveRule::Estimate,
        cache_read_percent: 0,
        output_weight: 1,
    };
    let slow = Window::Bucket {
        per_ms: 1_000_000_000_000,
    };
    QuotaGroup {
        id: GroupId::new("anthropic/org"),
        limits: vec![
            limit(Dimension::Requests, 100, slow),
            limit(Dimension::OutputTokens, 10_000, slow),
            limit(Dimension::Concurrency, 4, Window::Held),
        ],
    }
}

fn catalog() -> Catalog {
    let provider: Provider = serde_json::from_value(serde_json::json!({
        "id": "anthropic", "title": "Anthropic", "base_url": "", "path": "",
        "dialect": "anthropic_messages", "auth": "x_api_key",
    }))
    .expect("the least row of a provider");
    let price = Price {
        input: MicroUsd::from_dollars(1),
        output: MicroUsd::from_dollars(10),
        ..Price::default()
    };
    let model = Model {
        slug: ModelSlug::new("claude/opus"),
        pool: Pool::new("claude"),
        routes: [(ProviderId::new("anthropic"), "claude-opus-5".to_owned())].into(),
        context: 200_000,
        max_output: 1_000,
        price,
        strength: 90,
        reasoning: false,
        quirks: Quirks::default(),
    };
    Catalog {
        providers: vec![provider],
        models: vec![model],
    }
}

impl Bench {
    /// Bench with a provider that plays these scenes, for a task of this kind.
    pub(super) fn of(kind: TaskKind, scenes: Vec<Scene>) -> Self {
        let time = Arc::new(Time::default());
        let clock = time.shared();
        let store = Store::new(clock.clone());
        let message = Message {
            role: Role::User,
            content: vec![Content::text("write")],
            extra: Extra::new(),
        };
        let sampling = Sampling {
            max_tokens: Some(100),
            ..Sampling::default()
        };
        let order = WorkOrder {
            version: 1,
            request: Request {
                messages: vec![message],
                sampling,
                ..Request::default()
            },
            so_far: String::new(),
        };
        let order = now(store.put(Bytes::from(serde_json::to_vec(&order).unwrap())));
        let attempt = NewAttempt {
            id: AttemptId::new(3),
            task: TaskId::new(2),
            project: ProjectId::new(1),
            tenant: Tenant::new("home"),
            plan_version: 1,
            kind,
            number: 1,
            order,
            size: CallSize {
                input: 100,
                output: 50,
                max_tokens: 100,
            },
            priority: 100,
            path: Millis(1),
            not_before: Timestamp(0),
        };
        let script = Arc::new(Script::new(clock.clone()));
        script.scenes.lock().unwrap().extend(scenes);
        let bench = Self {
            rows: Arc::new(Rows::new(clock.clone(), attempt)),
            limits: Arc::new(Memory::new(clock.clone(), Start::Full)),
            bus: Embedded::new(),
            failing: None,
            settings: Settings {
                slots: 2,
                ..Settings::of_pool(Pool::new("claude"))
            },
            time,
            clock,
            store,
            script,
            leases: 0,
        };
        bench.import();
        bench
    }

    /// For a task that makes a part.
    pub(super) fn new(scenes: Vec<Scene>) -> Self {
        Self::of(TaskKind::Work, scenes)
    }

    fn import(&self) {
        let credential = NewCredential {
            id: CREDENTIAL,
            provider: ProviderId::new("anthropic"),
            base_url: None,
            secret: SealedSecret {
                sealed: String::new(),
                key_id: String::new(),
            },
            fingerprint: "f".into(),
            earlier_fingerprints: Vec::new(),
            expires_at: None,
            groups: vec![GroupOf {
                group: group(),
                models: Vec::new(),
            }],
        };
        let entitlement = Entitlement {
            kind: "own".into(),
            attested_by: "me".into(),
            attested_at: Timestamp(0),
        };
        let account = NewAccount {
            id: AccountId::new(8),
            tenant: Tenant::new("home"),
            name: "a@example.com".into(),
            owner: "me".into(),
            entitlement,
            same_owner_spill: false,
            credentials: vec![credential],
        };
        now(self.store.import(vec![account]));
    }

    /// Reserves and commits as a dispatcher does; returns the record unpublished.
    pub(super) fn dispatch(&mut self) -> Record {
        self.leases += 1;
        let estimate = CallEstimate {
            input: 100,
            cached: 0,
            output_p50: 50,
            output_p90: 80,
            max_tokens: 100,
            cost: MicroUsd(500),
        };
        let not_after = self.time.now() + Millis(30_000);
        let candidate = Candidate {
            credential: CREDENTIAL,
            groups: vec![Arc::new(group())],
            estimate,
            rank: 0,
            floor_permille: 0,
        };
        let demand = Demand {
            lease: LeaseId::new(self.leases),
            interactive: false,
            not_after,
            candidates: vec![candidate],
            books: false,
        };
        let Reserved::Granted(lease) = now(self.limits.reserve(demand)) else {
            panic!("the limits have room")
        };
        self.rows.with(|state| {
            assert_eq!(state.row.state, AttemptState::Queued);
            state.row.state = AttemptState::Dispatched;
            state.assignment = Some(Assignment {
                lease,
                account: AccountId::new(8),
                provider: ProviderId::new("anthropic"),
                model: ModelSlug::new("claude/opus"),
                pool: Pool::new("claude"),
                estimate: estimate.cost,
                resets: QuotaResets::of([&group()]),
            });
            let id = EventId::new(1_000_000 + self.leases);
            record::task_dispatch(
                id,
                &self.settings.pool,
                &state.row.attempt,
                state.row.epoch,
                not_after,
            )
        })
    }

    /// Publishes records as if a dispatcher did.
    pub(super) fn publish(&self, records: Vec<Record>) {
        now(self.bus.publish(records));
    }

    /// Dispatches, and lets a worker work for `seconds` and then stop.
    pub(super) fn deliver(&mut self, seconds: u64) {
        let record = self.dispatch();
        self.publish(vec![record]);
        self.work(seconds);
    }

    /// Runs a worker that is stopped after `seconds`, to its end.
    pub(super) fn work(&self, seconds: u64) {
        let stop = self.clock.sleep(Millis::from_secs(seconds));
        let end = self.time.now() + Millis::from_secs(seconds + 3_600);
        let work: futures_util::future::BoxFuture<'_, ()> = Box::pin(self.worker().run(stop));
        assert!(run(&self.time, work, end), "the worker did not stop");
    }

    /// Works as [`Self::work`], while something else happens.
    pub(super) fn work_while(&self, seconds: u64, meanwhile: impl Future<Output = ()>) {
        let stop = self.clock.sleep(Millis::from_secs(seconds));
        let both = futures_util::future::join(self.worker().run(stop), meanwhile).map(|_| ());
        assert!(
            run(
                &self.time,
                both,
                self.time.now() + Millis::from_secs(seconds + 3_600)
            ),
            "the worker did not stop"
        );
    }

    pub(super) fn worker(&self) -> Worker {
        let store = Arc::new(self.store.clone());
        let bus = self
            .failing
            .clone()
            .unwrap_or_else(|| Arc::new(self.bus.clone()));
        let ports = Ports {
            attempts: self.rows.clone() as Arc<dyn Attempts>,
            outbox: self.rows.clone(),
            deliveries: self.rows.clone(),
            upstream: self.script.clone(),
            ..Ports::over_store(store, bus, self.limits.clone(), self.clock.clone())
        };
        Worker::new(
            ports,
            Arc::new(catalog()),
            self.settings.clone(),
            BootId::new(7),
        )
    }

    pub(super) fn topic(&self) -> Topic {
        Topic::TaskDispatch(self.settings.pool.clone())
    }

    /// The outcomes that were written, in order.
    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        self.rows.with(|state| {
            state
                .finishes
                .iter()
                .map(|finish| finish.outcome.clone())
                .collect()
        })
    }

    /// The only outcome.
    pub(super) fn outcome(&self) -> Outcome {
        let mut outcomes = self.outcomes();
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        outcomes.remove(0)
    }

    pub(super) fn calls(&self) -> usize {
        self.script.calls.lock().unwrap().len()
    }

    /// Text of an artifact: an order or a result.
    pub(super) fn artifact(&self, hash: chorus_core::artifact::ArtifactHash) -> String {
        let bytes = now(self.store.get(hash)).expect("the artifact is there");
        String::from_utf8(bytes.to_vec()).expect("it is text")
    }

    /// Slots in use, and what is left of requests and produced tokens.
    pub(super) fn levels(&self) -> (i64, i64, i64) {
        let levels: Vec<_> = self
            .limits
            .all_levels()
            .into_iter()
            .flat_map(|group| group.limits)
            .collect();
        let of = |dimension| {
            levels
                .iter()
                .find(|level| level.dimension == dimension)
                .expect("the group was seen")
        };
        (
            of(Dimension::Concurrency).held,
            of(Dimension::Requests).room,
            of(Dimension::OutputTokens).room,
        )
    }

    /// Sets the state of the credential as a person does.
    pub(super) fn set_state(&self, state: CredentialState) {
        now(self.store.set_state(CREDENTIAL, state));
    }

    /// Notice of a change of the credential.
    pub(super) fn credential_notice(&self) -> Record {
        let notice = record::CredentialNotice {
            account: AccountId::new(8),
            credential: CREDENTIAL,
        };
        record::credential(EventId::new(2_000_000), &Tenant::new("home"), &notice)
    }

    pub(super) fn credential_state(&self) -> CredentialState {
        let accounts = now(self.store.accounts(&Tenant::new("home")));
        accounts[0].credentials[0].state.clone()
    }
}

/// The records that a tail still has to give.
pub(super) fn records(tail: &mut Box<dyn chorus_core::port::bus::Subscription>) -> Vec<Record> {
    std::iter::from_fn(|| tail.next().now_or_never())
        .map(
            |incoming| match incoming.expect("nothing in memory fails") {
                Incoming::Record { record, .. } => record,
                other => panic!("a tail has no partitions: {other:?}"),
            },
        )
        .collect()
}
