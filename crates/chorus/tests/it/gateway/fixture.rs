//! A store, a bus and gateways over them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use chorus_bus::Embedded;
use chorus_core::artifact::ArtifactHash;
use chorus_core::brief::Options;
use chorus_core::id::{EventId, KeyId, ProjectId, Seq, Tenant};
use chorus_core::merge::{Deliverable, MergedFile};
use chorus_core::money::MicroUsd;
use chorus_core::port::keys::{NewKey, Scopes};
use chorus_core::port::projects::{Commit, Committed, NewProject, StoredEvent, Submitted};
use chorus_core::port::{Clock, Ports};
use chorus_core::project::{ClientCommand, Head, HistoryEvent, NewHead, State};
use chorus_core::record::{self, EventNotice};
use chorus_core::time::{Millis, Timestamp};
use chorus_gateway::{Gateway, Secret, ServeError, Settings};
use chorus_limits::{Memory, Start};
use chorus_simulation::real;
use chorus_store::sql::{DatabaseUrl, Pending, Store};
use futures_util::future::BoxFuture;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::store::postgres::Postgres;

/// Plan of every project that waits for approval.
pub(super) const PLAN: &str =
    r#"{"version":1,"title":"Played","requirements":[],"tasks":[],"files":[]}"#;

/// A store with a bus and a clock.
pub(super) struct GatewayFixture {
    pub(super) ports: Ports,
    pub(super) store: Store,
    _folder: TempDir,
}

/// A gateway that serves until it is stopped or dropped.
pub(super) struct RunningGateway {
    /// Base URL: `http://127.0.0.1:port`.
    pub(super) base: String,
    pub(super) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Result<(), ServeError>>,
}

/// Runs a check over SQLite, and over PostgreSQL if the run has one.
pub(super) async fn on_each_store(suite: &str, check: impl AsyncFn(GatewayFixture)) {
    check(GatewayFixture::sqlite().await).await;
    real::record_run("sqlite", &format!("gateway: {suite}"), 1);
    if let Some(server) = Postgres::from_environment() {
        check(
            GatewayFixture::over(
                server
                    .place(&format!("gateway_{:x}", Uuid::new_v4().as_fields().0))
                    .await,
            )
            .await,
        )
        .await;
        real::record_run("postgres", &format!("gateway: {suite}"), 1);
    }
}

/// Clock with real time and randomness.
struct RealClock;

impl Clock for RealClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock of a test with real sockets"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).expect("it is this millennium"))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock of a test with real sockets"
    )]
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(
            at.since(self.now()).0,
        )))
    }

    fn random_u128(&self) -> u128 {
        Uuid::now_v7().as_u128()
    }

    fn random_below(&self, below: u64) -> u64 {
        u64::try_from(Uuid::new_v4().as_u128() % u128::from(below.max(1)))
            .expect("it is below a u64")
    }
}

