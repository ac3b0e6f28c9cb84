//! The judge's answer on the rubric, and what follows from it: accept, rework named tasks, or stop with the
//! best so far.

mod check;
mod read;
mod ruling;

use serde::{Deserialize, Serialize};

use crate::id::TaskKey;

pub use check::check;
pub use read::{read, read_whole, unite};
pub use ruling::{Ruling, Standing, rule, score};

/// The judge's answer, one item for each requirement.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// The items.
    pub items: Vec<VerdictItem>,
}

/// The judge's answer on one requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerdictItem {
    /// The requirement.
    pub requirement: String,
    /// Whether it is satisfied.
    pub met: bool,
    /// The words of the deliverable that show it, or what is missing.
    pub evidence: String,
    /// Tasks to be done again; empty when it is met.
    #[serde(default)]
    pub redo: Vec<TaskKey>,
    /// What should be different the next time.
    #[serde(default)]
    pub feedback: String,
}

#[cfg(test)]
mod tests;
