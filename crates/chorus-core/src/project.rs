//! The machine of a project and its tasks: pure, one writer for each project.
//!
//! The rows of [`Head`] and [`Task`]s are the truth. [`Project::decide`] answers a [`Command`] with a
//! [`Decision`]: the rows that change, the [`HistoryEvent`]s that clients read, and the [`Effect`]s to carry
//! out. Neighbours: [`crate::plan`], [`crate::merge`] and [`crate::verdict`] hold the rules of planning,
//! merging and judging; the orchestrator reads artifacts and commits decisions. Deliberately absent:
//! performing an effect, reading a clock, drawing an id.

mod attention;
mod command;
mod conflicts;
mod decide;
mod decision;
mod decision_builder;
mod head;
mod history;
mod machine;
mod path;
mod state;
mod task;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{ProjectId, TaskId};
use crate::money::MicroUsd;
use crate::time::Timestamp;

pub use crate::plan::PlanEstimate;
pub use attention::{Attention, Choice, Halt, LongWait, Outage, PlanOffer};
pub use command::{ClientCommand, Command, Merge, Planned, Reading, Reopening};
pub use conflicts::Conflicts;
pub use decision::{DecideContext, Decision, Effect, Inconsistency, Queue, Refusal};
pub use head::{Best, Head, NewHead, OpenQuestion, PlanRef};
pub use history::{HistoryEvent, TaskRef};
pub use machine::{PROJECT_ARROWS, PROJECT_MACHINE, TASK_ARROWS, TASK_MACHINE};
pub use path::PLANNED_PACE;
pub use state::{ProjectStateKind, State, WaitingOn};
pub use task::{CurrentAttempt, Rework, Subject, Task, TaskAnswer, TaskState, TaskStateKind};

/// A project with its tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// All facts that are not of a single task.
    pub head: Head,
    /// Tasks of all plan versions, replaced ones included.
    pub tasks: BTreeMap<TaskId, Task>,
}

/// Entry of a project in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Id of the project.
    pub id: ProjectId,
    /// Title for people.
    pub title: String,
    /// Text of the [`ProjectStateKind`].
    pub state: String,
    /// True if the state is final.
    pub is_terminal: bool,
    /// Time of the submission.
    pub created_at: Timestamp,
    /// Money spent so far, waste included.
    pub spent: MicroUsd,
}

impl Project {
    /// Puts the rows of a decision in place.
    pub fn apply(&mut self, decision: &Decision) {
        self.head.clone_from(&decision.head);
        self.tasks
            .extend(decision.tasks.iter().map(|task| (task.id, task.clone())));
    }

    /// Tasks that no later plan version replaced, in order of id.
    pub fn active(&self) -> impl Iterator<Item = &Task> {
        self.tasks
            .values()
            .filter(|task| task.superseded_by.is_none())
    }
}
