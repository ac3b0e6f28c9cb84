//! Opening the house: the folder, the key, the database, the adapters.

use std::sync::Arc;

use anyhow::Context;
use chorus_core::port::{ArtifactStore, Clock, Deliveries};
use chorus_limits::{Memory, Start};
use chorus_store::sql::{Pending, Place, Store};
use chorus_store::{DataDir, LocalDirectory};
use chorus_upstream::address::AddressPolicy;
use chorus_upstream::credential::EnvelopeKey;
use chorus_upstream::{DirectorySecrets, Http, HttpTransport, Parts};

use super::House;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::crash::{Crash, Wrapped};

impl House {
    /// Takes the data folder for this process, makes what is missing in it, and opens everything.
    pub(crate) async fn open(config: Config, crash: Option<Crash>) -> anyhow::Result<Self> {
        let folder = DataDir::open(&config.data.dir)?;
        let key = envelope_key(&config)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let file = folder.database();
        let opened = Store::open(Place::Sqlite(file.clone()), Pending::Apply).await;
        let store = opened.with_context(|| format!("cannot open {}", file.display()))?;
        let artifacts: Arc<dyn ArtifactStore> = Arc::new(LocalDirectory::open(folder.artifacts())?);
        let catalog = Arc::new(chorus_upstream::catalog::load());
        let shared = Arc::new(store.clone());
        // Calls of a process that died may still count at their providers: then nothing is thought to be left.
        let start = if shared.outstanding().await?.is_empty() { Start::Full } else { Start::Empty };
        let levels = Arc::new(Memory::new(Arc::clone(&clock), start));
        let secrets = DirectorySecrets::new(shared.clone(), key.clone(), Self::own_tenant());
        let http = Http::new(Parts {
            catalog: Arc::clone(&catalog),
            transport: Arc::new(HttpTransport::new()?),
            secrets: Arc::new(secrets),
            clock: Arc::clone(&clock),
            addresses: AddressPolicy { private_targets: config.network.allow_private },
        });
        let ports = Wrapped {
            attempts: shared.clone(),
            limits: levels.clone(),
            bus: Arc::new(chorus_bus::Embedded::new()),
            upstream: Arc::new(http.clone()),
        };
        let ports = match crash {
            Some(crash) => ports.with(&Arc::new(crash)),
            None => ports,
        };
        Ok(Self {
            catalog,
            tenant: Self::own_tenant(),
            clock,
            projects: shared.clone(),
            attempts: ports.attempts,
            deliveries: shared.clone(),
            outbox: shared.clone(),
            leaders: shared.clone(),
            directory: shared,
            artifacts,
            bus: ports.bus,
            limits: ports.limits,
            upstream: ports.upstream,
            levels,
            store,
            key,
            http,
            _folder: folder,
            config,
        })
    }
}

/// The envelope key: read, or made on the first run, said loudly then unless nothing here is kept.
fn envelope_key(config: &Config) -> anyhow::Result<EnvelopeKey> {
    let file = &config.data.key_file;
    let (key, made) = EnvelopeKey::from_file_or_new(file)?;
    if made && !config.passing {
        eprintln!("A key that seals your credentials was made: {}", file.display());
        eprintln!("Back it up: without it the credentials must be imported again.\n");
    }
    Ok(key)
}
