//! The in-memory store, watched: the ports that change rows.

use std::sync::Arc;

use async_trait::async_trait;
use chorus_core::attempt::{
    Claim, Delivery, DeliveryRow, Dispatch, Dispatched, EndedCall, Finish, Holding, LateUsage,
    Outstanding, QueuedAttempt, Reclaim, Reclaimed,
};
use chorus_core::id::{ProjectId, Seq, Tenant};
use chorus_core::money::ProjectMoney;
use chorus_core::port::attempts::{QueuePage, QueueSelection};
use chorus_core::port::bus::Record;
use chorus_core::port::deliveries::{ChargedPage, EndPosition};
use chorus_core::port::projects::{
    Commit, Committed, Cursor, Loaded, NewProject, StoredEvent, Submitted,
};
use chorus_core::port::{Attempts, Deliveries, Projects, StoreError};
use chorus_core::project::Summary;
use chorus_core::time::Timestamp;
use chorus_store::memory::Store;

use crate::invariant::{Monitor, RowOperation};

/// The in-memory [`Store`] with a [`Monitor`].
#[derive(Clone)]
pub struct WatchedStore {
    store: Store,
    monitor: Arc<Monitor>,
    /// True if a decision that folds a record a second time is refused.
    folded: bool,
}

impl WatchedStore {
    /// Creates a watched store. Without `folded`, a decision is checked against the project's
    /// version only.
    pub const fn new(store: Store, monitor: Arc<Monitor>, folded: bool) -> Self {
        Self {
            store,
            monitor,
            folded,
        }
    }

    fn check(&self, operation: RowOperation<'_>) {
        self.store
            .with_rows(|rows| self.monitor.check_rows(operation, rows));
    }
}

#[async_trait]
impl Attempts for WatchedStore {
    async fn queued(&self, limit: u32) -> Result<Vec<QueuedAttempt>, StoreError> {
        self.store.queued(limit).await
    }

    async fn read_queue(
        &self,
        selection: QueueSelection,
        limit: u32,
    ) -> Result<QueuePage, StoreError> {
        self.store.read_queue(selection, limit).await
    }

    async fn dispatch(&self, batch: Vec<Dispatch>) -> Result<Vec<Dispatched>, StoreError> {
        let answer = self.store.dispatch(batch).await;
        self.check(RowOperation::Other);
        answer
    }

    async fn claim(&self, claim: Claim) -> Result<Option<Box<Delivery>>, StoreError> {
        let answer = self.store.claim(claim.clone()).await;
        let granted = matches!(answer, Ok(Some(_)));
        self.check(if granted {
            RowOperation::Claimed(&claim)
        } else {
            RowOperation::Other
        });
        answer
    }

    async fn beat(&self, held: Vec<Holding>) -> Result<Vec<Holding>, StoreError> {
        self.store.beat(held).await
    }

    async fn finish(&self, finish: Finish) -> Result<bool, StoreError> {
        let answer = self.store.finish(finish.clone()).await;
        let recorded = matches!(answer, Ok(true));
        self.check(if recorded {
            RowOperation::Finished(&finish)
        } else {
            RowOperation::Other
        });
        answer
    }

    async fn reclaim(&self, reclaim: Reclaim) -> Result<Vec<Reclaimed>, StoreError> {
        let answer = self.store.reclaim(reclaim).await;
        self.check(RowOperation::Other);
        answer
    }
}

#[async_trait]
impl Deliveries for WatchedStore {
    async fn outstanding(&self) -> Result<Vec<Outstanding>, StoreError> {
        self.store.outstanding().await
    }

    async fn of_project(&self, project: ProjectId) -> Result<Vec<DeliveryRow>, StoreError> {
        self.store.of_project(project).await
    }

    async fn ended_since(
        &self,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<EndedCall>, StoreError> {
        self.store.ended_since(since, limit).await
    }

    async fn charged_since(
        &self,
        since: Timestamp,
        after: Option<EndPosition>,
        limit: u32,
    ) -> Result<ChargedPage, StoreError> {
        self.store.charged_since(since, after, limit).await
    }

    async fn late(&self, late: LateUsage) -> Result<(), StoreError> {
        let answer = self.store.late(late).await;
        self.check(RowOperation::Other);
        answer
    }

    async fn money(&self, project: ProjectId) -> Result<Option<ProjectMoney>, StoreError> {
        self.store.money(project).await
    }
}

#[async_trait]
impl Projects for WatchedStore {
    async fn submit(&self, new: NewProject) -> Result<Submitted, StoreError> {
        let answer = self.store.submit(new).await;
        self.check(RowOperation::Other);
        answer
    }

    async fn command(
        &self,
        tenant: &Tenant,
        project: ProjectId,
        record: Record,
    ) -> Result<bool, StoreError> {
        self.store.command(tenant, project, record).await
    }

    async fn load(&self, project: ProjectId) -> Result<Option<Loaded>, StoreError> {
        self.store.load(project).await
    }

    async fn commit(&self, mut commit: Commit) -> Result<Committed, StoreError> {
        if !self.folded {
            self.store
                .with_rows(|rows| commit.folded.retain(|id| !rows.folded.contains(id)));
        }
        let (project, expected, folded) = (commit.project, commit.expected, commit.folded.clone());
        let answer = self.store.commit(commit).await;
        let done = matches!(answer, Ok(Committed::Done(_)));
        self.check(if done {
            RowOperation::Committed {
                project,
                expected,
                folded: &folded,
            }
        } else {
            RowOperation::Other
        });
        answer
    }

    async fn list(
        &self,
        tenant: &Tenant,
        before: Option<Cursor>,
        limit: u32,
    ) -> Result<Vec<Summary>, StoreError> {
        self.store.list(tenant, before, limit).await
    }

    async fn events(
        &self,
        project: ProjectId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.store.events(project, after, limit).await
    }
}
