//! The judge's answer on the rubric, and its consequence: accept, rework named tasks, or stop with
//! the best so far.
//!
//! [`check()`] finds defects without a model, [`read()`] reads a judge's answer, and [`rule`] decides.

mod check;
mod read;
mod ruling;
mod unite;

use serde::{Deserialize, Serialize};

use crate::id::TaskKey;

pub use check::{SyntaxCheck, SyntaxFault, check};
pub use read::{read, read_final};
pub(crate) use ruling::defect;
pub use ruling::{ReworkHistory, Ruling, is_better, redo, rule, score};
pub use unite::{closed, decided, unite};

/// Answer of the judge, one item for each requirement.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// Items, in the order of the plan's requirements.
    pub items: Vec<VerdictItem>,
    /// Requirements that what was read could not decide. Nothing undecided is accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undecided: Vec<Undecided>,
}

/// A requirement that is neither met nor unmet as far as a judge or a check could see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undecided {
    /// Id of the [`Requirement`](crate::plan::Requirement).
    pub requirement: String,
    /// Findings so far; empty when nothing was said about it.
    #[serde(default)]
    pub note: String,
}

/// Answer of the judge on one requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictItem {
    /// Id of the [`Requirement`](crate::plan::Requirement).
    pub requirement: String,
    /// True if the requirement is satisfied.
    pub met: bool,
    /// Quotation of the deliverable that shows it, or a description of what is missing.
    pub evidence: String,
    /// Tasks to be done again; empty when the requirement is met.
    #[serde(default)]
    pub redo: Vec<TaskKey>,
    /// Change that the next try should make.
    #[serde(default)]
    pub feedback: String,
}

#[cfg(test)]
mod tests;
