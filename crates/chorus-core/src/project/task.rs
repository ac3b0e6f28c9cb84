//! Tasks of a project and their states.
//!
//! The steps between the states are the table [`TASK_ARROWS`](super::TASK_ARROWS). Deliberately absent: one
//! delivery of an attempt, which is the [`attempt`](crate::attempt) machine.

use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactHash;
use crate::attempt::FailureCause;
use crate::id::{AttemptId, TaskId, TaskKey};
use crate::plan::ParentPolicy;
use crate::state_machine::StateKind;
use crate::task_kind::TaskKind;
use crate::time::Millis;
use crate::verdict::Undecided;

/// A node of the plan, or one of the tasks that clarify, plan, answer, resolve and judge. A store keeps
/// the row as one JSON text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Id, unique in the installation.
    pub id: TaskId,
    /// Short name in the plan; a task that replaces another has the same key.
    pub key: TaskKey,
    /// Kind of work, which also selects the prompt.
    pub kind: TaskKind,
    /// Version of the plan that made the task.
    pub plan_version: u32,
    /// Title for people.
    pub title: String,
    /// Tasks that the prompt quotes results of.
    #[serde(default)]
    pub parents: Vec<TaskId>,
    /// Tasks that name this one as a parent.
    #[serde(default)]
    pub children: Vec<TaskId>,
    /// Condition on the parents under which the task becomes ready.
    #[serde(default)]
    pub policy: ParentPolicy,
    /// Expected number of tokens of the result.
    #[serde(default)]
    pub output_tokens: u32,
    /// Predicted time from the start of the task to the plan's end along the longest path.
    #[serde(default)]
    pub path: Millis,
    /// Subject of an answer or judge task.
    #[serde(default)]
    pub about: Subject,
    /// Questions of the task's workers with their answers, oldest first.
    #[serde(default)]
    pub answers: Vec<TaskAnswer>,
    /// Feedback, when the task replaces another one.
    #[serde(default)]
    pub rework: Option<Rework>,
    /// Task of a later plan version that replaces this one.
    #[serde(default)]
    pub superseded_by: Option<TaskId>,
    /// Current state.
    pub state: TaskState,
}

/// State of a task. The serialised form is stored and must stay readable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TaskState {
    /// The policy on the parents does not hold yet.
    Pending {
        /// Number of parents that succeeded.
        succeeded: u32,
        /// Number of parents in a final state, the successful ones included.
        #[serde(rename = "over")]
        ended: u32,
    },
    /// An attempt is queued or under way unless the project is paused.
    Ready(CurrentAttempt),
    /// The worker asked a question; the task waits for the answer.
    Asking {
        /// Text of the question.
        question: String,
        /// Task of kind [`TaskKind::Answer`]; `None` while the client is asked.
        answerer: Option<TaskId>,
        /// Number of the try that asked; the next attempt has the same number.
        number: u32,
        /// Number of the tries up to this one that do not count.
        #[serde(default)]
        uncounted: u32,
    },
    /// No attempt is queued until a person or the end of a condition puts it right.
    Held {
        /// Cause of the last failure.
        cause: FailureCause,
        /// Number of the last try; the next attempt has the next one.
        number: u32,
    },
    /// Ended with a result.
    Succeeded {
        /// Attempt that produced the result.
        attempt: AttemptId,
        /// Hash of the stored text.
        result: ArtifactHash,
    },
    /// Ended without a result.
    Failed {
        /// Cause of the last failure.
        cause: FailureCause,
    },
    /// Dropped: the project ended, the budget is used up, or another task replaces this one.
    Cancelled,
    /// Dropped: the policy on the parents can never hold.
    Skipped,
}

/// Kind of a [`TaskState`], without its facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskStateKind {
    /// [`TaskState::Pending`].
    Pending,
    /// [`TaskState::Ready`].
    Ready,
    /// [`TaskState::Asking`].
    Asking,
    /// [`TaskState::Held`].
    Held,
    /// [`TaskState::Succeeded`].
    Succeeded,
    /// [`TaskState::Failed`].
    Failed,
    /// [`TaskState::Cancelled`].
    Cancelled,
    /// [`TaskState::Skipped`].
    Skipped,
}

