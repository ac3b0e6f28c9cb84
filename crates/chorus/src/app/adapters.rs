//! The adapters that the [configuration](crate::config) asks for.

use std::sync::Arc;

use anyhow::Context;
use chorus_core::id::Pool;
use chorus_core::port::{ArtifactStore, Bus, Clock, LimitState, StoreError};
use chorus_core::time::Timestamp;
use chorus_limits::Memory;
use chorus_store::sql::{DatabaseUrl, Pending, Store};
use chorus_store::{DataDir, LocalDirectory};

use super::dependency::Dependency;
use super::shared;
use crate::config::{BusKind, Config, LimitsKind};
use crate::failure::{ErrorCode, Failure};

/// Everything outside of this process's memory, and what stands in for it.
pub(super) struct Adapters {
    pub(super) store: Store,
    pub(super) artifacts: Arc<dyn ArtifactStore>,
    pub(super) bus: Arc<dyn Bus>,
    /// Leaves a bus that is shared.
    pub(super) close_bus: Option<shared::Close>,
    pub(super) limits: Arc<dyn LimitState>,
    /// The ledger, when it is in this process.
    pub(super) levels: Option<Arc<Memory>>,
    /// Dependencies that the [health endpoints](crate::health) report.
    pub(super) dependencies: Arc<[Dependency]>,
    /// Time at which the data folder was taken for this process alone; none over a shared database.
    pub(super) alone_since: Option<Timestamp>,
    _folder: Option<DataDir>,
}

impl Adapters {
    pub(super) async fn open(
        config: &Config,
        clock: &Arc<dyn Clock>,
        pending: Pending,
        pools: Vec<Pool>,
    ) -> anyhow::Result<Self> {
        let folder = if config.database.is_shared() {
            None
        } else {
            Some(open_folder(config)?)
        };
        let alone_since = folder.as_ref().map(|_| clock.now());
        let store = Store::open_with(place(config), pending, config.database.connections)
            .await
            .context("cannot open the database")?;
        let mut dependencies = vec![Dependency::database(&store, config.database_name())];
        let artifacts = artifacts(config, &store, &mut dependencies)?;
        let (bus, close_bus) = bus(config, pools, &mut dependencies)?;
        let (limits, levels) = limits(config, clock, &mut dependencies)?;
        Ok(Self {
            store,
            artifacts,
            bus,
            close_bus,
            limits,
            levels,
            dependencies: dependencies.into(),
            alone_since,
            _folder: folder,
        })
    }
}

/// Takes the data folder for this process alone, see [`DataDir`].
pub(crate) fn open_folder(config: &Config) -> anyhow::Result<DataDir> {
    DataDir::open(&config.data.dir).map_err(|error| match error {
        StoreError::Unavailable { .. } => Failure::caused(ErrorCode::DataFolderBusy, error).into(),
        StoreError::Broken { .. } => error.into(),
    })
}

/// Database that the configuration names.
pub(crate) fn place(config: &Config) -> DatabaseUrl {
    if config.database.is_shared() {
        DatabaseUrl::Postgres(config.database.url.expose().to_owned())
    } else {
        DatabaseUrl::Sqlite(config.data.dir.join("chorus.db"))
    }
}

fn artifacts(
    config: &Config,
    store: &Store,
    dependencies: &mut Vec<Dependency>,
) -> anyhow::Result<Arc<dyn ArtifactStore>> {
    if config.artifacts_in_database() {
        return Ok(Arc::new(store.clone()));
    }
    let folder = config.data.dir.join("artifacts");
    let directory = LocalDirectory::open(&folder)?.with_lasting_failure(store.lasting_failure());
    let shown = folder.display().to_string();
    dependencies.push(Dependency::new("artifacts", shown, move || {
        let gone = if folder.is_dir() {
            Ok(())
        } else {
            Err(format!("{} is not there", folder.display()))
        };
        async { gone }
    }));
    Ok(Arc::new(directory))
}

type Transport = (Arc<dyn Bus>, Option<shared::Close>);

fn bus(
    config: &Config,
    pools: Vec<Pool>,
    dependencies: &mut Vec<Dependency>,
) -> anyhow::Result<Transport> {
    match config.bus.kind {
        BusKind::Embedded => Ok((Arc::new(chorus_bus::Embedded::new()), None)),
        BusKind::Kafka => {
            let shared = shared::kafka(&config.bus, pools)?;
            dependencies.push(shared.dependency);
            Ok((shared.bus, Some(shared.close)))
        }
    }
}

type Ledger = (Arc<dyn LimitState>, Option<Arc<Memory>>);

fn limits(
    config: &Config,
    clock: &Arc<dyn Clock>,
    dependencies: &mut Vec<Dependency>,
) -> anyhow::Result<Ledger> {
    match config.limits.kind {
        LimitsKind::Memory => {
            let levels = Arc::new(Memory::lost(Arc::clone(clock)));
            Ok((levels.clone(), Some(levels)))
        }
        LimitsKind::Redis => {
            let shared = shared::redis(&config.limits, clock)?;
            dependencies.push(shared.dependency);
            Ok((shared.limits, None))
        }
    }
}
