//! Body of `POST /v1/projects` ([`Submission`]), as JSON or as the parts of a form.

use serde::{Deserialize, Serialize};

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
    /// Waits for approval of plan and [`Estimate`](crate::Estimate) by default.
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
    /// Waits for approval of plan and [`Estimate`](crate::Estimate) by default.
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
