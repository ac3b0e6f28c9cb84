//! The services as the embedded default wires them, over the [`Instant`] model.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use chorus_bench::machine_clock::MachineClock;
use chorus_core::artifact::ArtifactHash;
use chorus_core::brief::{Attachment, Brief, Options};
use chorus_core::id::{
    AccountId, BootId, CredentialId, EventId, Pool, ProjectId, ProviderId, Tenant,
};
use chorus_core::money::MicroUsd;
use chorus_core::port::directory::{Entitlement, NewAccount, NewCredential, SealedSecret};
use chorus_core::port::projects::NewProject;
use chorus_core::port::{
    ArtifactStore, Attempts, Clock, Deliveries, Directory, Keys, Leaders, Outbox, Ports, Projects,
    Waits, Workers, relay,
};
use chorus_core::project::{ClientCommand, Head, NewHead};
use chorus_core::record;
use chorus_core::time::{Millis, Timestamp};
use chorus_dispatcher::Dispatcher;
use chorus_limits::{Memory, Start};
use chorus_orchestrator::Orchestrator;
use chorus_store::LocalDirectory;
use chorus_store::memory;
use chorus_store::sql::{DatabaseUrl, Pending, Store};
use chorus_worker::Worker;
use tokio::sync::Notify;

use crate::instant::Instant;
use crate::{Kind, brief as generated};

/// Pool of the one model.
const POOL: &str = "other";

/// Ports and running services in this process.
pub(crate) struct EmbeddedServices {
    pub(crate) ports: Ports,
    pub(crate) upstream: Arc<Instant>,
    tenant: Tenant,
}

/// Ports that a store implements.
trait Rows:
    Projects
    + Attempts
    + Deliveries
    + Outbox
    + Leaders
    + Directory
    + chorus_core::port::Audit
    + Keys
    + ArtifactStore
    + Waits
    + Workers
{
}
impl<T> Rows for T where
    T: Projects
        + Attempts
        + Deliveries
        + Outbox
        + Leaders
        + Directory
        + chorus_core::port::Audit
        + Keys
        + ArtifactStore
        + Waits
        + Workers
{
}

