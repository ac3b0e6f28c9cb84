//! The plan: which tasks make which parts of which files. A planner's reply becomes a `Plan` by a ladder of
//! readings, and whatever comes out obeys the rules in `rules`.

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
mod useful;

use serde::{Deserialize, Serialize};

use crate::brief::{Outline, SectionId};
use crate::id::TaskKey;

pub use estimate::{PlanEstimate, estimate};
pub use fallback::fallback;
pub use read::{read, read_leniently};
pub use rules::Violation;

/// What a plan may name and how large it may be.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The sections that tasks may read.
    pub outline: &'a Outline,
    /// How large it may be.
    pub limits: Limits,
}

/// How large a plan and its tasks may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Most tasks.
    pub max_tasks: u32,
    /// Most tokens that one task may produce.
    pub max_output_tokens: u32,
    /// Most tokens of sections and results that one task may read; 60 % of the context of the model that works.
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

/// A plan that was read, and what was mended on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The plan; it obeys every rule.
    pub plan: Plan,
    /// What was dropped, added or changed, in words for people.
    pub warnings: Vec<String>,
}

/// Why a reply is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read a plan: {}", errors.join("; "))]
pub struct Refused {
    /// What is wrong, in words for the planner.
    pub errors: Vec<String>,
}

/// A checked plan. Every parent, section and part it names exists; it has no cycle; every task makes a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this form.
    pub version: u32,
    /// What the project is called.
    pub title: String,
    /// What was taken for granted.
    #[serde(default)]
    pub assumptions: Vec<String>,
    /// What the deliverable must have: the rubric.
    pub requirements: Vec<Requirement>,
    /// The tasks, parents before children.
    pub tasks: Vec<PlannedTask>,
    /// The files of the deliverable.
    pub files: Vec<PlannedFile>,
}

/// One point that the deliverable must satisfy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// Its short name, `r1`, `r2`, …
    pub id: String,
    /// What must hold.
    pub text: String,
}

/// One task of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedTask {
    /// Its short name.
    pub key: TaskKey,
    /// What people call it.
    pub title: String,
    /// What is to be done.
    pub instructions: String,
    /// Sections of attachments that it reads.
    #[serde(default)]
    pub sections: Vec<SectionId>,
    /// Tasks whose results it reads.
    #[serde(default)]
    pub parents: Vec<TaskKey>,
    /// When it may start.
    #[serde(default)]
    pub policy: ParentPolicy,
    /// Requirements that it serves.
    #[serde(default)]
    pub covers: Vec<String>,
    /// How one can tell that it is done.
    #[serde(default)]
    pub acceptance: Vec<String>,
    /// Tokens that its result will have.
    pub output_tokens: u32,
}

/// When a task may start, given its parents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParentPolicy {
    /// All succeeded.
    #[default]
    All,
    /// One succeeded.
    Any,
    /// So many succeeded.
    AtLeast(u32),
    /// All are over, however they ended.
    Settled,
}

impl ParentPolicy {
    /// The same policy, weakened as far as so many parents can satisfy it.
    pub(crate) fn with_parents(self, parents: u32) -> Self {
        match self {
            _ if parents == 0 => Self::All,
            Self::AtLeast(least) => Self::AtLeast(least.clamp(1, parents)),
            Self::All | Self::Any | Self::Settled => self,
        }
    }
}

/// One file of the deliverable and the tasks whose results are its parts, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFile {
    /// Relative path with `/`, no `..`.
    pub path: String,
    /// For instance `text/markdown`.
    pub media_type: String,
    /// The parts.
    pub parts: Vec<Part>,
}

/// One part of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case")]
pub enum Part {
    /// A task's result.
    Task {
        /// The task.
        task: TaskKey,
    },
    /// The glossary made by the merge of the terms that all results named, each defined once.
    Glossary {
        /// Its heading.
        heading: String,
    },
    /// The list of conflicts that were found and how each was settled.
    Conflicts {
        /// Its heading.
        heading: String,
    },
}
