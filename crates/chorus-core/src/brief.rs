//! What the client wrote: the brief, its attachments, and the sections into which long texts are cut.
//!
//! Sections are found by rules (headings, then size), never by a model, so that a plan can name them.

mod answer;
mod clarification;
mod headings;
mod outline;
pub(crate) mod pieces;
mod tokens;

use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactHash;

pub use answer::{AnswerReply, read_answer};
pub use clarification::{Clarification, read_clarification};
pub use outline::{outline, section_target};
pub use tokens::count_tokens;

/// A brief with its attachments, as submitted. Stored as an artifact; the `Submit` command holds its hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Brief {
    /// Version of this form.
    pub version: u32,
    /// The text.
    pub text: String,
    /// Documents, in the order given.
    pub attachments: Vec<Attachment>,
    /// How the project is to be run.
    pub options: Options,
}

/// One attached document: UTF-8 text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Its path below the attached folder, with `/`.
    pub name: String,
    /// Its text.
    pub text: ArtifactHash,
    /// Bytes of the text.
    pub bytes: u64,
}

/// How a project is to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Do not ask the client: state assumptions instead.
    pub assume: bool,
    /// Wait for the client's approval of plan and estimate before anything but planning is spent.
    pub approve: bool,
}

/// The brief's first heading or line, at most so many letters long: what a project is called until its plan names it.
pub fn title(brief: &str, letters: usize) -> String {
    let line = brief
        .lines()
        .map(|line| line.trim_start_matches(['#', ' ']).trim())
        .find(|line| !line.is_empty());
    line.unwrap_or("project").chars().take(letters).collect()
}

/// Name of a section: `d<document>.<section>`, both from 1, for instance `d1.3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SectionId(pub String);

/// One section of an attachment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Its name.
    pub id: SectionId,
    /// The attachment's name.
    pub document: String,
    /// Its heading, or the document's name with a part number.
    pub title: String,
    /// First byte in the attachment's text.
    pub start: u64,
    /// Byte after its last.
    pub end: u64,
    /// Tokens by the base count.
    pub tokens: u64,
    /// Its first words, at most 160 characters on one line.
    pub opening: String,
}

/// All sections of a brief's attachments, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outline {
    /// The sections.
    pub sections: Vec<Section>,
}

/// A question to the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Its short name, `q1`, `q2`, …
    pub id: String,
    /// The question.
    pub text: String,
    /// What depends on it.
    #[serde(default)]
    pub why: String,
    /// Likely answers.
    #[serde(default)]
    pub options: Vec<String>,
    /// What is assumed when nobody answers.
    #[serde(default)]
    pub default: String,
}

/// A question and what the client said, or the assumption that stands in for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The question.
    pub question: Question,
    /// The answer.
    pub answer: String,
    /// Whether nobody was asked and the default was taken.
    pub assumed: bool,
}
