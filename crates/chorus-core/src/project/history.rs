//! What happened, for clients, watchers and reports. Words and ids only; texts are artifacts.

use serde::{Deserialize, Serialize};

use super::{PlanEstimate, Task};
use crate::artifact::ArtifactHash;
use crate::attempt::FailureCause;
use crate::brief::{Answered, Question};
use crate::id::{AttemptId, TaskId, TaskKey};
use crate::merge::{Conflict, Resolution};
use crate::task_kind::TaskKind;
use crate::verdict::Verdict;

/// A task as events name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRef {
    /// Its id.
    pub id: TaskId,
    /// Its short name in the plan.
    pub key: TaskKey,
    /// What it is for.
    pub kind: TaskKind,
    /// What people call it.
    pub title: String,
}

/// What happened, for the history that clients read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum HistoryEvent {
    /// The project was accepted.
    Submitted,
    /// The brief was looked through for what is unclear.
    Clarified {
        /// What is taken for granted.
        assumptions: Vec<String>,
    },
    /// The client is asked.
    QuestionsAsked {
        /// What.
        questions: Vec<Question>,
        /// The task whose worker wants to know; none for questions about the brief.
        #[serde(default)]
        task: Option<TaskRef>,
    },
    /// Questions were answered, or their defaults taken.
    Answered {
        /// What was said.
        answers: Vec<Answered>,
    },
    /// A plan was made.
    Planned {
        /// Its version.
        version: u32,
        /// The stored plan.
        plan: ArtifactHash,
        /// What the project is called from now on.
        title: String,
        /// How many tasks it has.
        tasks: u32,
        /// Whether no reply of the planner could be used and a rule made the plan.
        fallback: bool,
        /// What was repaired.
        warnings: Vec<String>,
        /// What it will take.
        estimate: PlanEstimate,
    },
    /// The client is asked whether the plan is fine.
    ApprovalAsked,
    /// The plan is fine.
    Approved,
    /// The plan is not fine.
    Rejected {
        /// What should be different.
        reason: String,
    },
    /// A task can be done: an attempt was queued.
    TaskReady {
        /// The task.
        task: TaskRef,
        /// The attempt.
        attempt: AttemptId,
        /// Which try of the task it is.
        number: u32,
        /// Why there is another attempt; empty for the first.
        #[serde(default)]
        why: String,
    },
    /// A task has a result.
    TaskSucceeded {
        /// The task.
        task: TaskRef,
        /// The attempt that made it.
        attempt: AttemptId,
        /// The result.
        result: ArtifactHash,
    },
    /// A task will have no result.
    TaskFailed {
        /// The task.
        task: TaskRef,
        /// Why.
        cause: FailureCause,
    },
    /// A worker asked something.
    TaskAsked {
        /// The task.
        task: TaskRef,
        /// The question.
        question: String,
    },
    /// A worker's question was answered.
    TaskAnswered {
        /// The task.
        task: TaskRef,
        /// The question.
        question: String,
        /// The answer.
        answer: String,
        /// Whether nobody knew and an assumption stands in.
        assumed: bool,
    },
    /// A task's parents failed it.
    TaskSkipped {
        /// The task.
        task: TaskRef,
    },
    /// Results contradict each other.
    ConflictFound {
        /// How.
        conflict: Conflict,
    },
    /// A contradiction was resolved.
    ConflictResolved {
        /// How.
        resolution: Resolution,
    },
    /// The results became a deliverable.
    Merged {
        /// The deliverable.
        deliverable: ArtifactHash,
        /// The files in it.
        files: Vec<String>,
        /// Planned parts that have no result.
        missing: Vec<TaskKey>,
    },
    /// The deliverable was judged.
    Judged {
        /// The deliverable.
        deliverable: ArtifactHash,
        /// The judge's answers and the programmatic checks', united.
        verdict: Verdict,
        /// Requirements met, in thousandths.
        score: u32,
        /// Rounds of rework before it.
        round: u32,
    },
    /// Tasks are done again.
    Reworked {
        /// Which round this begins, from 1.
        round: u32,
        /// The plan's new version.
        version: u32,
        /// The tasks and what should be different; empty where only parents changed.
        tasks: Vec<(TaskRef, String)>,
    },
    /// Nothing new is started.
    Paused,
    /// It goes on.
    Resumed,
    /// The money does not cover another call.
    BudgetExhausted,
    /// Delivered and accepted.
    Done {
        /// The deliverable.
        deliverable: ArtifactHash,
    },
    /// Delivered with defects.
    Partial {
        /// The deliverable.
        deliverable: ArtifactHash,
        /// What is wrong with it.
        defects: Vec<String>,
    },
    /// Nothing could be delivered.
    Failed {
        /// Why.
        why: String,
    },
    /// The client did not want it any more.
    Cancelled,
}

impl Task {
    /// The task as events name it.
    pub fn reference(&self) -> TaskRef {
        TaskRef {
            id: self.id,
            key: self.key.clone(),
            kind: self.kind,
            title: self.title.clone(),
        }
    }
}
