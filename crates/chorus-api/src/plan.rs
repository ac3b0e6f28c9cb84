//! The plan of a project with its tasks ([`PlanResource`]).

use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::FailureCause;
use chorus_core::failure::FailureClass;
use chorus_core::id::{TaskId, TaskKey};
use chorus_core::plan::Plan;
use chorus_core::project::{Task, TaskState};
use chorus_core::task_kind::TaskKind;
use serde::{Deserialize, Serialize};

use super::WaitResource;

/// Body of `GET /v1/projects/{id}/plan`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanResource {
    /// Version of the plan; grows with every rework.
    pub version: u32,
    /// Hash of the newest plan, which an approval names.
    #[serde(default)]
    pub hash: Option<ArtifactHash>,
    /// Newest plan.
    pub plan: Plan,
    /// Tasks of all plan versions, with those that plan, resolve and judge.
    pub tasks: Vec<PlanTask>,
}

/// A task and its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanTask {
    /// Id, `tsk_…`.
    pub id: TaskId,
    /// Short name in the plan; kept by a task that replaces another.
    pub key: TaskKey,
    /// Purpose of the task.
    pub kind: TaskKind,
    /// Title for people.
    pub title: String,
    /// Plan version that created the task.
    pub plan_version: u32,
    /// `pending`, `ready`, `asking`, `held`, `succeeded`, `failed`, `cancelled` or `skipped`.
    pub state: String,
    /// Tasks that this one reads the results of.
    pub parents: Vec<TaskId>,
    /// Task that replaced this one in a rework.
    #[serde(default)]
    pub superseded_by: Option<TaskId>,
    /// Cost of its calls so far, in US dollars.
    #[serde(default)]
    pub cost_usd: f64,
    /// True if a part of the cost rests on tokens that no provider reported, estimated from the texts.
    #[serde(default)]
    pub is_estimated: bool,
    /// Number of its deliveries so far.
    #[serde(default)]
    pub deliveries: u64,
    /// True if a call of it is open.
    #[serde(default)]
    pub is_open: bool,
    /// Reason why it waits for a call, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<WaitResource>,
    /// Reason, in states `failed` and `held` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<TaskError>,
}

/// Reason of a failed task, from the table of failures ([`chorus_core::failure::TABLE`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskError {
    /// Stable code; `docs/errors` has a page for each.
    pub code: String,
    /// HTTP status that a direct call would have ended with.
    pub status: u16,
    /// Sentence for people; its text may change.
    pub message: String,
    /// Kind of the provider's failure, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<FailureClass>,
}

impl From<&FailureCause> for TaskError {
    fn from(cause: &FailureCause) -> Self {
        Self {
            code: cause.code().to_owned(),
            status: cause.http_status(),
            message: cause.to_string(),
            class: cause.failure_class(),
        }
    }
}

impl From<&Task> for PlanTask {
    fn from(task: &Task) -> Self {
        Self {
            id: task.id,
            key: task.key.clone(),
            kind: task.kind,
            title: task.title.clone(),
            plan_version: task.plan_version,
            state: task.state.as_str().to_owned(),
            parents: task.parents.clone(),
            superseded_by: task.superseded_by,
            cost_usd: 0.0,
            is_estimated: false,
            deliveries: 0,
            is_open: false,
            wait: None,
            error: match &task.state {
                TaskState::Failed { cause } | TaskState::Held { cause, .. } => Some(cause.into()),
                _ => None,
            },
        }
    }
}
