//! The project and task machine: one writer a project, pure, folded from commands and finished attempts.

mod command;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::delivery::TaskKind;
use crate::id::{AttemptId, ProjectId, TaskId, TaskKey, Tenant};
use crate::money::MicroUsd;
use crate::time::Timestamp;

pub use command::ClientCommand;

/// A project with its tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// Everything but the tasks.
    pub head: Head,
    /// The tasks of all plan versions.
    pub tasks: BTreeMap<TaskId, Task>,
}

/// A project without its tasks. A store keeps it as one JSON text beside a few columns for lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Its id.
    pub id: ProjectId,
    /// Whose it is.
    pub tenant: Tenant,
    /// What it is called.
    pub title: String,
    /// When it was accepted.
    pub created_at: Timestamp,
}

/// A node of the plan. A store keeps it as one JSON text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Its short name in the plan.
    pub key: TaskKey,
    /// What it is for.
    pub kind: TaskKind,
    /// The attempt under way or the last one.
    pub attempt: Option<AttemptId>,
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
    pub over: bool,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// What it has cost so far.
    pub spent: MicroUsd,
}

impl Head {
    /// The state in one word, for lists.
    pub fn state_word(&self) -> &'static str {
        "submitted"
    }

    /// Whether nothing will happen any more.
    pub fn over(&self) -> bool {
        false
    }
}

/// What happened, for the history that clients read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum HistoryEvent {
    /// The project was accepted.
    Submitted,
}
