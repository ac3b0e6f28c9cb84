//! A gateway's router over a store in memory, with helpers to fill the store and to read replies.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use chorus_bus::Embedded;
use chorus_core::artifact::ArtifactHash;
use chorus_core::brief::Options;
use chorus_core::catalog::Catalog;
use chorus_core::id::{AccountId, EventId, KeyId, ProjectId, Seq, Tenant};
use chorus_core::merge::{Deliverable, MergedFile};
use chorus_core::money::MicroUsd;
use chorus_core::port::directory::{Entitlement, Imported, NewAccount};
use chorus_core::port::keys::{NewKey, Scopes};
use chorus_core::port::projects::{Commit, Committed, NewProject, StoredEvent, Submitted};
use chorus_core::port::{Clock, Ports};
use chorus_core::project::{ClientCommand, Head, HistoryEvent, NewHead, State, Task};
use chorus_core::record::{self, EventNotice};
use chorus_core::time::Timestamp;
use chorus_limits::{Memory, Start};
use chorus_store::memory::Store;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use tower::ServiceExt as _;

use crate::app_state::AppState;
use crate::routes::router;
use crate::secret::Secret;
use crate::settings::{Auth, Settings};

/// Clock over tokio's paused time, with counted numbers.
struct PausedClock {
    began: Instant,
    numbers: AtomicU64,
}

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        let passed = self.began.elapsed().as_millis();
        Timestamp(1_790_000_000_000 + i64::try_from(passed).expect("a test is short"))
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let wait = Duration::from_millis(at.since(self.now()).0);
        Box::pin(tokio::time::sleep_until(Instant::now() + wait))
    }

    fn random_u128(&self) -> u128 {
        self.numbers.fetch_add(1, Ordering::Relaxed).into()
    }

    fn random_below(&self, _: u64) -> u64 {
        0
    }
}

/// Ports over one store in memory, and the settings of the gateways made from them.
pub(super) struct Fixture {
    pub(super) ports: Ports,
    pub(super) settings: Settings,
    store: Store,
}

/// A gateway without a socket.
pub(super) struct TestGateway {
    router: Router,
    stop: watch::Sender<bool>,
}

