//! State of a running delivery, for readers of a project's events. Lossy on purpose:
//! [`record::progress`](crate::record::progress) puts it on the event topic without an outbox,
//! nothing depends on it, and a reader that missed one catches up with the next.

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, AttemptId, Epoch, ModelSlug, ProjectId, TaskId};
use crate::task_kind::TaskKind;

/// Value of the header `chorus-schema` of records that hold a [`Progress`].
pub const SCHEMA: &str = "progress/1";

/// A running delivery at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Project of the task.
    pub project: ProjectId,
    /// Task of the attempt.
    pub task: TaskId,
    /// Kind of the task.
    pub kind: TaskKind,
    /// Attempt that runs.
    pub attempt: AttemptId,
    /// Epoch of the delivery.
    pub epoch: Epoch,
    /// Number of the try of the task, from 1.
    pub number: u32,
    /// Account that the call runs on.
    pub account: AccountId,
    /// Model that the call runs on.
    pub model: ModelSlug,
    /// Number of characters of the answer so far.
    pub text_chars: u64,
    /// Number of characters of thinking so far.
    pub reasoning_chars: u64,
    /// Thinking since the last progress, at most 2 KiB; empty but for planner tasks.
    #[serde(default)]
    pub reasoning: String,
    /// True if the call has ended.
    #[serde(rename = "over")]
    pub has_ended: bool,
}