impl EmbeddedServices {
    /// Opens the store in a folder and starts every service.
    pub(crate) async fn open(kind: Kind, folder: &Path) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(MachineClock);
        match kind {
            Kind::Memory => {
                let store = Arc::new(memory::Store::new(Arc::clone(&clock)));
                Self::start(store.clone(), store, clock).await
            }
            Kind::Sqlite => {
                let store = Store::open(
                    DatabaseUrl::Sqlite(folder.join("chorus.db")),
                    Pending::Apply,
                )
                .await?;
                let artifacts = Arc::new(LocalDirectory::open(folder.join("artifacts"))?);
                Self::start(Arc::new(store), artifacts, clock).await
            }
        }
    }

    async fn start<R: Rows + 'static>(
        rows: Arc<R>,
        artifacts: Arc<dyn ArtifactStore>,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let tenant = Tenant::new("bench");
        rows.import(vec![account(&*clock, &tenant)]).await?;
        let limits = Arc::new(Memory::new(Arc::clone(&clock), Start::Full));
        let upstream = Arc::new(Instant {
            clock: Arc::clone(&clock),
            calls: AtomicU64::new(0),
            called: Notify::new(),
        });
        let ports = Ports {
            artifacts,
            upstream: upstream.clone(),
            ..Ports::over_store(
                rows,
                Arc::new(chorus_bus::Embedded::new()),
                limits,
                clock.clone(),
            )
        };
        spawn_services(&ports);
        Ok(Self {
            ports,
            upstream,
            tenant,
        })
    }

    /// Submits a brief with `chapters` chapters.
    pub(crate) async fn submit(&self, chapters: u32) -> anyhow::Result<ProjectId> {
        let options = Options {
            assume: true,
            approve: false,
        };
        let brief = self.put_brief(chapters, options).await?;
        let id = ProjectId::new(self.ports.clock.random_u128());
        let record = record::command(
            EventId::new(self.ports.clock.random_u128()),
            &self.tenant,
            id,
            &ClientCommand::Submit { brief },
        );
        let new = NewProject {
            id,
            tenant: self.tenant.clone(),
            idempotency_key: id.to_string(),
            body: brief,
            budget: MicroUsd::from_dollars(1_000),
            head: self.head(id, brief, options),
            record: record.clone(),
        };
        self.ports.projects.submit(new).await?;
        let Ports {
            bus, outbox, clock, ..
        } = &self.ports;
        relay::publish_committed(&**bus, &**outbox, &**clock, vec![record]).await;
        Ok(id)
    }

    fn head(&self, id: ProjectId, brief: ArtifactHash, options: Options) -> Head {
        Head::new(NewHead {
            id,
            tenant: self.tenant.clone(),
            title: "bench".to_owned(),
            created_at: self.ports.clock.now(),
            brief,
            options,
        })
    }

    /// Stores a brief with a document of `chapters` chapters; returns its hash.
    async fn put_brief(&self, chapters: u32, options: Options) -> anyhow::Result<ArtifactHash> {
        let artifacts = &self.ports.artifacts;
        let text = generated::text(chapters);
        let bytes = text.len() as u64;
        let attachment = Attachment {
            name: "chronicle.md".to_owned(),
            text: artifacts.put(Bytes::from(text)).await?,
            bytes,
        };
        let brief = Brief {
            version: 1,
            text: generated::BRIEF.to_owned(),
            attachments: vec![attachment],
            options,
        };
        Ok(artifacts
            .put(Bytes::from(serde_json::to_vec(&brief)?))
            .await?)
    }

    /// Waits until a project has ended.
    pub(crate) async fn finished(&self, id: ProjectId) -> anyhow::Result<()> {
        loop {
            let loaded = self.ports.projects.load(id).await?;
            if loaded.is_some_and(|loaded| loaded.project.head.is_terminal()) {
                return Ok(());
            }
            self.ports.clock.sleep(Millis(5)).await;
        }
    }
}

/// Starts an orchestrator, a dispatcher and a worker, which run until the process ends.
fn spawn_services(ports: &Ports) {
    let catalog = Arc::new(chorus_upstream::catalog::load());
    let boot = || BootId::new(ports.clock.random_u128());
    let never = std::future::pending::<()>;
    let sizes = Arc::new(chorus_core::sizes::SizeLimits::default());
    tokio::spawn(
        Orchestrator::new(
            ports.clone(),
            chorus_orchestrator::Settings::default(),
            sizes,
        )
        .run(never()),
    );
    let roles = BTreeMap::new();
    tokio::spawn(
        Dispatcher::new(
            ports.clone(),
            chorus_dispatcher::Settings::default(),
            catalog.clone(),
            roles,
            boot(),
        )
        .run(never()),
    );
    tokio::spawn(
        Worker::new(
            ports.clone(),
            catalog,
            chorus_worker::Settings::of_pool(Pool::new(POOL)),
            boot(),
        )
        .run(never()),
    );
}

/// An account without limits.
fn account(clock: &dyn Clock, tenant: &Tenant) -> NewAccount {
    let id = AccountId::new(clock.random_u128());
    NewAccount {
        id,
        tenant: tenant.clone(),
        name: format!("{id}@example.com"),
        owner: "bench".to_owned(),
        entitlement: Entitlement {
            kind: "own".to_owned(),
            attested_by: "bench".to_owned(),
            attested_at: Timestamp(0),
        },
        same_owner_spill: false,
        credentials: vec![NewCredential {
            id: CredentialId::new(clock.random_u128()),
            provider: ProviderId::new("compatible"),
            base_url: Some("http://127.0.0.1:1/v1".to_owned()),
            secret: SealedSecret {
                sealed: String::new(),
                key_id: String::new(),
            },
            fingerprint: id.to_string(),
            earlier_fingerprints: Vec::new(),
            expires_at: None,
            groups: Vec::new(),
        }],
    }
}
