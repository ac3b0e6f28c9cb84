//! Queued attempts: what the orchestrator creates and what the dispatcher reads.

use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactHash;
use crate::id::{AccountId, AttemptId, Epoch, ProjectId, TaskId, Tenant};
use crate::llm::Request;
use crate::task_kind::TaskKind;
use crate::time::{Millis, Timestamp};

/// The artifact a delivery carries out: the request and what earlier deliveries of the attempt produced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkOrder {
    /// Version of this form.
    pub version: u32,
    /// The call; its model is filled in from the dispatch.
    pub request: Request,
    /// Text that earlier deliveries produced before they were cut by `max_tokens`.
    #[serde(default)]
    pub so_far: String,
}

/// How large a call will be, before any provider is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallSize {
    /// Prompt tokens by the base count.
    pub input: u64,
    /// Produced tokens that the plan expects.
    pub output: u64,
    /// Most tokens that may be produced.
    pub max_tokens: u32,
}

/// An attempt as the orchestrator creates it, in state `Queued` at epoch 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewAttempt {
    /// Its id.
    pub id: AttemptId,
    /// The task.
    pub task: TaskId,
    /// The project.
    pub project: ProjectId,
    /// Whose work it is.
    pub tenant: Tenant,
    /// Version of the plan that the task belongs to; zero before there is one.
    pub plan_version: u32,
    /// What the task is for.
    pub kind: TaskKind,
    /// Which try of the task this is, from 1.
    pub number: u32,
    /// The `WorkOrder`.
    pub order: ArtifactHash,
    /// How large the call will be.
    pub size: CallSize,
    /// Higher goes first.
    pub priority: u8,
    /// Predicted time from here to the project's end along the longest path.
    pub path: Millis,
    /// Not before this time.
    pub not_before: Timestamp,
}

/// A queued attempt as the dispatcher sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuedAttempt {
    /// What the orchestrator asked for; `order` and `not_before` are the newest.
    pub attempt: NewAttempt,
    /// Its epoch.
    pub epoch: Epoch,
    /// When it was queued for the first time.
    pub created_at: Timestamp,
    /// When it was queued last.
    pub queued_at: Timestamp,
    /// Deliveries lost with their workers.
    pub lost: u32,
    /// Deliveries cut by `max_tokens`; those queue ahead of their peers.
    pub continues: u32,
    /// Account that refused the last delivery with a class that may not move to a sibling
    /// (`may_move_to_sibling` of [`FailureRule`](crate::failure::FailureRule)).
    pub refused_by: Option<AccountId>,
}
