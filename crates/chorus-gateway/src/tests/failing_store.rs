//! A store that fails every call, or never answers one.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::{DeliveryRow, EndedCall, LateUsage, Outstanding};
use chorus_core::id::{KeyId, ProjectId, Seq, Tenant};
use chorus_core::money::ProjectMoney;
use chorus_core::port::bus::Record;
use chorus_core::port::deliveries::{ChargedPage, EndPosition};
use chorus_core::port::keys::{ApiKey, KeyHash, NewKey};
use chorus_core::port::projects::{
    Commit, Committed, Cursor, Loaded, NewProject, StoredEvent, Submitted,
};
use chorus_core::port::{ArtifactStore, Deliveries, Keys, Projects, StoreError};
use chorus_core::project::Summary;
use chorus_core::time::Timestamp;

/// Text of the driver's error; no reply may hold it.
pub(super) const DRIVER_TEXT: &str = "FATAL: password authentication failed for user chorus";

/// Kind of failure of a [`FailingStore`].
#[derive(Clone, Copy)]
pub(super) enum FailingStore {
    /// Fails with [`StoreError::Unavailable`].
    Unavailable,
    /// Fails with [`StoreError::Broken`].
    Broken,
    /// Never answers.
    Silent,
}

impl FailingStore {
    async fn fail<T>(self) -> Result<T, StoreError> {
        let driver = std::io::Error::other(DRIVER_TEXT);
        match self {
            Self::Unavailable => Err(StoreError::unavailable(DRIVER_TEXT).caused_by(driver)),
            Self::Broken => Err(StoreError::broken(DRIVER_TEXT).caused_by(driver)),
            Self::Silent => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Projects for FailingStore {
    async fn submit(&self, _: NewProject) -> Result<Submitted, StoreError> {
        self.fail().await
    }

    async fn command(&self, _: &Tenant, _: ProjectId, _: Record) -> Result<bool, StoreError> {
        self.fail().await
    }

    async fn load(&self, _: ProjectId) -> Result<Option<Loaded>, StoreError> {
        self.fail().await
    }

    async fn commit(&self, _: Commit) -> Result<Committed, StoreError> {
        self.fail().await
    }

    async fn list(
        &self,
        _: &Tenant,
        _: Option<Cursor>,
        _: u32,
    ) -> Result<Vec<Summary>, StoreError> {
        self.fail().await
    }

    async fn events(&self, _: ProjectId, _: Seq, _: u32) -> Result<Vec<StoredEvent>, StoreError> {
        self.fail().await
    }
}

#[async_trait]
impl Keys for FailingStore {
    async fn create(&self, _: NewKey) -> Result<(), StoreError> {
        self.fail().await
    }

    async fn find(&self, _: KeyHash) -> Result<Option<ApiKey>, StoreError> {
        self.fail().await
    }

    async fn list(&self, _: &Tenant) -> Result<Vec<ApiKey>, StoreError> {
        self.fail().await
    }

    async fn revoke(&self, _: &Tenant, _: KeyId) -> Result<bool, StoreError> {
        self.fail().await
    }
}

#[async_trait]
impl ArtifactStore for FailingStore {
    async fn put(&self, _: Bytes) -> Result<ArtifactHash, StoreError> {
        self.fail().await
    }

    async fn get(&self, _: ArtifactHash) -> Result<Option<Bytes>, StoreError> {
        self.fail().await
    }
}

#[async_trait]
impl Deliveries for FailingStore {
    async fn outstanding(&self) -> Result<Vec<Outstanding>, StoreError> {
        self.fail().await
    }

    async fn of_project(&self, _: ProjectId) -> Result<Vec<DeliveryRow>, StoreError> {
        self.fail().await
    }

    async fn ended_since(&self, _: Timestamp, _: u32) -> Result<Vec<EndedCall>, StoreError> {
        self.fail().await
    }

    async fn charged_since(
        &self,
        _: Timestamp,
        _: Option<EndPosition>,
        _: u32,
    ) -> Result<ChargedPage, StoreError> {
        self.fail().await
    }

    async fn late(&self, _: LateUsage) -> Result<(), StoreError> {
        self.fail().await
    }

    async fn money(&self, _: ProjectId) -> Result<Option<ProjectMoney>, StoreError> {
        self.fail().await
    }
}

/// Projects with events that cannot be read, while everything else works.
pub(super) struct FailingEvents {
    pub(super) healthy: Arc<dyn Projects>,
    pub(super) store: FailingStore,
}

#[async_trait]
impl Projects for FailingEvents {
    async fn submit(&self, new: NewProject) -> Result<Submitted, StoreError> {
        self.healthy.submit(new).await
    }

    async fn command(
        &self,
        tenant: &Tenant,
        project: ProjectId,
        record: Record,
    ) -> Result<bool, StoreError> {
        self.healthy.command(tenant, project, record).await
    }

    async fn load(&self, project: ProjectId) -> Result<Option<Loaded>, StoreError> {
        self.healthy.load(project).await
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        self.healthy.commit(commit).await
    }

    async fn list(
        &self,
        tenant: &Tenant,
        before: Option<Cursor>,
        limit: u32,
    ) -> Result<Vec<Summary>, StoreError> {
        self.healthy.list(tenant, before, limit).await
    }

    async fn events(&self, _: ProjectId, _: Seq, _: u32) -> Result<Vec<StoredEvent>, StoreError> {
        self.store.fail().await
    }
}
