//! What every handler has before it: ports, settings, the shared tail of events, and how much may be done at once.

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
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::auth::Caller;
use crate::fault::{Code, Fault};
use crate::hub::Hub;
use crate::settings::Settings;

/// Shared by all requests.
pub(crate) struct Desk {
    pub(crate) ports: Ports,
    pub(crate) settings: Settings,
    pub(crate) hub: Arc<Hub>,
    pub(crate) stop: watch::Receiver<bool>,
    streams: Arc<Semaphore>,
    uploads: Semaphore,
}

impl Desk {
    pub(crate) fn new(ports: Ports, settings: Settings, stop: watch::Receiver<bool>) -> Self {
        let (streams, uploads) = (
            Arc::new(Semaphore::new(settings.streams)),
            Semaphore::new(settings.uploads),
        );
        Self {
            ports,
            settings,
            hub: Arc::default(),
            stop,
            streams,
            uploads,
        }
    }

    /// The caller's project of this name; somebody else's is as if it were not there.
    pub(crate) async fn project(&self, caller: &Caller, id: &str) -> Result<Loaded, Fault> {
        let none = || Fault::no_such_project(id);
        let project: ProjectId = id.parse().map_err(|_| none())?;
        let loaded = self.ports.projects.load(project).await?.ok_or_else(none)?;
        if loaded.project.head.tenant == caller.tenant {
            Ok(loaded)
        } else {
            Err(none())
        }
    }

    pub(crate) async fn money(&self, project: ProjectId) -> Result<ProjectMoney, Fault> {
        Ok(self
            .ports
            .deliveries
            .money(project)
            .await?
            .unwrap_or_default())
    }

    /// The bytes of an artifact that a row names.
    pub(crate) async fn bytes(&self, hash: ArtifactHash) -> Result<Bytes, Fault> {
        self.ports.artifacts.get(hash).await?.ok_or_else(|| {
            tracing::error!(artifact.hash = %hash, "an artifact that a row names is missing");
            Fault::new(Code::Internal, format!("the artifact {hash} is missing"))
        })
    }

    /// An artifact that is JSON.
    pub(crate) async fn artifact<T: DeserializeOwned>(
        &self,
        hash: ArtifactHash,
    ) -> Result<T, Fault> {
        serde_json::from_slice(&self.bytes(hash).await?).map_err(|error| {
            tracing::error!(artifact.hash = %hash, artifact.error = %error, "an artifact cannot be read");
            Fault::new(Code::Internal, format!("the artifact {hash} cannot be read"))
        })
    }

    /// The tenant's accounts as far as the caller may know them: all of them, or none.
    pub(crate) async fn accounts(&self, caller: &Caller) -> Result<Vec<Account>, Fault> {
        if caller.scopes.allow(Scope::AccountsRead) {
            Ok(self.ports.directory.accounts(&caller.tenant).await?)
        } else {
            Ok(Vec::new())
        }
    }

    /// The names of those accounts.
    pub(crate) async fn account_names(
        &self,
        caller: &Caller,
    ) -> Result<BTreeMap<AccountId, String>, Fault> {
        Ok(self
            .accounts(caller)
            .await?
            .into_iter()
            .map(|account| (account.id, account.name))
            .collect())
    }

    /// Publishes a record that is committed already, without waiting: the leader sends it again if this is lost.
    pub(crate) fn publish(&self, record: Record) {
        let Ports {
            bus, outbox, clock, ..
        } = self.ports.clone();
        tokio::spawn(async move {
            relay::publish_committed(&*bus, &*outbox, &*clock, vec![record]).await;
        });
    }

    /// Room for one more stream of events.
    pub(crate) fn stream(&self) -> Result<OwnedSemaphorePermit, Fault> {
        let full = |_| {
            Fault::new(
                Code::Busy,
                "too many clients follow projects here; ask another gateway, or again",
            )
        };
        Arc::clone(&self.streams).try_acquire_owned().map_err(full)
    }

    /// Waits for room to read one more submission.
    pub(crate) async fn upload(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Fault> {
        self.uploads
            .acquire()
            .await
            .map_err(|_| Fault::new(Code::Busy, "this gateway stops"))
    }
}
