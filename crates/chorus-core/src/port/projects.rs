//! Projects and their plans: one writer each, at an expected version.

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

/// What the orchestrator and the gateway keep of projects.
#[async_trait]
pub trait Projects: Send + Sync {
    /// Accepts a project: its row at version 0, its budget, its first command in the outbox, all at once.
    /// Idempotent per (tenant, idempotency key).
    async fn submit(&self, new: NewProject) -> Result<Submitted, StoreError>;

    /// Puts a command of a client into the outbox; false when there is no such project in the tenant.
    async fn command(
        &self,
        tenant: &Tenant,
        project: ProjectId,
        record: Record,
    ) -> Result<bool, StoreError>;

    /// The project as it is, with its version.
    async fn load(&self, project: ProjectId) -> Result<Option<Loaded>, StoreError>;

    /// One decision, whole or not at all.
    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError>;

    /// Projects of a tenant, newest first, from the one after `before` on.
    async fn list(
        &self,
        tenant: &Tenant,
        before: Option<Cursor>,
        limit: u32,
    ) -> Result<Vec<Summary>, StoreError>;

    /// What happened after `after`, in order.
    async fn events(
        &self,
        project: ProjectId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError>;
}

/// Everything that happened in a project so far, in order, read page by page.
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

/// A project's place in the list of its tenant: newer ones come first, of one time the greater id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When it was accepted.
    pub created_at: Timestamp,
    /// Which it is.
    pub id: ProjectId,
}

/// A project that is handed in.
#[derive(Debug, Clone, PartialEq)]
pub struct NewProject {
    /// Its id.
    pub id: ProjectId,
    /// Whose it is.
    pub tenant: Tenant,
    /// The client's key: the same key and body give the same project.
    pub idempotency_key: String,
    /// Hash of what was handed in, to tell a repetition from a mistake.
    pub body: ArtifactHash,
    /// Most that may be spent.
    pub budget: MicroUsd,
    /// The project in state `Submitted`.
    pub head: Head,
    /// The `Submit` command's record.
    pub record: Record,
}

/// The answer to a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// Accepted, now or by an earlier call with the same key and body.
    Accepted(ProjectId),
    /// The key was used for another body.
    KeyReused(ProjectId),
}

/// A project with the version it has in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The version.
    pub version: Version,
    /// The last event's place.
    pub seq: Seq,
    /// The project.
    pub project: Project,
}

/// One decision of the orchestrator.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// The project.
    pub project: ProjectId,
    /// The version it was decided on; the row gets the next one.
    pub expected: Version,
    /// The project's new head.
    pub head: Head,
    /// Tasks that changed or are new.
    pub tasks: Vec<Task>,
    /// Attempts to queue.
    pub attempts: Vec<NewAttempt>,
    /// Attempts to cancel, whatever live state they are in; terminal ones stay as they are.
    pub cancel: Vec<AttemptId>,
    /// What happened, with consecutive places after the loaded one.
    pub events: Vec<StoredEvent>,
    /// Records for the outbox.
    pub outbox: Vec<Record>,
    /// Commands and finished attempts that this decision folds.
    pub folded: Vec<EventId>,
}

/// The answer to a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// It is in the store: by this call, or by an earlier one whose reply was lost (recognised by its
    /// `folded` or `events` ids at version `expected + 1`).
    Done(Version),
    /// The row has another version, or one of `folded` was folded before: load again.
    Conflict,
}

/// An event with its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// The project.
    pub project: ProjectId,
    /// Its place, from 1.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub event: HistoryEvent,
}
