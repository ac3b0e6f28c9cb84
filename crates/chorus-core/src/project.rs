//! The project and task machine: one writer a project, pure, folded from commands and finished attempts.
//!
//! The rows of head and tasks are the truth; [`Project::decide`] answers a command with the rows that change,
//! what clients may read of it, and what is to be done. Nothing here performs an effect, reads a clock or
//! draws an id. Neighbours: `plan`, `merge` and `verdict` hold the rules of what is planned, merged and
//! judged; the orchestrator's shell reads artifacts and commits decisions.

mod command;
mod conflicts;
mod decide;
mod decision_builder;
mod head;
mod history;
mod path;
mod state;
mod table;
mod task;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{ProjectId, TaskId};
use crate::money::MicroUsd;
use crate::time::Timestamp;

pub use crate::plan::PlanEstimate;
pub use command::{ClientCommand, Command, Merge, Planned, Reading};
pub use conflicts::Conflicts;
pub use decide::{DecideContext, Decision, Effect, Queue, Refusal};
pub use head::{Best, Head, NewHead, OpenQuestion, PlanRef};
pub use history::{HistoryEvent, TaskRef};
pub use state::{State, WaitingOn};
pub use table::{PROJECT_ARROWS, TASK_ARROWS};
pub use task::{CurrentAttempt, Rework, Subject, Task, TaskAnswer, TaskState};

/// A project with its tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// Everything but the tasks.
    pub head: Head,
    /// The tasks of all plan versions.
    pub tasks: BTreeMap<TaskId, Task>,
}

/// What a list shows of a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Its id.
    pub id: ProjectId,
    /// What it is called.
    pub title: String,
    /// Its state, in one word.
    pub state: String,
    /// Whether the state is final.
    pub is_terminal: bool,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// What it has cost so far.
    pub spent: MicroUsd,
}

impl Project {
    /// Puts the rows of a decision in place.
    pub fn apply(&mut self, decision: &Decision) {
        self.head.clone_from(&decision.head);
        self.tasks
            .extend(decision.tasks.iter().map(|task| (task.id, task.clone())));
    }

    /// The tasks that stand: those that no later plan version replaced, in order of id.
    pub fn active(&self) -> impl Iterator<Item = &Task> {
        self.tasks
            .values()
            .filter(|task| task.superseded_by.is_none())
    }
}
