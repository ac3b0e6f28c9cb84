//! What clients and finished attempts tell a project.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::delivery::ArtifactHash;

/// What a client asks of a project: the payload of `chorus.project.cmd.v1`. The record's id is the key of
/// deduplication. The submission itself is one, so that losing the bus never loses a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientCommand {
    /// Begin.
    Submit {
        /// The stored [`Brief`](crate::brief::Brief).
        brief: ArtifactHash,
    },
    /// Answers to open questions, by question id.
    Answer {
        /// The answers.
        answers: BTreeMap<String, String>,
        /// Take the defaults for all other open questions.
        #[serde(default)]
        assume_rest: bool,
    },
    /// The plan and its estimate are fine: go on.
    Approve,
    /// The plan is not fine: plan again.
    Reject {
        /// What should be different.
        reason: String,
    },
    /// Start nothing new and stop what runs, until resumed.
    Pause,
    /// Go on.
    Resume,
    /// Stop for good.
    Cancel,
}
