//! BuildOptions the app: what the configuration asks for, behind the ports.

use std::sync::Arc;

use chorus_core::id::Tenant;
use chorus_core::port::{Clock, Ports, Upstream};
use chorus_store::sql::Pending;
use chorus_upstream::{Http, HttpTransport, Parts};
use chorus_vault::DirectorySecrets;

use super::App;
use super::adapters::Adapters;
use super::key;
use crate::clock::SystemClock;
use crate::config::{Config, LOCAL_TENANT};
use crate::crash::{Crash, Wrapped};
use crate::telemetry::Telemetry;

/// Options of a command that builds an [`App`].
#[derive(Default)]
pub(crate) struct BuildOptions {
    /// [`Point`](crate::crash::Point) at which this process kills itself, for tests.
    pub(crate) crash: Option<Crash>,
    /// Metrics that the ports record into.
    pub(crate) telemetry: Option<Arc<Telemetry>>,
    /// Open the rows of a data folder that another process holds, beside it.
    pub(crate) beside_holder: bool,
    /// Bring a shared database up to date instead of refusing one that is not.
    pub(crate) migrate: bool,
}

impl BuildOptions {
    /// A file of one's own is always brought up to date; a database that others use, when it is asked for.
    const fn pending(&self, shared: bool) -> Pending {
        if shared && !self.migrate {
            Pending::Refuse
        } else {
            Pending::Apply
        }
    }
}

impl App {
    /// Opens everything. With SQLite the data folder is taken for this process alone, and what is missing in it is
    /// made; a shared database needs no folder.
    pub(crate) async fn build(config: Config, options: BuildOptions) -> anyhow::Result<Self> {
        let key = key::envelope(&config)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let catalog = Arc::clone(&config.catalog);
        let pending = options.pending(config.database.is_shared());
        let adapters = Adapters::open(
            &config,
            &clock,
            (pending, options.beside_holder),
            catalog.pools(),
        )
        .await?;
        let shared = Arc::new(adapters.store.clone());
        let http = Http::new(Parts {
            catalog: Arc::clone(&catalog),
            transport: Arc::new(HttpTransport::new()?),
            secrets: Arc::new(DirectorySecrets::new(shared.clone(), key.clone())),
            clock: Arc::clone(&clock),
            addresses: config.addresses(),
        });
        let upstream: Arc<dyn Upstream> = Arc::new(http.clone());
        let ports = Wrapped {
            attempts: shared.clone(),
            limits: adapters.limits.clone(),
            bus: adapters.bus.clone(),
            upstream,
        };
        let ports = match options.crash {
            Some(crash) => ports.with(&Arc::new(crash)),
            None => ports,
        };
        let ports = Ports {
            projects: shared.clone(),
            attempts: ports.attempts,
            deliveries: shared.clone(),
            outbox: shared.clone(),
            waits: shared.clone(),
            workers: shared.clone(),
            leaders: shared.clone(),
            directory: shared.clone(),
            audit: shared.clone(),
            keys: shared,
            artifacts: adapters.artifacts.clone(),
            bus: ports.bus,
            limits: ports.limits,
            upstream: ports.upstream,
            clock: Arc::clone(&clock),
        };
        let ports = match options.telemetry {
            Some(telemetry) => telemetry.measure(ports),
            None => ports,
        };
        Ok(Self {
            catalog,
            tenant: Tenant::new(LOCAL_TENANT),
            clock,
            ports,
            adapters,
            key,
            http,
            config,
        })
    }
}
