//! Projects and their plans: each has one writer, which commits at an expected [`Version`].

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::bus::Record;
use crate::artifact::ArtifactHash;
use crate::attempt::NewAttempt;
use crate::id::{AttemptId, EventId, ProjectId, Seq, Tenant, Version};
use crate::money::MicroUsd;
use crate::project::{Head, HistoryEvent, Project, Summary, Task};
use crate::time::Timestamp;

/// Store of projects, for the orchestrator and the gateway.
#[async_trait]
pub trait Projects: Send + Sync {
    /// Accepts a project: its row at version 0, its budget and its first command in the outbox, all
    /// at once. Idempotent per (tenant, idempotency key).
    async fn submit(&self, new: NewProject) -> Result<Submitted, StoreError>;

    /// Puts a client's command into the outbox; false when the tenant has no such project.
    async fn command(
        &self,
        tenant: &Tenant,
        project: ProjectId,
        record: Record,
    ) -> Result<bool, StoreError>;

    /// Returns the project with its version, none if there is no such project.
    async fn load(&self, project: ProjectId) -> Result<Option<Loaded>, StoreError>;

    /// Returns the head of a project with its version, without its tasks; none if there is no such project.
    ///
    /// The provided implementation reads the tasks too; a database reads one row.
    async fn head(&self, project: ProjectId) -> Result<Option<LoadedHead>, StoreError> {
        Ok(self.load(project).await?.map(LoadedHead::from))
    }

    /// Commits one decision, whole or not at all.
    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError>;

    /// Returns at most `limit` projects of a tenant, newest first, after the one at `before`.
    async fn list(
        &self,
        tenant: &Tenant,
        before: Option<Cursor>,
        limit: u32,
    ) -> Result<Vec<Summary>, StoreError>;

    /// Returns at most `limit` events after `after`, in order.
    async fn events(
        &self,
        project: ProjectId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError>;
}

/// Returns all events of a project in order, read page by page.
pub async fn every_event(
    projects: &dyn Projects,
    project: ProjectId,
) -> Result<Vec<StoredEvent>, StoreError> {
    const PAGE: u32 = 1_000;
    let mut all: Vec<StoredEvent> = Vec::new();
    loop {
        let after = all.last().map_or(Seq(0), |event| event.seq);
        let page = projects.events(project, after, PAGE).await?;
        let more = page.len() == PAGE as usize;
        all.extend(page);
        if !more {
            return Ok(all);
        }
    }
}

/// Position of a project in the list of its tenant: newest first, of one time the greater id first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Time at which the project was accepted.
    pub created_at: Timestamp,
    /// Id of the project.
    pub id: ProjectId,
}

/// A project to be submitted.
#[derive(Debug, Clone, PartialEq)]
pub struct NewProject {
    /// Id of the new project.
    pub id: ProjectId,
    /// Tenant that owns the project.
    pub tenant: Tenant,
    /// Key chosen by the client: the same key and body give the same project.
    pub idempotency_key: String,
    /// Hash of the submitted body, which separates a repetition from a mistake.
    pub body: ArtifactHash,
    /// Maximum that may be spent.
    pub budget: MicroUsd,
    /// Head of the project, in state `Submitted`.
    pub head: Head,
    /// Record of the `Submit` command.
    pub record: Record,
}

/// Result of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// Accepted, now or by an earlier call with the same key and body.
    Accepted(ProjectId),
    /// The key was used for another body.
    KeyReused(ProjectId),
}

/// A project with the version that it has in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// Version of the row.
    pub version: Version,
    /// Place of the last event.
    pub seq: Seq,
    /// Head and tasks.
    pub project: Project,
}

/// The head of a project with the version that it has in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedHead {
    /// Version of the row.
    pub version: Version,
    /// Place of the last event.
    pub seq: Seq,
    /// Head without the tasks.
    pub head: Head,
}

impl From<Loaded> for LoadedHead {
    fn from(loaded: Loaded) -> Self {
        Self {
            version: loaded.version,
            seq: loaded.seq,
            head: loaded.project.head,
        }
    }
}

/// One decision of the orchestrator.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// Id of the project.
    pub project: ProjectId,
    /// Version that the decision was made on; the row gets the next one.
    pub expected: Version,
    /// New head of the project.
    pub head: Head,
    /// Tasks that changed or are new.
    pub tasks: Vec<Task>,
    /// Attempts to queue.
    pub attempts: Vec<NewAttempt>,
    /// Attempts to cancel, in any live state; terminal ones stay as they are.
    pub cancel: Vec<AttemptId>,
    /// New events, with consecutive places after [`Loaded::seq`].
    pub events: Vec<StoredEvent>,
    /// Records for the outbox.
    pub outbox: Vec<Record>,
    /// Amount that the budget is raised to; a lower one than the stored is no change.
    pub budget: Option<MicroUsd>,
    /// Ids of commands and finished attempts that the decision folds.
    pub folded: Vec<EventId>,
}

/// Result of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// The decision is in the store: by this call, or by an earlier one with a lost reply
    /// (recognised by its `folded` or `events` ids at version `expected + 1`).
    Done(Version),
    /// The row has another version, or one of `folded` was folded before: the caller loads again.
    Conflict,
}

/// An event with its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// Id of the project.
    pub project: ProjectId,
    /// Place of the event in its project, from 1.
    pub seq: Seq,
    /// Time of the decision that made the event.
    pub at: Timestamp,
    /// Content of the event.
    pub event: HistoryEvent,
}
