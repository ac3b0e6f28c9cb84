//! A node of the plan and its states.

use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactHash;
use crate::attempt::FailureCause;
use crate::id::{AttemptId, TaskId, TaskKey};
use crate::plan::ParentPolicy;
use crate::task_kind::TaskKind;
use crate::time::Millis;

/// A node of the plan, or one of the tasks that make, judge and resolve it. A store keeps it as one JSON text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Its short name; a task that replaces another bears the same.
    pub key: TaskKey,
    /// What it is for.
    pub kind: TaskKind,
    /// The version of the plan that made it.
    pub plan_version: u32,
    /// What people call it.
    pub title: String,
    /// Tasks whose results it reads.
    #[serde(default)]
    pub parents: Vec<TaskId>,
    /// Tasks that read its result.
    #[serde(default)]
    pub children: Vec<TaskId>,
    /// When it may start, given its parents.
    #[serde(default)]
    pub policy: ParentPolicy,
    /// Tokens that its result will have.
    #[serde(default)]
    pub output_tokens: u32,
    /// Predicted time from its start to the plan's end along the longest path.
    #[serde(default)]
    pub path: Millis,
    /// What it is about, where its kind needs to know.
    #[serde(default)]
    pub about: Subject,
    /// What its worker asked and was answered.
    #[serde(default)]
    pub answers: Vec<TaskAnswer>,
    /// Why it is done again, when it replaces another task.
    #[serde(default)]
    pub rework: Option<Rework>,
    /// The task of a later plan version that stands in its place.
    #[serde(default)]
    pub superseded_by: Option<TaskId>,
    /// Where it stands.
    pub state: TaskState,
}

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TaskState {
    /// Its parents' policy does not hold yet.
    Pending {
        /// Parents that succeeded.
        succeeded: u32,
        /// Parents that are over, however they ended.
        over: u32,
    },
    /// It can be done; an attempt is queued or under way unless the project is paused.
    Ready(CurrentAttempt),
    /// Its worker asked something.
    Asking {
        /// The question.
        question: String,
        /// The task that answers it; none while the client is asked.
        answerer: Option<TaskId>,
        /// Which try asked: the next attempt bears the same number.
        number: u32,
    },
    /// It has a result.
    Succeeded {
        /// The attempt that made it.
        attempt: AttemptId,
        /// The text.
        result: ArtifactHash,
    },
    /// It will have no result.
    Failed {
        /// Why.
        cause: FailureCause,
    },
    /// Not wanted any more.
    Cancelled,
    /// Its parents' policy can never hold.
    Skipped,
}

/// A try at a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurrentAttempt {
    /// The attempt.
    pub attempt: AttemptId,
    /// Which try of the task it is, from 1.
    pub number: u32,
    /// What was wrong with the tries before.
    #[serde(default)]
    pub feedback: Vec<String>,
}

/// What a task is about, where its kind needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum Subject {
    /// Its key and title say enough.
    #[default]
    Itself,
    /// An `Answer` task: a worker's question.
    Question {
        /// The task whose worker asked.
        task: TaskId,
        /// The question.
        text: String,
    },
    /// A `Judge` task: one part of the deliverable.
    Part {
        /// Which, from 0.
        number: u32,
        /// Of how many.
        of: u32,
    },
}

/// A worker's question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskAnswer {
    /// The question.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// Whether nobody knew and an assumption stands in.
    #[serde(default)]
    pub assumed: bool,
}

/// Why a task is done again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rework {
    /// The task it replaces.
    pub replaces: TaskId,
    /// What should be different; empty when only its parents changed.
    pub feedback: String,
    /// The result that was not enough.
    #[serde(default)]
    pub previous: Option<ArtifactHash>,
}

impl TaskState {
    /// The state in one word, for the table of arrows.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Ready(_) => "ready",
            Self::Asking { .. } => "asking",
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// Whether nothing will happen any more.
    pub const fn is_terminal(&self) -> bool {
        match self {
            Self::Pending { .. } | Self::Ready(_) | Self::Asking { .. } => false,
            Self::Succeeded { .. } | Self::Failed { .. } | Self::Cancelled | Self::Skipped => true,
        }
    }
}

impl Task {
    /// Its result, if it has one.
    pub const fn result(&self) -> Option<ArtifactHash> {
        match self.state {
            TaskState::Succeeded { result, .. } => Some(result),
            _ => None,
        }
    }

    /// The attempt that may be under way.
    pub const fn current_attempt(&self) -> Option<&CurrentAttempt> {
        match &self.state {
            TaskState::Ready(doing) => Some(doing),
            _ => None,
        }
    }
}