impl GatewayFixture {
    pub(super) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = DatabaseUrl::Sqlite(folder.path().join("chorus.db"));
        Self {
            _folder: folder,
            ..Self::over(place).await
        }
    }

    async fn over(url: DatabaseUrl) -> Self {
        let store = Store::open(url, Pending::Apply)
            .await
            .expect("a new database opens");
        let shared = Arc::new(store.clone());
        let clock = Arc::new(RealClock);
        let limits = Arc::new(Memory::new(clock.clone(), Start::Full));
        let ports = Ports::over_store(shared, Arc::new(Embedded::new()), limits, clock);
        Self {
            ports,
            store,
            _folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// Usual settings with a short keep-alive and poll interval.
    pub(super) fn settings() -> Settings {
        let usual = Settings::usual(Arc::new(chorus_upstream::catalog::load()), BTreeMap::new());
        Settings {
            keep_alive: Millis(300),
            poll: Millis(100),
            ..usual
        }
    }

    /// Starts a gateway on a free port.
    pub(super) async fn gateway(&self) -> RunningGateway {
        self.gateway_with(Self::settings(), SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
    }

    /// Starts a gateway with these settings at this address.
    pub(super) async fn gateway_with(
        &self,
        settings: Settings,
        address: SocketAddr,
    ) -> RunningGateway {
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let address = listener.local_addr().expect("it listens");
        let (stop, stopped) = oneshot::channel::<()>();
        let gateway = Gateway::new(self.ports.clone(), settings);
        let serving = tokio::spawn(gateway.serve(listener, async { drop(stopped.await) }));
        RunningGateway {
            base: format!("http://{address}"),
            address,
            stop: Some(stop),
            serving,
        }
    }

    /// Creates a key of a tenant with these scopes; returns its text.
    pub(super) async fn key_with(
        &self,
        tenant: &str,
        scopes: Scopes,
        expires_at: Option<Timestamp>,
    ) -> (KeyId, String) {
        let mut chance = [0; 32];
        chance[..16].copy_from_slice(Uuid::new_v4().as_bytes());
        let (id, secret) = (
            KeyId::new(self.ports.clock.random_u128()),
            Secret::mint(chance),
        );
        let key = NewKey {
            id,
            tenant: Tenant::new(tenant),
            name: "test".to_owned(),
            hash: secret.hash(),
            scopes,
            expires_at,
        };
        self.ports
            .keys
            .create(key)
            .await
            .expect("the store answers");
        (id, secret.reveal().to_owned())
    }

    /// Creates a key of a tenant with all scopes; returns its text.
    pub(super) async fn key(&self, tenant: &str) -> String {
        self.key_with(tenant, Scopes::all(), None).await.1
    }

    /// Submits a project of a tenant without a gateway.
    pub(super) async fn project(&self, tenant: &str) -> ProjectId {
        let (clock, tenant) = (&self.ports.clock, Tenant::new(tenant));
        let id = ProjectId::new(clock.random_u128());
        let brief = self
            .ports
            .artifacts
            .put(Bytes::from_static(b"{}"))
            .await
            .expect("the store answers");
        let options = Options {
            assume: false,
            approve: true,
        };
        let title = "Played".to_owned();
        let head = Head::new(NewHead {
            id,
            tenant: tenant.clone(),
            title,
            created_at: clock.now(),
            brief,
            options,
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
        let answer = self
            .ports
            .projects
            .submit(new)
            .await
            .expect("the store answers");
        assert_eq!(answer, Submitted::Accepted(id));
        id
    }

    /// Commits a decision, as an orchestrator does: changes the head and adds events; publishes
    /// them if `published`.
    pub(super) async fn decide(
        &self,
        id: ProjectId,
        events: Vec<HistoryEvent>,
        published: bool,
        change: impl FnOnce(&mut Head),
    ) {
        let Ports {
            projects,
            artifacts,
            clock,
            bus,
            ..
        } = &self.ports;
        let loaded = projects
            .load(id)
            .await
            .expect("the store answers")
            .expect("the project is there");
        let mut head = loaded.project.head;
        change(&mut head);
        if *head.state.work() == State::WaitingApproval && head.plan.is_none() {
            let stored = artifacts.put(Bytes::from_static(PLAN.as_bytes())).await;
            head.plan = Some(chorus_core::project::PlanRef {
                hash: stored.expect("the store answers"),
                version: 1,
                path: chorus_core::time::Millis(0),
            });
        }
        let tenant = head.tenant.clone();
        let stored = |(seq, event)| StoredEvent {
            project: id,
            seq: Seq(seq),
            at: clock.now(),
            event,
        };
        let events: Vec<StoredEvent> = (loaded.seq.0 + 1..).zip(events).map(stored).collect();
        let notice = EventNotice {
            project: id,
            first: Seq(loaded.seq.0 + 1),
            last: Seq(loaded.seq.0 + events.len() as u64),
        };
        let commit = Commit {
            project: id,
            expected: loaded.version,
            head,
            tasks: vec![],
            attempts: vec![],
            cancel: vec![],
            events,
            outbox: vec![],
            budget: None,
            folded: vec![],
        };
        let answer = projects.commit(commit).await.expect("the store answers");
        assert!(matches!(answer, Committed::Done(_)), "{answer:?}");
        if published {
            let record = record::event(EventId::new(clock.random_u128()), &tenant, &notice);
            bus.publish(vec![record]).await.expect("the bus takes it");
        }
    }

    /// Commits `count` events without effect.
    pub(super) async fn add_events(&self, id: ProjectId, count: u64, published: bool) {
        let noise = |number: u64| HistoryEvent::Clarified {
            assumptions: vec![format!("assumption {number}")],
        };
        self.decide(id, (0..count).map(noise).collect(), published, |_| {})
            .await;
    }

    /// Stores a deliverable with these files.
    pub(super) async fn deliverable(&self, files: &[(&str, &str, &[u8])]) -> ArtifactHash {
        let mut merged = Vec::new();
        for (path, media_type, content) in files {
            let content_hash = self
                .ports
                .artifacts
                .put(Bytes::copy_from_slice(content))
                .await
                .expect("the store answers");
            let (path, media_type) = ((*path).to_owned(), (*media_type).to_owned());
            merged.push(MergedFile {
                path,
                media_type,
                content: content_hash,
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
        self.ports
            .artifacts
            .put(Bytes::from(text))
            .await
            .expect("the store answers")
    }

    /// Ends the project with this deliverable.
    pub(super) async fn done(&self, id: ProjectId, deliverable: ArtifactHash) {
        self.decide(id, vec![HistoryEvent::Done { deliverable }], true, |head| {
            head.state = State::Done { deliverable }
        })
        .await;
    }

    /// Commands in the outbox, published or not, in order of commitment.
    pub(super) async fn commands(&self, id: ProjectId) -> Vec<ClientCommand> {
        let rows = self.store.snapshot().await.expect("every row can be read");
        let mut own: Vec<_> = rows
            .outbox
            .values()
            .filter(|row| row.record.key == id.to_string())
            .collect();
        own.sort_by_key(|row| (row.created_at, row.record.id));
        own.into_iter()
            .map(|row| record::read(&row.record, record::COMMAND).expect("it is a command"))
            .collect()
    }
}

impl RunningGateway {
    /// Stops the gateway and waits for its end.
    pub(super) async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        self.serving
            .await
            .expect("the gateway did not panic")
            .expect("the gateway ended well");
    }

    /// Aborts the gateway at once.
    pub(super) async fn kill(self) {
        self.serving.abort();
        let _ = self.serving.await;
    }
}
