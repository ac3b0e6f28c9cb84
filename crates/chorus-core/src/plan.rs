//! The plan: tasks, and the files that their results are parts of. [`read()`] makes a [`Plan`] from a
//! planner's reply by a ladder of readings, and every plan obeys the rules that [`Plan::check`]
//! lists.

mod draft;
mod estimate;
mod expand;
mod fallback;
mod files;
mod graph;
mod inputs;
mod near;
mod notes;
mod read;
mod rubric;
mod rules;
#[cfg(test)]
pub(crate) mod sketch;
mod useful;

use serde::{Deserialize, Serialize};

use crate::brief::{Outline, SectionId};
use crate::id::TaskKey;

pub use estimate::{PlanEstimate, estimate};
pub use fallback::fallback;
pub(crate) use files::is_marker;
pub use read::{read, read_leniently};
pub use rules::Violation;

/// Bounds of a plan: names that it may use, and sizes.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// Sections that tasks may read.
    pub outline: &'a Outline,
    /// Sizes of the plan and of its tasks.
    pub limits: Limits,
}

/// Maximum sizes of a plan and of its tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Maximum number of tasks.
    pub max_tasks: u32,
    /// Maximum tokens that one task may produce.
    pub max_output_tokens: u32,
    /// Maximum tokens of sections and results that one task may read; 60 % of the context of the
    /// model that works.
    pub input_tokens: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_tasks: 200,
            max_output_tokens: 8_000,
            input_tokens: 38_000,
        }
    }
}

/// A plan that was read, with warnings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Plan that obeys every rule.
    pub plan: Plan,
    /// Changes that mended the reply, in sentences for people.
    pub warnings: Vec<String>,
}

/// Reason why a reply is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read a plan: {}", errors.join("; "))]
pub struct Refused {
    /// Faults of the reply, in sentences for the planner.
    pub errors: Vec<String>,
}

/// A checked plan. Every parent, section and part it names exists; it has no cycle; every task
/// makes a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this form, 1.
    pub version: u32,
    /// Title of the project.
    pub title: String,
    /// Assumptions of the planner.
    #[serde(default)]
    pub assumptions: Vec<String>,
    /// Rubric: points that the deliverable must satisfy.
    pub requirements: Vec<Requirement>,
    /// Tasks, parents before children.
    pub tasks: Vec<PlannedTask>,
    /// Files of the deliverable.
    pub files: Vec<PlannedFile>,
}

/// One point that the deliverable must satisfy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// Short name of the requirement, `r1`, `r2`, …
    pub id: String,
    /// Statement that must hold.
    pub text: String,
}

/// One task of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedTask {
    /// Short name of the task.
    pub key: TaskKey,
    /// Title for people.
    pub title: String,
    /// Instructions for the worker.
    pub instructions: String,
    /// Sections of attachments that the task reads.
    #[serde(default)]
    pub sections: Vec<SectionId>,
    /// Tasks that must end before this one; it reads their results.
    #[serde(default)]
    pub parents: Vec<TaskKey>,
    /// Condition on the parents under which the task may start.
    #[serde(default)]
    pub policy: ParentPolicy,
    /// Ids of the [`Requirement`]s that the task serves.
    #[serde(default)]
    pub covers: Vec<String>,
    /// Lines by which one can see that the task is done.
    #[serde(default)]
    pub acceptance: Vec<String>,
    /// Expected size of the result, in tokens.
    pub output_tokens: u32,
}

/// Condition on the parents of a task under which it may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParentPolicy {
    /// All parents succeeded.
    #[default]
    All,
    /// One parent succeeded.
    Any,
    /// So many parents succeeded, at least one.
    AtLeast(u32),
    /// All parents have ended, in any state.
    Settled,
}

impl ParentPolicy {
    /// Returns the same policy, weakened as far as so many parents can satisfy it.
    pub(crate) fn with_parents(self, parents: u32) -> Self {
        match self {
            _ if parents == 0 => Self::All,
            Self::AtLeast(least) => Self::AtLeast(least.clamp(1, parents)),
            Self::All | Self::Any | Self::Settled => self,
        }
    }
}

/// One file of the deliverable and its parts, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFile {
    /// Relative path with `/`, without `..`.
    pub path: String,
    /// Media type, for instance `text/markdown`.
    pub media_type: String,
    /// Parts of the file, in order; none for a marker such as `__init__.py` that is to be empty.
    pub parts: Vec<Part>,
}

/// One part of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum Part {
    /// The result of a task.
    Task {
        /// Key of the task.
        task: TaskKey,
    },
    /// The glossary made by the merge of the terms that all results named, each defined once.
    Glossary {
        /// Heading above the glossary.
        heading: String,
    },
    /// The list of conflicts with their resolutions.
    Conflicts {
        /// Heading above the list.
        heading: String,
    },
}