/// A reply with its whole body.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(PausedClock {
            began: Instant::now(),
            numbers: AtomicU64::new(1),
        });
        let store = Store::new(Arc::clone(&clock));
        let ports = Ports::over_store(
            Arc::new(store.clone()),
            Arc::new(Embedded::new()),
            Arc::new(Memory::new(Arc::clone(&clock), Start::Full)),
            clock,
        );
        let catalog = Catalog {
            providers: vec![],
            models: vec![],
        };
        Self {
            ports,
            settings: Settings::usual(Arc::new(catalog), BTreeMap::new()),
            store,
        }
    }

    /// A fixture for gateways without keys that serve the tenant `home`.
    pub(super) fn open() -> Self {
        let mut fixture = Self::new();
        fixture.settings.auth = Auth::Open(Tenant::new("home"));
        fixture
    }

    /// A gateway with the present ports and settings, its tail of events running.
    pub(super) fn gateway(&self) -> TestGateway {
        let (stop, stopped) = watch::channel(false);
        let state = AppState::new(self.ports.clone(), self.settings.clone(), stopped);
        let state = Arc::new(state);
        let (bus, clock) = (Arc::clone(&self.ports.bus), Arc::clone(&self.ports.clock));
        tokio::spawn(Arc::clone(&state.hub).run(bus, clock));
        TestGateway {
            router: router(state),
            stop,
        }
    }

    /// Id and text of a new key.
    pub(super) async fn key(
        &self,
        tenant: &str,
        scopes: &str,
        expires_at: Option<Timestamp>,
    ) -> (KeyId, String) {
        let number = self.ports.clock.random_u128();
        let mut random = [7; 32];
        random[..16].copy_from_slice(&number.to_be_bytes());
        let (id, secret) = (KeyId::new(number), Secret::mint(random));
        let key = NewKey {
            id,
            tenant: Tenant::new(tenant),
            name: "test".to_owned(),
            hash: secret.hash(),
            scopes: Scopes::known(scopes),
            expires_at,
        };
        self.ports.keys.create(key).await.expect("memory takes it");
        (id, secret.reveal().to_owned())
    }

    /// Stores an account of the tenant `home` without credentials.
    pub(super) async fn account(&self, id: AccountId, name: &str) {
        let account = NewAccount {
            id,
            tenant: Tenant::new("home"),
            name: name.to_owned(),
            owner: "Ana".to_owned(),
            entitlement: Entitlement {
                kind: "own".to_owned(),
                attested_by: "Ana".to_owned(),
                attested_at: Timestamp(0),
            },
            same_owner_spill: false,
            credentials: vec![],
        };
        let imported = self.ports.directory.import(vec![account]).await;
        assert_eq!(imported.expect("memory takes it"), [Imported::Added(id)]);
    }

    /// Stores a submitted project of a tenant.
    pub(super) async fn project(&self, tenant: &str) -> ProjectId {
        let (clock, tenant) = (&self.ports.clock, Tenant::new(tenant));
        let id = ProjectId::new(clock.random_u128());
        let brief = self.artifact(b"{}").await;
        let head = Head::new(NewHead {
            id,
            tenant: tenant.clone(),
            title: format!("Project {id}"),
            created_at: clock.now(),
            brief,
            options: Options {
                assume: false,
                approve: true,
            },
        });
        let record = record::command(
            EventId::new(clock.random_u128()),
            &tenant,
            id,
            &ClientCommand::Submit { brief },
        );
        let new = NewProject {
            id,
            tenant,
            idempotency_key: id.to_string(),
            body: brief,
            budget: MicroUsd::from_dollars(5),
            head,
            record,
        };
        let submitted = self.ports.projects.submit(new).await;
        assert_eq!(submitted.expect("memory takes it"), Submitted::Accepted(id));
        id
    }

    /// Changes a project as its writer does: a new head and new events. The bus learns of them.
    pub(super) async fn decide(
        &self,
        id: ProjectId,
        events: Vec<HistoryEvent>,
        tasks: Vec<Task>,
        change: impl FnOnce(&mut Head),
    ) {
        let projects = &self.ports.projects;
        let loaded = projects.load(id).await.expect("memory answers");
        let loaded = loaded.expect("the project exists");
        let mut head = loaded.project.head;
        change(&mut head);
        if *head.state.work() == State::WaitingApproval && head.plan.is_none() {
            head.plan = Some(chorus_core::project::PlanRef {
                hash: ArtifactHash::of(b"plan"),
                version: 1,
                path: chorus_core::time::Millis(0),
            });
        }
        let tenant = head.tenant.clone();
        let first = loaded.seq.0 + 1;
        let notice = EventNotice {
            project: id,
            first: Seq(first),
            last: Seq(loaded.seq.0 + events.len() as u64),
        };
        let stored = (first..).zip(events).map(|(seq, event)| StoredEvent {
            project: id,
            seq: Seq(seq),
            at: self.ports.clock.now(),
            event,
        });
        let commit = Commit {
            project: id,
            expected: loaded.version,
            head,
            tasks,
            attempts: vec![],
            cancel: vec![],
            events: stored.collect(),
            outbox: vec![],
            budget: None,
            folded: vec![],
        };
        let committed = projects.commit(commit).await.expect("memory takes it");
        assert!(matches!(committed, Committed::Done(_)), "{committed:?}");
        let event = EventId::new(self.ports.clock.random_u128());
        let record = record::event(event, &tenant, &notice);
        let published = self.ports.bus.publish(vec![record]).await;
        published.expect("the bus takes it");
    }

    pub(super) async fn set_state(&self, id: ProjectId, state: State) {
        self.decide(id, vec![], vec![], |head| head.state = state)
            .await;
    }

    pub(super) async fn artifact(&self, bytes: &[u8]) -> ArtifactHash {
        let bytes = Bytes::copy_from_slice(bytes);
        let hash = self.ports.artifacts.put(bytes).await;
        hash.expect("memory takes it")
    }

    /// Stores a deliverable of these files: path, media type, content.
    pub(super) async fn deliverable(&self, files: &[(&str, &str, &[u8])]) -> ArtifactHash {
        let mut merged = Vec::new();
        for (path, media_type, content) in files {
            merged.push(MergedFile {
                path: (*path).to_owned(),
                media_type: (*media_type).to_owned(),
                content: self.artifact(content).await,
                bytes: content.len() as u64,
            });
        }
        let deliverable = Deliverable {
            version: 1,
            files: merged,
            conflicts: vec![],
            resolutions: vec![],
        };
        let text = serde_json::to_vec(&deliverable).expect("plain structs");
        self.artifact(&text).await
    }

    /// Ends a project with this deliverable.
    pub(super) async fn finish(&self, id: ProjectId, deliverable: ArtifactHash) {
        let done = HistoryEvent::Done { deliverable };
        self.decide(id, vec![done], vec![], |head| {
            head.state = State::Done { deliverable };
        })
        .await;
    }

    /// Client commands of a project in the outbox, submission included, by id.
    pub(super) fn commands(&self, id: ProjectId) -> Vec<(EventId, ClientCommand)> {
        self.store.with_rows(|rows| {
            rows.outbox
                .values()
                .map(|row| &row.record)
                .filter(|record| record.key == id.to_string())
                .map(|record| {
                    let command = record::read(record, record::COMMAND);
                    (record.id, command.expect("it is a command"))
                })
                .collect()
        })
    }
}

impl TestGateway {
    /// Sends a request and reads the whole reply.
    pub(super) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.start(request).await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX)
            .await
            .expect("the body ends well");
        Reply {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// Sends a request and returns the response before its body is read.
    pub(super) async fn start(&self, request: Request<Body>) -> axum::response::Response {
        let response = self.router.clone().oneshot(request).await;
        response.expect("the router is infallible")
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.send(request(Method::GET, path, &[], "")).await
    }

    pub(super) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send(request(Method::GET, path, headers, "")).await
    }

    pub(super) async fn post(&self, path: &str, body: &str) -> Reply {
        self.post_with(path, &[], body).await
    }

    /// Posts JSON with further headers.
    pub(super) async fn post_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut all = vec![("content-type", "application/json")];
        all.extend(headers);
        self.send(request(Method::POST, path, &all, body.to_owned()))
            .await
    }

    /// Ends the event streams of this gateway.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }
}

/// A request with these headers and this body.
pub(super) fn request(
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).expect("a well-formed request")
}

impl Reply {
    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    #[track_caller]
    pub(super) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// Checks status, code and the parts that every error body has; returns the error's object.
    #[track_caller]
    pub(super) fn expect_error(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/json"));
        let mut body = self.json();
        let error = body["error"].take();
        assert_eq!(error["code"], code, "{error}");
        let message = error["message"].as_str().expect("a message");
        assert!(!message.is_empty());
        let id = error["request_id"].as_str();
        assert!(id.is_some_and(|id| !id.is_empty()), "{error}");
        assert_eq!(id, self.header("x-request-id"));
        error
    }
}
