//! Merging results into one deliverable: rules first, a model only for the conflicts that rules
//! cannot resolve.
//!
//! A worker's reply is a text and, in a fenced block at its end, the facts and terms it rests on
//! ([`read_result`]). The same fact with two values is a conflict ([`conflicts()`]); it is recorded
//! and resolved once. Merging reads results in plan order, never in order of arrival, so equal
//! results give equal bytes.

mod conflicts;
mod fence;
mod file_text;
mod files;
mod framed;
mod glossary;
mod phrases;
mod reply;
mod resolve;
mod structured;
mod value;

use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactHash;
use crate::id::TaskKey;

pub use conflicts::conflicts;
pub use file_text::{FileText, MergeFault, PartSpan};
pub use files::files;
pub use framed::{FramedFile, JudgeChunk, chunks_to_judge, framed_for_judge, overview_for_judge};
pub use reply::{question, read_result};
pub use resolve::{read_resolutions, resolve_by_rule};

/// A worker's reply, taken apart by [`read_result`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WorkResult {
    /// Text that goes into the deliverable.
    pub text: String,
    /// Facts that the text states or rests on.
    #[serde(default)]
    pub facts: Vec<Fact>,
    /// Terms that the text uses, with their meaning.
    #[serde(default)]
    pub terms: Vec<Term>,
}

/// One fact: two facts with the same subject and different values are a [`Conflict`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Thing that the fact is about, precise enough that equal subjects mean the same thing.
    pub subject: String,
    /// Value of the fact: a number, a date, a name.
    pub value: String,
    /// Sentence of the source.
    #[serde(default)]
    pub quote: String,
}

/// One term and its meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// Term as the text writes it.
    pub term: String,
    /// Meaning of the term in the deliverable.
    pub meaning: String,
}

/// Claims that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// Short name of the conflict, `c1`, `c2`, … in plan order.
    pub id: String,
    /// Thing that the claims are about.
    pub subject: String,
    /// Claims, one for each value, in plan order.
    pub claims: Vec<Claim>,
}

/// One side of a conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Short name of the claim in the conflict: `a`, `b`, …
    pub id: String,
    /// Value that is claimed.
    pub value: String,
    /// Tasks that claim it.
    pub tasks: Vec<TaskKey>,
    /// Sentence of the source.
    pub quote: String,
}

/// Resolution of a conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// Id of the [`Conflict`].
    pub conflict: String,
    /// Id of the [`Claim`] that stands; none when both are kept side by side with a note.
    pub keep: Option<String>,
    /// Reason for the choice.
    pub reason: String,
    /// Source of the choice.
    pub by: ResolvedBy,
}

/// Source of a resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResolvedBy {
    /// A rule: most claims by a clear margin.
    Vote,
    /// The merger model: for one claim, or for keeping both.
    Model,
    /// The merger model named no claim: both are kept.
    #[serde(rename = "nobody")]
    Undecided,
}

/// A merged file of the deliverable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergedFile {
    /// Relative path with `/`.
    pub path: String,
    /// Media type, for instance `text/markdown`.
    pub media_type: String,
    /// Hash of the bytes.
    pub content: ArtifactHash,
    /// Length in bytes.
    pub bytes: u64,
}

/// The deliverable that the client receives. Stored as an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliverable {
    /// Version of this form, 1.
    pub version: u32,
    /// Files, ordered by path.
    pub files: Vec<MergedFile>,
    /// Conflicts that were found.
    pub conflicts: Vec<Conflict>,
    /// Resolution of each conflict.
    #[serde(alias = "settlements")]
    pub resolutions: Vec<Resolution>,
}

#[cfg(test)]
mod tests;
