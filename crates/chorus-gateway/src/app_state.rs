//! State shared by all handlers: ports, settings, the event hub, and the bounds on concurrent work.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use chorus_core::artifact::ArtifactHash;
use chorus_core::id::{AccountId, ProjectId};
use chorus_core::money::ProjectMoney;
use chorus_core::port::bus::Record;
use chorus_core::port::directory::Account;
use chorus_core::port::keys::Scope;
use chorus_core::port::projects::Loaded;
use chorus_core::port::{Ports, relay};
use chorus_core::project::Head;
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};

use crate::api_error::ApiError;
use crate::caller::Caller;
use crate::error_code::ErrorCode;
use crate::event_hub::EventHub;
use crate::settings::Settings;

/// State of one gateway process.
pub(crate) struct AppState {
    pub(crate) ports: Ports,
    pub(crate) settings: Settings,
    pub(crate) hub: Arc<EventHub>,
    /// Becomes true when the gateway stops.
    pub(crate) stop: watch::Receiver<bool>,
    streams: Arc<Semaphore>,
    uploads: Semaphore,
}

impl AppState {
    pub(crate) fn new(ports: Ports, settings: Settings, stop: watch::Receiver<bool>) -> Self {
        let streams = Arc::new(Semaphore::new(settings.streams));
        let uploads = Semaphore::new(settings.uploads);
        Self {
            ports,
            settings,
            hub: Arc::default(),
            stop,
            streams,
            uploads,
        }
    }

    /// Reads the head of a project of the caller's tenant; another tenant's project is
    /// [`ErrorCode::NoSuchProject`].
    pub(crate) async fn head(&self, caller: &Caller, id: &str) -> Result<Head, ApiError> {
        let none = || ApiError::no_such_project(id);
        let project: ProjectId = id.parse().map_err(|_| none())?;
        let loaded = self.ports.projects.head(project).await?.ok_or_else(none)?;
        if loaded.head.tenant == caller.tenant {
            Ok(loaded.head)
        } else {
            Err(none())
        }
    }

    /// Loads a project with its tasks, as [`AppState::head`] reads its head. Its cost grows with the tasks.
    pub(crate) async fn project(&self, caller: &Caller, id: &str) -> Result<Loaded, ApiError> {
        let none = || ApiError::no_such_project(id);
        let project: ProjectId = id.parse().map_err(|_| none())?;
        let loaded = self.ports.projects.load(project).await?.ok_or_else(none)?;
        if loaded.project.head.tenant == caller.tenant {
            Ok(loaded)
        } else {
            Err(none())
        }
    }

    pub(crate) async fn money(&self, project: ProjectId) -> Result<ProjectMoney, ApiError> {
        let money = self.ports.deliveries.money(project).await?;
        Ok(money.unwrap_or_default())
    }

    /// Reads an artifact that a row refers to; a missing one is [`ErrorCode::ArtifactMissing`].
    pub(crate) async fn bytes(&self, hash: ArtifactHash) -> Result<Bytes, ApiError> {
        self.ports.artifacts.get(hash).await?.ok_or_else(|| {
            tracing::error!(artifact.hash = %hash, "an artifact that a row refers to is missing");
            ApiError::new(
                ErrorCode::ArtifactMissing,
                format!("the artifact {hash} is gone from the store: restore it from a backup"),
            )
        })
    }

    /// Reads an artifact that holds JSON.
    pub(crate) async fn artifact<T: DeserializeOwned>(
        &self,
        hash: ArtifactHash,
    ) -> Result<T, ApiError> {
        serde_json::from_slice(&self.bytes(hash).await?).map_err(|error| {
            tracing::error!(artifact.hash = %hash, artifact.error = %error, "an artifact cannot be read");
            ApiError::new(ErrorCode::ArtifactMissing, format!("the artifact {hash} cannot be read: restore it from a backup"))
        })
    }

    /// The tenant's accounts for a caller with [`Scope::AccountsRead`], and none for others.
    pub(crate) async fn accounts(&self, caller: &Caller) -> Result<Vec<Account>, ApiError> {
        if caller.scopes.allow(Scope::AccountsRead) {
            Ok(self.ports.directory.accounts(&caller.tenant).await?)
        } else {
            Ok(Vec::new())
        }
    }

    /// Names of the accounts that [`AppState::accounts`] returns.
    pub(crate) async fn account_names(
        &self,
        caller: &Caller,
    ) -> Result<BTreeMap<AccountId, String>, ApiError> {
        let accounts = self.accounts(caller).await?.into_iter();
        Ok(accounts.map(|account| (account.id, account.name)).collect())
    }

    /// Publishes a committed record in the background; the orchestrator's sweep sends it again if
    /// this is lost.
    pub(crate) fn publish(&self, record: Record) {
        let Ports {
            bus, outbox, clock, ..
        } = self.ports.clone();
        tokio::spawn(async move {
            relay::publish_committed(&*bus, &*outbox, &*clock, vec![record]).await;
        });
    }

    /// Takes a permit for one event stream, or fails with [`ErrorCode::Busy`].
    pub(crate) fn stream_permit(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        Arc::clone(&self.streams)
            .try_acquire_owned()
            .map_err(|_| ApiError::of(ErrorCode::Busy))
    }

    /// Waits for a permit to read one submission. The request's deadline bounds the wait.
    pub(crate) async fn upload_permit(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        let stopped = |_| ApiError::new(ErrorCode::Busy, "this gateway stops");
        self.uploads.acquire().await.map_err(stopped)
    }
}
