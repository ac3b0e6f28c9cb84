//! Bodies of commands to a project, and the reply to each ([`CommandAccepted`]).

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::artifact::ArtifactHash;
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
    /// Ids of the questions that `assume_rest` is about; those that are open at acceptance if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub questions: Option<BTreeSet<String>>,
}

/// Body of `POST /v1/projects/{id}/approve`; an empty body is the same as one without a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlanApproval {
    /// Hash of the approved plan, from [`ProjectResource::plan`](crate::ProjectResource::plan); needed once a
    /// second plan was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<ArtifactHash>,
}

/// Body of `POST /v1/projects/{id}/budget`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewBudget {
    /// New maximum that may be spent, above the present one.
    pub budget_usd: f64,
}

/// Body of `POST /v1/projects/{id}/retry` and `/skip`; an empty body is the same as one without a task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskChoice {
    /// Key or id of a task; everything that waits for a person if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
}

/// Body of `POST /v1/projects/{id}/reopen`; an empty body is the same as an empty object.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reopen {
    /// Rounds of rework from here on, at most 10; three if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u32>,
    /// New maximum that may be spent, above the present one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_usd: Option<f64>,
    /// Wanted changes, for the tasks that are done again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
}

/// Body of `POST /v1/projects/{id}/reject`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// Wanted changes, for the planner.
    pub reason: String,
    /// Hash of the rejected plan; the one that waits if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<ArtifactHash>,
}

/// Reply 202 to a command; the effect shows in the project and its events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandAccepted {
    /// Project that will carry it out.
    pub project: ProjectId,
    /// Id of the command; equal for an equal Idempotency-Key and body.
    pub command: EventId,
}
