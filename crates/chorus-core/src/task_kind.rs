//! The kinds of tasks and the model role that serves each of them.

use serde::{Deserialize, Serialize};

/// Kind of a task; it decides the [`ModelRole`] and the reader of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Finds points of the brief that are unclear.
    Clarify,
    /// Splits the brief into tasks.
    Plan,
    /// Answers a worker's question.
    Answer,
    /// Makes one part of the deliverable.
    Work,
    /// Decides conflicts that rules could not resolve.
    #[serde(alias = "settle")]
    Resolve,
    /// Judges the merged deliverable on its rubric.
    Judge,
}

impl TaskKind {
    /// Returns the name that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clarify => "clarify",
            Self::Plan => "plan",
            Self::Answer => "answer",
            Self::Work => "work",
            Self::Resolve => "resolve",
            Self::Judge => "judge",
        }
    }

    /// Returns the role that serves this kind.
    pub const fn role(self) -> ModelRole {
        match self {
            Self::Clarify | Self::Plan | Self::Answer => ModelRole::Planner,
            Self::Work => ModelRole::Writer,
            Self::Resolve => ModelRole::Merger,
            Self::Judge => ModelRole::Judge,
        }
    }
}

/// List of models that serves a task; the configuration names the models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelRole {
    /// Clarifies, plans and answers questions.
    Planner,
    /// Makes parts of the deliverable.
    Writer,
    /// Decides conflicts.
    Merger,
    /// Judges the deliverable.
    Judge,
}
