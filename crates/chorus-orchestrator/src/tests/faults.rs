//! Ports that fail: sometimes before the operation, sometimes after it.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::{DeliveryRow, EndedCall, LateUsage, Outstanding};
use chorus_core::id::{EventId, ProjectId, Seq, Tenant};
use chorus_core::money::ProjectMoney;
use chorus_core::port::bus::Record;
use chorus_core::port::deliveries::{ChargedPage, EndPosition};
use chorus_core::port::projects::{
    Commit, Committed, Cursor, Loaded, NewProject, StoredEvent, Submitted,
};
use chorus_core::port::{ArtifactStore, Deliveries, Outbox, Projects, StoreError};
use chorus_core::project::Summary;
use chorus_core::time::{Millis, Timestamp};

/// A port behind a bad line.
pub(super) struct Flaky<P> {
    port: P,
    /// Out of a hundred calls, how many fail; half of those after the operation.
    share: Arc<Mutex<(fastrand::Rng, u8)>>,
    /// True while rows of projects cannot be read or written.
    broken: Arc<AtomicBool>,
}

impl<P> Flaky<P> {
    pub(super) fn new(
        port: P,
        share: Arc<Mutex<(fastrand::Rng, u8)>>,
        broken: Arc<AtomicBool>,
    ) -> Self {
        Self {
            port,
            share,
            broken,
        }
    }

    fn check_rows(&self) -> Result<(), StoreError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(StoreError::broken("the head of a project is no JSON"));
        }
        Ok(())
    }

    fn draw(&self) -> Loss {
        let (chance, share) = &mut *self.share.lock().unwrap_or_else(PoisonError::into_inner);
        match chance.u8(0..100) {
            drawn if drawn < *share / 2 => Loss::Before,
            drawn if drawn < *share => Loss::After,
            _ => Loss::Fine,
        }
    }

    async fn through<T>(
        &self,
        operation: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let lost = || Err(StoreError::unavailable("the line broke"));
        match self.draw() {
            Loss::Before => lost(),
            Loss::After => operation.await.and_then(|_| lost()),
            Loss::Fine => operation.await,
        }
    }
}

enum Loss {
    Before,
    After,
    Fine,
}

#[async_trait]
impl<P: Projects> Projects for Flaky<P> {
    async fn submit(&self, new: NewProject) -> Result<Submitted, StoreError> {
        self.through(self.port.submit(new)).await
    }

    async fn command(
        &self,
        tenant: &Tenant,
        project: ProjectId,
        record: Record,
    ) -> Result<bool, StoreError> {
        self.through(self.port.command(tenant, project, record))
            .await
    }

    async fn load(&self, project: ProjectId) -> Result<Option<Loaded>, StoreError> {
        self.check_rows()?;
        self.through(self.port.load(project)).await
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        self.check_rows()?;
        self.through(self.port.commit(commit)).await
    }

    async fn list(
        &self,
        tenant: &Tenant,
        before: Option<Cursor>,
        limit: u32,
    ) -> Result<Vec<Summary>, StoreError> {
        self.through(self.port.list(tenant, before, limit)).await
    }

    async fn events(
        &self,
        project: ProjectId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.through(self.port.events(project, after, limit)).await
    }
}

#[async_trait]
impl<P: ArtifactStore> ArtifactStore for Flaky<P> {
    async fn put(&self, bytes: Bytes) -> Result<ArtifactHash, StoreError> {
        self.through(self.port.put(bytes)).await
    }

    async fn get(&self, hash: ArtifactHash) -> Result<Option<Bytes>, StoreError> {
        self.through(self.port.get(hash)).await
    }
}

#[async_trait]
impl<P: Outbox> Outbox for Flaky<P> {
    async fn unsent(&self, older_than: Millis, limit: u32) -> Result<Vec<Record>, StoreError> {
        self.through(self.port.unsent(older_than, limit)).await
    }

    async fn mark_sent(&self, ids: Vec<EventId>) -> Result<(), StoreError> {
        self.through(self.port.mark_sent(ids)).await
    }

    async fn unfolded(&self, older_than: Millis, limit: u32) -> Result<Vec<Record>, StoreError> {
        self.through(self.port.unfolded(older_than, limit)).await
    }

    async fn forget(&self, older_than: Millis, limit: u32) -> Result<u32, StoreError> {
        self.through(self.port.forget(older_than, limit)).await
    }
}

#[async_trait]
impl<P: Deliveries> Deliveries for Flaky<P> {
    async fn outstanding(&self) -> Result<Vec<Outstanding>, StoreError> {
        self.through(self.port.outstanding()).await
    }

    async fn of_project(&self, project: ProjectId) -> Result<Vec<DeliveryRow>, StoreError> {
        self.through(self.port.of_project(project)).await
    }

    async fn ended_since(
        &self,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<EndedCall>, StoreError> {
        self.through(self.port.ended_since(since, limit)).await
    }

    async fn charged_since(
        &self,
        since: Timestamp,
        after: Option<EndPosition>,
        limit: u32,
    ) -> Result<ChargedPage, StoreError> {
        self.through(self.port.charged_since(since, after, limit))
            .await
    }

    async fn late(&self, late: LateUsage) -> Result<(), StoreError> {
        self.through(self.port.late(late)).await
    }

    async fn money(&self, project: ProjectId) -> Result<Option<ProjectMoney>, StoreError> {
        self.through(self.port.money(project)).await
    }
}
