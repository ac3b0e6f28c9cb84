//! The adapters that the [configuration](crate::config) asks for.

use std::sync::Arc;

use anyhow::Context;
use chorus_core::id::Pool;
use chorus_core::port::{ArtifactStore, Bus, Clock, LimitState, StoreError};
use chorus_core::time::{Millis, Timestamp};
use chorus_limits::Memory;
use chorus_store::sql::{DatabaseUrl, Pending, Store};
use chorus_store::{DataDir, LocalDirectory};

use super::beside::OutboxOnly;
use super::dependency::Dependency;
use super::shared;
use crate::config::{BusKind, Config, LimitsKind};
use crate::failure::{ErrorCode, Failure};

/// Time for which a data folder that another process holds is tried again.
const HOLDER_LIMIT: Millis = Millis::from_secs(5);

/// Time between two tries.
const HOLDER_POLL: Millis = Millis(100);

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
    /// True if another process holds the data folder.
    pub(super) is_beside_holder: bool,
    _folder: Option<DataDir>,
}

/// Data folder of an app, in so far as it needs one.
enum Folder {
    /// The database is shared.
    Unneeded,
    /// It is held by this process.
    Held(DataDir),
    /// It is held by another process.
    Beside,
}

impl Folder {
    /// Takes the folder; with `beside` a folder that is held by another process is left to it at once. Otherwise it is
    /// tried again for [`HOLDER_LIMIT`], because the holder may be a short command of a second terminal.
    async fn take(config: &Config, clock: &dyn Clock, beside: bool) -> anyhow::Result<Self> {
        if config.database.is_shared() {
            return Ok(Self::Unneeded);
        }
        let end = clock.now() + HOLDER_LIMIT;
        loop {
            match DataDir::open(&config.data.dir) {
                Ok(folder) => return Ok(Self::Held(folder)),
                Err(StoreError::Unavailable { .. }) if beside => return Ok(Self::Beside),
                Err(StoreError::Unavailable { .. }) if clock.now() < end => {
                    clock.sleep(HOLDER_POLL).await;
                }
                Err(error) => return Err(busy(error)),
            }
        }
    }
}

impl Adapters {
    pub(super) async fn open(
        config: &Config,
        clock: &Arc<dyn Clock>,
        (pending, beside): (Pending, bool),
        pools: Vec<Pool>,
    ) -> anyhow::Result<Self> {
        let folder = Folder::take(config, &**clock, beside).await?;
        let is_beside_holder = matches!(folder, Folder::Beside);
        // The holder has migrated its database already.
        let pending = if is_beside_holder {
            Pending::Refuse
        } else {
            pending
        };
        let alone_since = matches!(folder, Folder::Held(_)).then(|| clock.now());
        let store = Store::open_with(place(config), pending, config.database.connections)
            .await
            .context("cannot open the database")?;
        let mut dependencies = vec![Dependency::database(&store, config.database_name())];
        let artifacts = artifacts(config, &store, (is_beside_holder, &mut dependencies))?;
        let (bus, close_bus) = if is_beside_holder {
            (Arc::new(OutboxOnly::new()) as Arc<dyn Bus>, None)
        } else {
            bus(config, pools, &mut dependencies)?
        };
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
            is_beside_holder,
            _folder: match folder {
                Folder::Held(folder) => Some(folder),
                Folder::Unneeded | Folder::Beside => None,
            },
        })
    }
}

/// Takes the data folder for this process alone, see [`DataDir`].
pub(crate) fn open_folder(config: &Config) -> anyhow::Result<DataDir> {
    DataDir::open(&config.data.dir).map_err(busy)
}

/// The error of a folder that cannot be taken.
fn busy(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Unavailable { .. } => Failure::caused(ErrorCode::DataFolderBusy, error).into(),
        StoreError::Broken { .. } => error.into(),
    }
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
    (is_beside_holder, dependencies): (bool, &mut Vec<Dependency>),
) -> anyhow::Result<Arc<dyn ArtifactStore>> {
    if config.artifacts_in_database() {
        return Ok(Arc::new(store.clone()));
    }
    let folder = config.data.dir.join("artifacts");
    let directory = if is_beside_holder {
        LocalDirectory::beside(&folder)?
    } else {
        LocalDirectory::open(&folder)?
    };
    let directory = directory.with_lasting_failure(store.lasting_failure());
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
