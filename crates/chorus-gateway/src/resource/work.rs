//! The plan with its tasks ([`PlanResource`]) and the deliverable ([`DeliverableResource`]).

use chorus_core::artifact::ArtifactHash;
use chorus_core::id::{ProjectId, TaskId, TaskKey};
use chorus_core::merge::{Conflict, Resolution};
use chorus_core::plan::Plan;
use chorus_core::project::Task;
use chorus_core::task_kind::TaskKind;
use serde::{Deserialize, Serialize};

/// Body of `GET /v1/projects/{id}/plan`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanResource {
    /// Version of the plan; grows with every rework.
    pub version: u32,
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
    /// `pending`, `ready`, `asking`, `succeeded`, `failed`, `cancelled` or `skipped`.
    pub state: String,
    /// Tasks that this one reads the results of.
    pub parents: Vec<TaskId>,
    /// Task that replaced this one in a rework.
    #[serde(default)]
    pub superseded_by: Option<TaskId>,
}

/// Body of `GET /v1/projects/{id}/deliverable`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverableResource {
    /// Project that made it.
    pub project: ProjectId,
    /// Files, sorted by path.
    pub files: Vec<DeliverableFile>,
    /// Contradictions found between the parts.
    pub conflicts: Vec<Conflict>,
    /// Resolutions of those conflicts.
    pub resolutions: Vec<Resolution>,
}

/// One file of a deliverable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverableFile {
    /// Relative path with `/`.
    pub path: String,
    /// Media type, for instance `text/markdown`.
    pub media_type: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the content, equal to its ETag.
    pub sha256: ArtifactHash,
    /// Address of the file.
    pub href: String,
    /// Content, if it is UTF-8 and the deliverable has at most 8 MiB.
    #[serde(default)]
    pub text: Option<String>,
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
        }
    }
}
