//! Results becoming one deliverable: rules first, a model only for the conflicts that rules cannot resolve.
//!
//! A worker's reply is a text and, in a fenced block at its end, the facts and terms it rests on. The same
//! fact with two values is a conflict; it is recorded and resolved once. Merging reads results in plan order,
//! never in order of arrival, so equal results give equal bytes.

mod conflicts;
mod files;
mod framed;
mod json_parts;
mod phrases;
mod reply;
mod resolve;
mod value;

use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactHash;
use crate::id::TaskKey;

pub use conflicts::conflicts;
pub use files::{FileText, PartSpan, files};
pub use framed::{FramedFile, JudgeChunk, framed_for_judge};
pub use reply::{WorkReply, read_reply};
pub use resolve::{read_resolutions, resolve_by_rule};

/// A worker's reply, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WorkResult {
    /// The text that goes into the deliverable.
    pub text: String,
    /// Facts that the text states or rests on.
    #[serde(default)]
    pub facts: Vec<Fact>,
    /// Terms that the text uses, with their meaning.
    #[serde(default)]
    pub terms: Vec<Term>,
}

/// One fact: two facts with the same subject and different values cannot both stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is about, precise enough that equal subjects mean the same thing.
    pub subject: String,
    /// What is said of it: a number, a date, a name.
    pub value: String,
    /// The sentence of the source.
    #[serde(default)]
    pub quote: String,
}

/// One term and its meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// The term.
    pub term: String,
    /// What it means here.
    pub meaning: String,
}

/// Claims that cannot all stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Its short name, `c1`, `c2`, … in plan order.
    pub id: String,
    /// What it is about.
    pub subject: String,
    /// The claims, one for each value, in plan order.
    pub claims: Vec<Claim>,
}

/// One side of a conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Its short name in the conflict: `a`, `b`, …
    pub id: String,
    /// What is claimed.
    pub value: String,
    /// The tasks that claim it.
    pub tasks: Vec<TaskKey>,
    /// The sentence of the source.
    pub quote: String,
}

/// How a conflict was resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// The conflict.
    pub conflict: String,
    /// The claim that stands; none when both are kept side by side with a note.
    pub keep: Option<String>,
    /// Why.
    pub reason: String,
    /// Who resolved it.
    pub by: ResolvedBy,
}

/// Who resolved a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResolvedBy {
    /// A rule: most claims by a clear margin.
    Vote,
    /// The merger model: for one claim, or for keeping both.
    Model,
    /// Nobody could: both are kept.
    Nobody,
}

/// A file of the deliverable, merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergedFile {
    /// Relative path with `/`.
    pub path: String,
    /// For instance `text/markdown`.
    pub media_type: String,
    /// Its bytes.
    pub content: ArtifactHash,
    /// How many.
    pub bytes: u64,
}

/// What the client receives. Stored as an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliverable {
    /// Version of this form.
    pub version: u32,
    /// The files, by path.
    pub files: Vec<MergedFile>,
    /// Conflicts found.
    pub conflicts: Vec<Conflict>,
    /// How each was resolved.
    pub resolutions: Vec<Resolution>,
}

#[cfg(test)]
mod tests;
