//! What is planned and what was delivered, as clients see it.

use chorus_core::artifact::ArtifactHash;
use chorus_core::id::{ProjectId, TaskId, TaskKey};
use chorus_core::merge::{Conflict, Resolution};
use chorus_core::plan::Plan;
use chorus_core::project::Task;
use chorus_core::task_kind::TaskKind;
use serde::{Deserialize, Serialize};

/// The plan of a project with its tasks as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanResource {
    /// Its version; grows with every rework.
    pub version: u32,
    /// The plan.
    pub plan: Plan,
    /// The tasks of all its versions, and those around it.
    pub tasks: Vec<PlanTask>,
}

/// A task as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanTask {
    /// Its id.
    pub id: TaskId,
    /// Its short name in the plan.
    pub key: TaskKey,
    /// What it is for.
    pub kind: TaskKind,
    /// What people call it.
    pub title: String,
    /// The version of the plan that made it.
    pub plan_version: u32,
    /// Where it stands.
    pub state: String,
    /// Tasks whose results it reads.
    pub parents: Vec<TaskId>,
    /// The task that stands in its place.
    #[serde(default)]
    pub superseded_by: Option<TaskId>,
}

/// What was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverableResource {
    /// The project.
    pub project: ProjectId,
    /// The files, by path.
    pub files: Vec<DeliverableFile>,
    /// Contradictions in what it is made from.
    pub conflicts: Vec<Conflict>,
    /// How each was resolved.
    pub resolutions: Vec<Resolution>,
}

/// A file of what was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverableFile {
    /// Relative path with `/`.
    pub path: String,
    /// For instance `text/markdown`.
    pub media_type: String,
    /// How many bytes.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: ArtifactHash,
    /// Where the file is.
    pub href: String,
    /// Its text, where it is text and not long.
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
