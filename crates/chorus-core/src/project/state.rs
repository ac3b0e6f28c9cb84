//! States of a project, each with the facts of that state, and their kinds without the facts.
//!
//! The steps between them are the table [`PROJECT_ARROWS`](super::PROJECT_ARROWS).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactHash;
use crate::id::TaskId;
use crate::state_machine::StateKind;
use crate::time::Timestamp;
use crate::verdict::Verdict;

use super::Attention;

/// State of a project. The serialised form is stored and must stay readable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Accepted, not begun.
    Submitted,
    /// The planner looks for what is unclear in the brief.
    Clarifying {
        /// Id of the clarify task.
        task: TaskId,
    },
    /// Nothing can go on before the client answers the open questions of the [`Head`](super::Head).
    WaitingClient {
        /// Part of the project that needs the answers.
        waits: WaitingOn,
    },
    /// The planner splits the brief into tasks.
    Planning {
        /// Id of the plan task.
        task: TaskId,
    },
    /// Plan and estimate are ready; the client approves or rejects them.
    WaitingApproval,
    /// Work tasks are done.
    Running,
    /// No attempt is queued until the client resumes the project.
    Paused {
        /// Live state that resuming returns to, never `Paused` itself.
        was: Box<State>,
    },
    /// A person can put right what the project waits for. What can go on goes on meanwhile.
    NeedsAttention {
        /// Time since which this reason holds.
        since: Timestamp,
        /// Reason, with the ways out.
        why: Attention,
        /// Live state that goes on inside, never `NeedsAttention` or `Paused` itself.
        was: Box<State>,
    },
    /// A model resolves the conflicts that rules could not.
    Merging {
        /// Id of the resolve task.
        #[serde(alias = "settle")]
        resolve: TaskId,
    },
    /// The judge reads the deliverable.
    Evaluating {
        /// Hash of the stored [`Deliverable`](crate::merge::Deliverable) that is judged.
        deliverable: ArtifactHash,
        /// Findings of the programmatic checks.
        check: Verdict,
        /// Number of judge tasks, each reading one part.
        parts: u32,
        /// Verdicts so far, by judge task; `None` where no answer could be read.
        verdicts: BTreeMap<TaskId, Option<Verdict>>,
    },
    /// Delivered and accepted.
    Done {
        /// Hash of the stored [`Deliverable`](crate::merge::Deliverable).
        deliverable: ArtifactHash,
    },
    /// Delivered with defects.
    Partial {
        /// Hash of the best stored [`Deliverable`](crate::merge::Deliverable).
        deliverable: ArtifactHash,
        /// Requirements that are not met, for the client.
        defects: Vec<String>,
    },
    /// Ended without a deliverable.
    Failed {
        /// Reason for the client. For unusable rows it begins with the code of the
        /// [`Inconsistency`](super::Inconsistency) and a colon.
        why: String,
    },
    /// Ended by the client.
    Cancelled,
}

/// Part of a project that waits for the client's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingOn {
    /// Planning: something in the brief is unclear.
    Planning,
    /// Tasks: their workers asked something that the planner could not answer.
    Tasks,
}

/// Kind of a project's [`State`], without its facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProjectStateKind {
    /// [`State::Submitted`].
    Submitted,
    /// [`State::Clarifying`].
    Clarifying,
    /// [`State::WaitingClient`].
    WaitingClient,
    /// [`State::Planning`].
    Planning,
    /// [`State::WaitingApproval`].
    WaitingApproval,
    /// [`State::Running`].
    Running,
    /// [`State::Paused`].
    Paused,
    /// [`State::NeedsAttention`].
    NeedsAttention,
    /// [`State::Merging`].
    Merging,
    /// [`State::Evaluating`].
    Evaluating,
    /// [`State::Done`].
    Done,
    /// [`State::Partial`].
    Partial,
    /// [`State::Failed`].
    Failed,
    /// [`State::Cancelled`].
    Cancelled,
}

impl State {
    /// Kind of the state.
    pub const fn kind(&self) -> ProjectStateKind {
        match self {
            Self::Submitted => ProjectStateKind::Submitted,
            Self::Clarifying { .. } => ProjectStateKind::Clarifying,
            Self::WaitingClient { .. } => ProjectStateKind::WaitingClient,
            Self::Planning { .. } => ProjectStateKind::Planning,
            Self::WaitingApproval => ProjectStateKind::WaitingApproval,
            Self::Running => ProjectStateKind::Running,
            Self::Paused { .. } => ProjectStateKind::Paused,
            Self::NeedsAttention { .. } => ProjectStateKind::NeedsAttention,
            Self::Merging { .. } => ProjectStateKind::Merging,
            Self::Evaluating { .. } => ProjectStateKind::Evaluating,
            Self::Done { .. } => ProjectStateKind::Done,
            Self::Partial { .. } => ProjectStateKind::Partial,
            Self::Failed { .. } => ProjectStateKind::Failed,
            Self::Cancelled => ProjectStateKind::Cancelled,
        }
    }

    /// Text of the [`kind`](Self::kind), as lists and the public API show it.
    pub const fn as_str(&self) -> &'static str {
        self.kind().as_str()
    }

    /// Returns true if the state is final. Only a reopening leaves such a state.
    pub const fn is_terminal(&self) -> bool {
        self.kind().is_terminal()
    }

    /// State of the work itself, inside of a pause and of an attention.
    pub fn work(&self) -> &Self {
        match self {
            Self::Paused { was } | Self::NeedsAttention { was, .. } => was.work(),
            state => state,
        }
    }

    /// Attention with the time since which it holds, also inside of a pause.
    pub fn attention(&self) -> Option<(Timestamp, &Attention)> {
        match self {
            Self::Paused { was } => was.attention(),
            Self::NeedsAttention { since, why, .. } => Some((*since, why)),
            _ => None,
        }
    }
}

impl ProjectStateKind {
    /// All kinds, in the order of a project's life.
    pub const ALL: [Self; 14] = [
        Self::Submitted,
        Self::Clarifying,
        Self::WaitingClient,
        Self::Planning,
        Self::WaitingApproval,
        Self::Running,
        Self::Paused,
        Self::NeedsAttention,
        Self::Merging,
        Self::Evaluating,
        Self::Done,
        Self::Partial,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Text of the kind, equal to the stored tag of its [`State`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Clarifying => "clarifying",
            Self::WaitingClient => "waiting_client",
            Self::Planning => "planning",
            Self::WaitingApproval => "waiting_approval",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::NeedsAttention => "needs_attention",
            Self::Merging => "merging",
            Self::Evaluating => "evaluating",
            Self::Done => "done",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns true if the state is final.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Done | Self::Partial | Self::Failed | Self::Cancelled => true,
            Self::Submitted
            | Self::Clarifying
            | Self::WaitingClient
            | Self::Planning
            | Self::WaitingApproval
            | Self::Running
            | Self::Paused
            | Self::NeedsAttention
            | Self::Merging
            | Self::Evaluating => false,
        }
    }
}

impl StateKind for ProjectStateKind {
    const ALL: &'static [Self] = &Self::ALL;

    fn as_str(self) -> &'static str {
        self.as_str()
    }

    fn is_terminal(self) -> bool {
        self.is_terminal()
    }
}
