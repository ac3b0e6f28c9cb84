//! What a command does to a project: which rows change, what clients read of it, and what is to be done.

mod ask;
mod begin;
mod client;
mod finished;
mod judge;
mod merge;
mod plan;
mod question;
pub(super) mod rework;
mod stop;
mod work;

use super::decision_builder::DecisionBuilder;
use super::{Command, Head, HistoryEvent, Project, State, Task};
use crate::id::{AttemptId, EventId, TaskId};
use crate::merge::Resolution;
use crate::task_kind::TaskKind;
use crate::time::Millis;

/// What a decision rests on besides the project and the command.
pub struct DecideContext<'a> {
    /// The record that brought the command: the key of deduplication of client commands.
    pub event: EventId,
    /// Draws numbers for the ids of new tasks and attempts.
    pub number: &'a mut dyn FnMut() -> u128,
}

/// A decision: rows, history, effects. Committed whole or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The project's new head.
    pub head: Head,
    /// Tasks that changed or are new, by id.
    pub tasks: Vec<Task>,
    /// What happened, in order.
    pub history: Vec<HistoryEvent>,
    /// What is to be done, in order.
    pub effects: Vec<Effect>,
}

/// What the shell does for a decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Queue an attempt, in the same commit.
    Queue(Queue),
    /// Cancel an attempt, in the same commit; harmless when it is over.
    Cancel(AttemptId),
    /// Merge the results of the tasks that stand, and decide `Merged` before the commit.
    Merge {
        /// Resolutions that a model just gave.
        resolutions: Vec<Resolution>,
        /// Whether a model may be asked about conflicts that are still open.
        ask_model: bool,
    },
}

/// An attempt to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The task.
    pub task: TaskId,
    /// The attempt's id.
    pub attempt: AttemptId,
    /// Which try of the task it is.
    pub number: u32,
    /// Higher goes first.
    pub priority: u8,
    /// Predicted time from here to the project's end along the longest path.
    pub path: Millis,
}

/// Why a command does nothing. None of them is an error: commands come late and twice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The project is over.
    #[error("the project is {0}")]
    Over(&'static str),
    /// The command was folded before.
    #[error("the command was folded before")]
    Repeated,
    /// The command has no meaning in this state.
    #[error("{command} means nothing while the project is {state}")]
    NotNow {
        /// The command.
        command: &'static str,
        /// The state.
        state: &'static str,
    },
    /// A later word on pausing and resuming was folded before it.
    #[error("a later word was folded before it")]
    Overtaken,
    /// No open question bears such an id.
    #[error("no such question is open")]
    NothingAsked,
    /// The attempt is not the one its task waits for.
    #[error("the task does not wait for this attempt")]
    Stale,
}

/// Tries of one task before it fails.
const TRIES: u32 = 3;
/// Answers of the judge that are read before the programmatic checks decide alone.
const READINGS_OF_JUDGE: u32 = 2;
/// Questions that a worker may ask about one task.
const QUESTIONS: usize = 3;
/// Client commands remembered for deduplication; older ones are known to the store alone.
const REMEMBERED: usize = 256;

/// Priority of work; whatever a whole project waits for goes first.
const WORK_PRIORITY: u8 = 100;
const STEERING_PRIORITY: u8 = 150;

impl Project {
    /// What this command does now.
    pub fn decide<'a>(
        &'a self,
        command: Command,
        given: DecideContext<'a>,
    ) -> Result<Decision, Refusal> {
        if self.head.is_terminal() {
            return Err(Refusal::Over(self.head.state.as_str()));
        }
        let event = given.event;
        let mut builder = DecisionBuilder::new(self, given);
        match command {
            Command::Finished { done, reading } => finished::fold(&mut builder, done, reading)?,
            Command::Merged(merge) => merge::merged(&mut builder, merge)?,
            Command::ArtifactMissing { what } => stop::fail(
                &mut builder,
                format!("{what} is gone from the artifact store"),
            ),
            command => {
                client::remember(&mut builder, event)?;
                client::fold(&mut builder, event, command)?;
            }
        }
        if !builder.head.is_terminal() {
            go_on(&mut builder);
        }
        Ok(builder.finish())
    }
}

/// What follows from the counters once a command is folded.
fn go_on(builder: &mut DecisionBuilder<'_>) {
    match builder.head.state {
        State::WaitingClient {
            waits: super::WaitingOn::Tasks,
        } if builder.head.unfinished == 0 || builder.head.ready > 0 => {
            builder.enter(State::Running);
            go_on(builder);
        }
        State::Running if builder.head.unfinished == 0 => merge::begin(builder),
        State::Running if builder.head.ready == 0 && !builder.head.open.is_empty() => {
            builder.enter(State::WaitingClient {
                waits: super::WaitingOn::Tasks,
            });
        }
        State::Submitted
        | State::Clarifying { .. }
        | State::WaitingClient { .. }
        | State::Planning { .. }
        | State::WaitingApproval
        | State::Running
        | State::Paused { .. }
        | State::Merging { .. }
        | State::Evaluating { .. }
        | State::Done { .. }
        | State::Partial { .. }
        | State::Failed { .. }
        | State::Cancelled => {}
    }
}

impl Queue {
    pub(super) fn of(task: &Task, attempt: AttemptId, number: u32) -> Self {
        let priority = if task.kind == TaskKind::Work {
            WORK_PRIORITY
        } else {
            STEERING_PRIORITY
        };
        Self {
            task: task.id,
            attempt,
            number,
            priority,
            path: task.path,
        }
    }
}