/// The attempt that a ready task waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurrentAttempt {
    /// Id of the attempt.
    pub attempt: AttemptId,
    /// Number of the try, from 1.
    pub number: u32,
    /// Number of the tries before this one that do not count: outages, and tries before a retry by the
    /// client.
    #[serde(default)]
    pub uncounted: u32,
    /// Faults of the tries before, for the prompt.
    #[serde(default)]
    pub feedback: Vec<String>,
}

/// Subject of a task, when its key and title do not describe it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum Subject {
    /// Key and title describe the task.
    #[default]
    Itself,
    /// A worker's question, for an answer task.
    Question {
        /// Task of the worker that asked.
        task: TaskId,
        /// Text of the question.
        text: String,
    },
    /// One part of the deliverable, for a judge task.
    Part {
        /// Index of the part, from 0.
        number: u32,
        /// Number of parts.
        of: u32,
    },
    /// Requirements that the judges of parts left undecided, for the judge who decides them.
    Undecided {
        /// Requirements with the findings of those judges.
        requirements: Vec<Undecided>,
    },
}

/// A worker's question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskAnswer {
    /// Text of the question.
    pub question: String,
    /// Text of the answer.
    pub answer: String,
    /// True if an assumption stands in for an answer.
    #[serde(default)]
    pub assumed: bool,
}

/// Reason a task replaces another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rework {
    /// Task that is replaced.
    pub replaces: TaskId,
    /// The judge's feedback; empty when only the parents changed.
    pub feedback: String,
    /// Feedback of earlier rounds, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<String>,
    /// Result of the replaced task.
    #[serde(default)]
    pub previous: Option<ArtifactHash>,
    /// True if the task is replaced only because a parent is: with unchanged results of all parents it keeps
    /// its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_reader: bool,
}

impl Task {
    /// Hash of the result; `None` unless the task succeeded.
    pub const fn result(&self) -> Option<ArtifactHash> {
        match self.state {
            TaskState::Succeeded { result, .. } => Some(result),
            _ => None,
        }
    }

    /// Attempt that may be under way; `None` unless the task is ready.
    pub const fn current_attempt(&self) -> Option<&CurrentAttempt> {
        match &self.state {
            TaskState::Ready(current) => Some(current),
            _ => None,
        }
    }
}

impl TaskState {
    /// State of a new task without parents.
    pub const NEW: Self = Self::Pending {
        succeeded: 0,
        ended: 0,
    };

    /// Kind of the state.
    pub const fn kind(&self) -> TaskStateKind {
        match self {
            Self::Pending { .. } => TaskStateKind::Pending,
            Self::Ready(_) => TaskStateKind::Ready,
            Self::Asking { .. } => TaskStateKind::Asking,
            Self::Held { .. } => TaskStateKind::Held,
            Self::Succeeded { .. } => TaskStateKind::Succeeded,
            Self::Failed { .. } => TaskStateKind::Failed,
            Self::Cancelled => TaskStateKind::Cancelled,
            Self::Skipped => TaskStateKind::Skipped,
        }
    }

    /// Text of the [`kind`](Self::kind), as lists and the public API show it.
    pub const fn as_str(&self) -> &'static str {
        self.kind().as_str()
    }

    /// Returns true if the state is final.
    pub const fn is_terminal(&self) -> bool {
        self.kind().is_terminal()
    }
}

impl TaskStateKind {
    /// All kinds, in the order of a task's life.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Ready,
        Self::Asking,
        Self::Held,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::Skipped,
    ];

    /// Text of the kind, equal to the stored tag of its [`TaskState`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Asking => "asking",
            Self::Held => "held",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// Returns true if the state is final.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Pending | Self::Ready | Self::Asking | Self::Held => false,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::Skipped => true,
        }
    }
}

impl StateKind for TaskStateKind {
    const ALL: &'static [Self] = &Self::ALL;

    fn as_str(self) -> &'static str {
        self.as_str()
    }

    fn is_terminal(self) -> bool {
        self.is_terminal()
    }
}
