//! The kinds of tasks and the model role that serves each of them.

use serde::{Deserialize, Serialize};

/// What a task is for; it decides the role and how its result is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Find what is unclear in the brief.
    Clarify,
    /// Split the brief into tasks.
    Plan,
    /// Answer a worker's question.
    Answer,
    /// Make one part of the deliverable.
    Work,
    /// Decide conflicts that rules could not.
    #[serde(alias = "settle")]
    Resolve,
    /// Judge the merged deliverable on its rubric.
    Judge,
}

impl TaskKind {
    /// The role that serves this kind.
    pub const fn role(self) -> ModelRole {
        match self {
            Self::Clarify | Self::Plan | Self::Answer => ModelRole::Planner,
            Self::Work => ModelRole::Writer,
            Self::Resolve => ModelRole::Merger,
            Self::Judge => ModelRole::Judge,
        }
    }
}

/// Which list of models serves a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelRole {
    /// Clarifies, plans, answers questions.
    Planner,
    /// Makes parts.
    Writer,
    /// Settles conflicts.
    Merger,
    /// Judges.
    Judge,
}
