//! JSON bodies of the API, as clients read and write them.
//!
//! Fields that end in `_usd` are US dollars, `_micro_usd` millionths of a dollar, `_ms` milliseconds
//! (`_at_ms`: since the Unix epoch). Fields are only ever added; a reader ignores unknown ones.
//!
//! Deliberately absent: the events of a project, which are
//! [`HistoryEvent`](chorus_core::project::HistoryEvent) as stored.

mod estimate;
mod project;
mod work;

use chorus_core::id::ProjectId;
use serde::{Deserialize, Serialize};

pub use estimate::{Estimate, RoleModels};
pub use project::{
    Links, MoneyResource, PhaseCount, Phases, ProjectList, ProjectResource, QuestionResource,
    SummaryResource, TaskCounts, VerdictResource,
};
pub use work::{DeliverableFile, DeliverableResource, PlanResource, PlanTask};

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

/// Body of `POST /v1/projects` as `application/json`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// Description of what is to be made.
    pub brief: String,
    /// Documents to read, at most 1000.
    #[serde(default)]
    pub attachments: Vec<Document>,
    /// Title; defaults to the first line of the brief.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Budget in US dollars; defaults to `project.budget_usd` of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_usd: Option<f64>,
    /// Replaces questions to the client by stated assumptions.
    #[serde(default)]
    pub assume: bool,
    /// Waits for approval of plan and estimate by default.
    #[serde(default)]
    pub approve: Approval,
}

/// Part `options` of a multipart submission: [`Submission`] without brief and attachments.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmissionOptions {
    /// Title; defaults to the first line of the brief.
    #[serde(default)]
    pub title: Option<String>,
    /// Budget in US dollars; defaults to `project.budget_usd` of the configuration.
    #[serde(default)]
    pub budget_usd: Option<f64>,
    /// Replaces questions to the client by stated assumptions.
    #[serde(default)]
    pub assume: bool,
    /// Waits for approval of plan and estimate by default.
    #[serde(default)]
    pub approve: Approval,
}

/// Handling of the estimate before paid work begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// The project waits until a client approves.
    #[default]
    Ask,
    /// The project goes on without approval.
    Auto,
}

/// An attached document with exactly one of [`text`](Self::text) and [`base64`](Self::base64).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Relative path with `/`, unique in the submission.
    pub name: String,
    /// Content as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Content in base64: UTF-8, or UTF-16 with a byte order mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

/// Body of `POST /v1/projects/{id}/answers`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// Answers by question id.
    #[serde(default)]
    pub answers: std::collections::BTreeMap<String, String>,
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
    pub command: chorus_core::id::EventId,
}
