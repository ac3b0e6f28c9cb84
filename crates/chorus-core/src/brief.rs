//! The client's input: the brief, its attachments, and the sections into which long texts are cut.
//!
//! Rules (headings, then size) find the sections, never a model, so that a plan can name them.
//! Neighbours: [`plan`](crate::plan) names sections, [`intake`](crate::intake) bounds what may be
//! submitted.

mod answer;
mod clarification;
mod document_kind;
mod headings;
mod outline;
pub(crate) mod pieces;
mod symbols;
mod tokens;

use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactHash;

pub use answer::{AnswerReply, read_answer};
pub use clarification::{Clarification, read_clarification};
pub use outline::{MAX_OUTLINE_TOKENS, MAX_SECTIONS, outline, section_target};
pub use tokens::count_tokens;

/// A brief with its attachments, as submitted. Stored as an artifact;
/// [`ClientCommand::Submit`](crate::project::ClientCommand::Submit) holds its hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Brief {
    /// Version of this form, 1.
    pub version: u32,
    /// Text of the brief, Markdown or plain.
    pub text: String,
    /// Documents, in the order given.
    pub attachments: Vec<Attachment>,
    /// Options of the run.
    pub options: Options,
}

/// One attached document: UTF-8 text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Path below the attached folder, with `/`.
    pub name: String,
    /// Hash of the text.
    pub text: ArtifactHash,
    /// Length of the text in bytes.
    pub bytes: u64,
}

/// Options of a project's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// True if the client is not asked: assumptions stand in for answers.
    pub assume: bool,
    /// True if the client must approve plan and estimate before anything but planning is spent.
    pub approve: bool,
}

/// Returns the brief's first heading or line, cut to so many letters: the name of a project until
/// its plan names it.
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
    /// Name of the section.
    pub id: SectionId,
    /// Name of the [`Attachment`].
    pub document: String,
    /// Heading of the section, or the document's name with a part number.
    pub title: String,
    /// First byte in the attachment's text.
    pub start: u64,
    /// Byte after the last.
    pub end: u64,
    /// Size in tokens, by [`count_tokens`].
    pub tokens: u64,
    /// First words of the section on one line: its symbols for code, names of files for several
    /// documents.
    pub opening: String,
    /// Further stretches that are read with it, in order: small neighbours were joined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<Stretch>,
}

impl Section {
    /// Returns all stretches of the section, in order.
    pub fn stretches(&self) -> impl Iterator<Item = Stretch> {
        let first = Stretch {
            document: self.document.clone(),
            start: self.start,
            end: self.end,
        };
        std::iter::once(first).chain(self.more.iter().cloned())
    }

    /// Returns true if the section has a stretch of this document.
    pub fn is_of(&self, document: &str) -> bool {
        self.document == document || self.more.iter().any(|more| more.document == document)
    }
}

/// Bytes of one document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// Name of the [`Attachment`].
    pub document: String,
    /// First byte in the attachment's text.
    pub start: u64,
    /// Byte after the last.
    pub end: u64,
}

/// All sections of a brief's attachments, in order. Stored as an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outline {
    /// Sections, document by document, in order.
    pub sections: Vec<Section>,
}

/// A question to the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Short name of the question, `q1`, `q2`, …
    pub id: String,
    /// Text of the question.
    pub text: String,
    /// Reason for asking: the part of the work that depends on the answer.
    #[serde(default)]
    pub why: String,
    /// Likely answers.
    #[serde(default)]
    pub options: Vec<String>,
    /// Assumption that stands in for a missing answer.
    #[serde(default)]
    pub default: String,
}

/// A question with the client's answer, or with the assumption that stands in for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Question that was asked.
    pub question: Question,
    /// Answer of the client, or [`Question::default`].
    pub answer: String,
    /// True if the client gave no answer and the default was taken.
    pub assumed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_the_first_line_that_has_letters() {
        for (brief, expected) in [
            ("# A guide\nto lamps", "A guide"),
            ("\n\n  ## Lamps ", "Lamps"),
            ("Write a guide", "Write a gu"),
            ("Lămpi și faruri", "Lămpi și f"),
            ("#\n\n", "project"),
            ("", "project"),
        ] {
            assert_eq!(title(brief, 10), expected, "{brief:?}");
        }
    }
}
