//! The states of a project, each with the facts of that state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactHash;
use crate::id::TaskId;
use crate::verdict::Verdict;

/// Where a project stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Accepted, not begun.
    Submitted,
    /// The planner looks for what is unclear.
    Clarifying {
        /// The task.
        task: TaskId,
    },
    /// Nothing can go on before the client answers the head's open questions.
    WaitingClient {
        /// What waits.
        waits: WaitingOn,
    },
    /// The planner splits the brief.
    Planning {
        /// The task.
        task: TaskId,
    },
    /// The client looks at plan and estimate.
    WaitingApproval,
    /// Tasks are done.
    Running,
    /// Nothing new is started until the client says so.
    Paused {
        /// The live state that it goes back to, never `Paused` itself.
        was: Box<State>,
    },
    /// Results become a deliverable; a model resolves what rules could not.
    Merging {
        /// The task that resolves.
        resolve: TaskId,
    },
    /// The judge reads the deliverable.
    Evaluating {
        /// What is judged.
        deliverable: ArtifactHash,
        /// What the programmatic checks found.
        check: Verdict,
        /// How many judge tasks read it.
        parts: u32,
        /// The judge's answers so far, by judge task; none where no answer could be read.
        verdicts: BTreeMap<TaskId, Option<Verdict>>,
    },
    /// Delivered and accepted.
    Done {
        /// The [`Deliverable`](crate::merge::Deliverable).
        deliverable: ArtifactHash,
    },
    /// Delivered with defects.
    Partial {
        /// The best [`Deliverable`](crate::merge::Deliverable) there was.
        deliverable: ArtifactHash,
        /// What is wrong with it.
        defects: Vec<String>,
    },
    /// Nothing could be delivered.
    Failed {
        /// Why.
        why: String,
    },
    /// The client did not want it any more.
    Cancelled,
}

/// What waits for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingOn {
    /// Planning, for what is unclear in the brief.
    Planning,
    /// Tasks, for what their workers asked.
    Tasks,
}

impl State {
    /// The state in one word, for lists and the table of arrows.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Clarifying { .. } => "clarifying",
            Self::WaitingClient { .. } => "waiting_client",
            Self::Planning { .. } => "planning",
            Self::WaitingApproval => "waiting_approval",
            Self::Running => "running",
            Self::Paused { .. } => "paused",
            Self::Merging { .. } => "merging",
            Self::Evaluating { .. } => "evaluating",
            Self::Done { .. } => "done",
            Self::Partial { .. } => "partial",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing will happen any more.
    pub const fn is_terminal(&self) -> bool {
        match self {
            Self::Done { .. } | Self::Partial { .. } | Self::Failed { .. } | Self::Cancelled => {
                true
            }
            Self::Submitted
            | Self::Clarifying { .. }
            | Self::WaitingClient { .. }
            | Self::Planning { .. }
            | Self::WaitingApproval
            | Self::Running
            | Self::Paused { .. }
            | Self::Merging { .. }
            | Self::Evaluating { .. } => false,
        }
    }
}
