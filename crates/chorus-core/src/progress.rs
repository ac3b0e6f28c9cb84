//! What a running delivery tells those who watch. Lossy on purpose: it travels on the event topic without an
//! outbox, nothing depends on it, and a watcher that missed a piece catches up with the next.

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, AttemptId, Epoch, ModelSlug, ProjectId, TaskId};
use crate::task_kind::TaskKind;

/// The header value `chorus-schema` of records that hold a [`Progress`].
pub const SCHEMA: &str = "progress/1";

/// A running delivery, as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The project.
    pub project: ProjectId,
    /// The task.
    pub task: TaskId,
    /// What the task is for.
    pub kind: TaskKind,
    /// The attempt.
    pub attempt: AttemptId,
    /// Its epoch.
    pub epoch: Epoch,
    /// Which try of the task this is.
    pub number: u32,
    /// Where it runs.
    pub account: AccountId,
    /// The model.
    pub model: ModelSlug,
    /// Characters of the answer so far.
    pub text_chars: u64,
    /// Characters of thinking so far.
    pub reasoning_chars: u64,
    /// Thinking that came since the last piece; sent for planner tasks only, at most 2 KiB.
    #[serde(default)]
    pub reasoning: String,
    /// Whether the call is over.
    pub over: bool,
}
