//! What travels over the API, as clients read and write it. Money is in US dollars, times are milliseconds since the
//! Unix epoch. Fields are only ever added; a reader passes over those that it does not know.

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

/// The body of every error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What is wrong.
    pub error: Problem,
}

/// What is wrong with a request, or with the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Stable, for programs.
    pub code: String,
    /// For people.
    pub message: String,
    /// Names the request in the gateway's log.
    pub request_id: String,
    /// The field that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The project that holds the key that was used twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
}

/// A project that is handed in, as JSON.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// What is to be made, in the client's own words.
    pub brief: String,
    /// Documents that belong to it.
    #[serde(default)]
    pub attachments: Vec<Document>,
    /// What it is called; else its first line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Most that may be spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_usd: Option<f64>,
    /// Do not ask about what is unclear: state assumptions.
    #[serde(default)]
    pub assume: bool,
    /// Whether the estimate waits for approval.
    #[serde(default)]
    pub approve: Approval,
}

/// The same without brief and attachments: the part `options` of a multipart submission.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmissionOptions {
    /// What it is called; else its first line.
    #[serde(default)]
    pub title: Option<String>,
    /// Most that may be spent.
    #[serde(default)]
    pub budget_usd: Option<f64>,
    /// Do not ask about what is unclear: state assumptions.
    #[serde(default)]
    pub assume: bool,
    /// Whether the estimate waits for approval.
    #[serde(default)]
    pub approve: Approval,
}

/// Whether the estimate waits for approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// It does.
    #[default]
    Ask,
    /// It does not.
    Auto,
}

/// An attached document: UTF-8 text, given as it is or in base64.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Its path below the attached folder, with `/`.
    pub name: String,
    /// Its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Its bytes in base64, instead of `text`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

/// Answers to open questions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// By question id.
    #[serde(default)]
    pub answers: std::collections::BTreeMap<String, String>,
    /// Take the defaults for all other open questions.
    #[serde(default)]
    pub assume_rest: bool,
}

/// A plan that is not fine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// What should be different.
    pub reason: String,
}

/// A command that was taken; its effect shows in the project and its events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandTaken {
    /// The project.
    pub project: ProjectId,
    /// The command's id; the same Idempotency-Key and body give the same.
    pub command: chorus_core::id::EventId,
}
