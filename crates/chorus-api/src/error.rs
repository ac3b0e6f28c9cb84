//! Body of every error reply ([`ErrorBody`]).

use chorus_core::id::ProjectId;
use serde::{Deserialize, Serialize};

/// Body of every error reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The only field, so that a body with `error` is never mistaken for a resource.
    pub error: Problem,
}

/// Error of a request. `docs/errors/` has a page for each code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable code, for programs.
    pub code: String,
    /// Sentence for people; its text may change.
    pub message: String,
    /// Id of the request in the gateway's log.
    pub request_id: String,
    /// Path of the wrong field, header or parameter, for instance `attachments[0].name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Project that the error is about, where it helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
}
