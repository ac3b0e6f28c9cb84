//! Input and output of a decision: context, rows, history, effects, and the two ways in which none is made.
//!
//! [`Project::decide`](super::Project::decide) makes decisions; the orchestrator commits them.

use super::{Head, HistoryEvent, Task};
use crate::id::{AttemptId, EventId, TaskId, TaskKey};
use crate::merge::Resolution;
use crate::money::MicroUsd;
use crate::state_machine::InvalidTransition;
use crate::task_kind::TaskKind;
use crate::time::{Millis, Timestamp};

/// Priority of attempts at work tasks.
const WORK_PRIORITY: u8 = 100;
/// Priority of all other attempts, since the whole project waits for them.
const STEERING_PRIORITY: u8 = 150;

/// Input of a decision besides the project and the command.
pub struct DecideContext<'a> {
    /// Id of the record that brought the command: the key of deduplication of client commands.
    pub event: EventId,
    /// Time of the decision.
    pub now: Timestamp,
    /// Draws numbers for the ids of new tasks and attempts.
    pub number: &'a mut dyn FnMut() -> u128,
}

/// Rows, history and effects that follow from a command. Committed whole or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// New head of the project.
    pub head: Head,
    /// Changed and new tasks, in order of id.
    pub tasks: Vec<Task>,
    /// New events, in order.
    pub history: Vec<HistoryEvent>,
    /// Effects for the shell, in order.
    pub effects: Vec<Effect>,
    /// Reason the project was stopped, when its rows contradict each other; the shell logs it.
    pub inconsistency: Option<Inconsistency>,
}

/// One thing that the shell does for a [`Decision`].
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Queue an attempt, in the same commit.
    Queue(Queue),
    /// Cancel an attempt, in the same commit; harmless when it has ended.
    Cancel(AttemptId),
    /// Merge the results of the active tasks, and decide [`Merged`](super::Command::Merged) before the
    /// commit.
    Merge {
        /// Resolutions that a model just gave.
        resolutions: Vec<Resolution>,
        /// True if a model may be asked about conflicts that are still open.
        ask_model: bool,
    },
    /// Raise the budget of the project to at least this amount, in the same commit.
    RaiseBudget(MicroUsd),
}

/// An attempt to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Task that waits for the attempt.
    pub task: TaskId,
    /// Id of the attempt.
    pub attempt: AttemptId,
    /// Number of the try, from 1.
    pub number: u32,
    /// Priority; higher goes first.
    pub priority: u8,
    /// Predicted time from here to the project's end along the longest path.
    pub path: Millis,
    /// Time that the attempt waits before its first delivery.
    pub delay: Millis,
}

/// Reason a command does nothing. None of them is an error: commands come late and twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The project is in a final state.
    #[error("the project is {0}")]
    Ended(&'static str),
    /// The command was folded before.
    #[error("the command was folded before")]
    Repeated,
    /// The command has no meaning in this state.
    #[error("{command} means nothing while the project is {state}")]
    NotNow {
        /// Name of the command.
        command: &'static str,
        /// Text of the project's state.
        state: &'static str,
    },
    /// A pause or resume that was given after this one was folded before it.
    #[error("a later pause or resume was folded before it")]
    Overtaken,
    /// No open question has such an id.
    #[error("no such question is open")]
    NothingAsked,
    /// The plan that the command names is not the one that waits.
    #[error("the plan that it names does not wait for approval any more")]
    OtherPlan,
    /// No task has such a key or id, or the command has no effect on it.
    #[error("no task {0} is there that it could change")]
    NoSuchTask(String),
    /// The attempt is not the one that its task waits for.
    #[error("the task does not wait for this attempt")]
    Stale,
}

/// Contradiction in the rows of a project. It stops that project and no other one: the project fails with
/// [`Inconsistency::code`] in its reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistency {
    /// A step that the machine of projects or of tasks does not have.
    #[error(transparent)]
    Transition(#[from] InvalidTransition),
    /// A row names a task that has no row.
    #[error("task {0} has no row")]
    MissingTask(TaskId),
    /// The stored plan names a parent that it does not contain.
    #[error("task {task} of the plan has an unknown parent {parent}")]
    UnknownParent {
        /// Key of the task.
        task: TaskKey,
        /// Key of the parent.
        parent: TaskKey,
    },
    /// A counter of the head does not agree with the tasks.
    #[error("the head counts {value} {counter} tasks, which cannot change by {change}")]
    Counter {
        /// Name of the counter: `unfinished`, `ready` or `held`.
        counter: &'static str,
        /// Value before the step.
        value: u32,
        /// Change that the step makes.
        change: i64,
    },
}

/// Reason that folding a command ended early.
#[derive(Debug)]
pub(super) enum Interrupt {
    /// The command does nothing.
    Refused(Refusal),
    /// The project is stopped.
    Inconsistent(Inconsistency),
}

impl Refusal {
    /// Stable code for clients.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Ended(_) => "ended",
            Self::Repeated => "repeated",
            Self::NotNow { .. } => "wrong_state",
            Self::Overtaken => "overtaken",
            Self::NothingAsked => "nothing_asked",
            Self::OtherPlan => "other_plan",
            Self::NoSuchTask(_) => "no_such_task",
            Self::Stale => "stale",
        }
    }
}

impl Inconsistency {
    /// Stable code for clients and logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Transition(_) => "invalid_transition",
            Self::MissingTask(_) => "missing_task",
            Self::UnknownParent { .. } => "unknown_parent",
            Self::Counter { .. } => "wrong_counter",
        }
    }
}

impl From<Refusal> for Interrupt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Inconsistency> for Interrupt {
    fn from(inconsistency: Inconsistency) -> Self {
        Self::Inconsistent(inconsistency)
    }
}

impl From<InvalidTransition> for Interrupt {
    fn from(invalid: InvalidTransition) -> Self {
        Self::Inconsistent(invalid.into())
    }
}

impl Queue {
    /// The attempt of a task, with the priority of its kind.
    pub(super) const fn of(task: &Task, attempt: AttemptId, number: u32, delay: Millis) -> Self {
        let priority = match task.kind {
            TaskKind::Work => WORK_PRIORITY,
            TaskKind::Clarify
            | TaskKind::Plan
            | TaskKind::Answer
            | TaskKind::Resolve
            | TaskKind::Judge => STEERING_PRIORITY,
        };
        Self {
            task: task.id,
            attempt,
            number,
            priority,
            path: task.path,
            delay,
        }
    }
}
