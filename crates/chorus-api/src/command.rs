//! Bodies of commands to a project, and the reply to each.

use std::collections::BTreeMap;

use chorus_core::id::{EventId, ProjectId};
use serde::{Deserialize, Serialize};

/// Body of `POST /v1/projects/{id}/answers`, for the questions of [`ProjectResource`](crate::ProjectResource).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// Answers by [`QuestionResource::id`](crate::QuestionResource::id).
    #[serde(default)]
    pub answers: BTreeMap<String, String>,
    /// Takes the defaults of all other open questions.
    #[serde(default)]
    pub assume_rest: bool,
}

/// Body of `POST /v1/projects/{id}/reject`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// Wanted changes, for the planner.
    pub reason: String,
}

/// Reply 202 to a command; the effect shows in the project and its events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandAccepted {
    /// Project that will carry it out.
    pub project: ProjectId,
    /// Id of the command; equal for an equal Idempotency-Key and body.
    pub command: EventId,
}
