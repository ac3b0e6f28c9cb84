//! Events of a project, for clients and reports.
//!
//! Events hold names, numbers and ids; texts are artifacts. The serialised form is stored and published.

use serde::{Deserialize, Serialize};

use super::{Attention, PlanEstimate, Reopening, Task};
use crate::artifact::ArtifactHash;
use crate::attempt::FailureCause;
use crate::brief::{Answered, Question};
use crate::id::{AttemptId, EventId, TaskId, TaskKey};
use crate::merge::{Conflict, Resolution};
use crate::money::MicroUsd;
use crate::task_kind::TaskKind;
use crate::time::Timestamp;
use crate::verdict::Verdict;

/// Name of a task in events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskRef {
    /// Id of the task.
    pub id: TaskId,
    /// Short name in the plan.
    pub key: TaskKey,
    /// Kind of the task.
    pub kind: TaskKind,
    /// Title for people.
    pub title: String,
}

/// One event in the history that clients read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum HistoryEvent {
    /// The project was accepted.
    Submitted,
    /// The planner read the brief for unclear points.
    Clarified {
        /// Assumptions of the planner.
        assumptions: Vec<String>,
    },
    /// Questions wait for the client.
    QuestionsAsked {
        /// Questions with the ids that answers name.
        questions: Vec<Question>,
        /// Task of the worker that asked; `None` for questions about the brief.
        #[serde(default)]
        task: Option<TaskRef>,
    },
    /// Questions were answered, or their defaults taken.
    Answered {
        /// Questions with their answers.
        answers: Vec<Answered>,
    },
    /// A plan was made.
    Planned {
        /// Version of the plan.
        version: u32,
        /// Hash of the stored [`Plan`](crate::plan::Plan).
        plan: ArtifactHash,
        /// Title of the project from now on.
        title: String,
        /// Number of tasks in the plan.
        tasks: u32,
        /// True if no reply of the planner was usable and a rule made the plan.
        fallback: bool,
        /// True if faults of the planner's reply were passed over, and the client took what could be read.
        #[serde(default)]
        repaired: bool,
        /// Repairs that were made, for people.
        warnings: Vec<String>,
        /// Calls and tokens that the plan needs.
        estimate: PlanEstimate,
    },
    /// The plan waits for the client's approval.
    ApprovalAsked,
    /// The client approved the plan.
    Approved,
    /// The client rejected the plan.
    Rejected {
        /// Reason given by the client.
        reason: String,
    },
    /// An attempt at a task was queued.
    TaskReady {
        /// Task that became ready.
        task: TaskRef,
        /// Id of the queued attempt.
        attempt: AttemptId,
        /// Number of the try, from 1.
        number: u32,
        /// Reason for another attempt; empty for the first.
        #[serde(default)]
        why: String,
    },
    /// A task ended with a result.
    TaskSucceeded {
        /// Task that ended.
        task: TaskRef,
        /// Attempt that produced the result.
        attempt: AttemptId,
        /// Hash of the stored result.
        result: ArtifactHash,
    },
    /// A task ended without a result.
    TaskFailed {
        /// Task that ended.
        task: TaskRef,
        /// Cause of the last failure.
        cause: FailureCause,
    },
    /// A task waits until a person or the end of a condition puts it right.
    TaskHeld {
        /// Task that waits.
        task: TaskRef,
        /// Cause of the last failure.
        cause: FailureCause,
    },
    /// A worker asked a question.
    TaskAsked {
        /// Task of the worker that asked.
        task: TaskRef,
        /// Text of the question.
        question: String,
    },
    /// A worker's question was answered.
    TaskAnswered {
        /// Task that goes on.
        task: TaskRef,
        /// Text of the question.
        question: String,
        /// Text of the answer.
        answer: String,
        /// True if an assumption stands in for an answer.
        assumed: bool,
    },
    /// A task was dropped because its policy on parents can never hold.
    TaskSkipped {
        /// Task that was dropped.
        task: TaskRef,
    },
    /// Results contradict each other.
    ConflictFound {
        /// Subject and contradicting claims.
        conflict: Conflict,
    },
    /// A contradiction was resolved.
    #[serde(alias = "conflict_settled")]
    ConflictResolved {
        /// Claim that is kept, with the reason.
        #[serde(alias = "settlement")]
        resolution: Resolution,
    },
    /// The results became a deliverable.
    Merged {
        /// Hash of the stored [`Deliverable`](crate::merge::Deliverable).
        deliverable: ArtifactHash,
        /// Paths of the files in the deliverable.
        files: Vec<String>,
        /// Keys of planned parts without a result.
        missing: Vec<TaskKey>,
    },
    /// The deliverable was judged.
    Judged {
        /// Hash of the deliverable that was judged.
        deliverable: ArtifactHash,
        /// Verdicts of the judge united with the programmatic checks.
        verdict: Verdict,
        /// Requirements met, in thousandths.
        score: u32,
        /// Number of rounds of rework before the verdict.
        round: u32,
    },
    /// A round of rework began.
    Reworked {
        /// Number of the round, from 1.
        round: u32,
        /// New version of the plan.
        version: u32,
        /// New tasks with their feedback, which is empty where only parents changed.
        tasks: Vec<(TaskRef, String)>,
    },
    /// The client paused the project.
    Paused,
    /// The client resumed the project.
    Resumed,
    /// The budget does not cover another call, and the client has what is there delivered.
    BudgetExhausted,
    /// The client raised the budget.
    BudgetRaised {
        /// Amount that the client named.
        budget: MicroUsd,
    },
    /// A person can put right what the project waits for.
    NeedsAttention {
        /// Reason, with its figures.
        why: Attention,
        /// Time since which the reason holds.
        since: Timestamp,
    },
    /// The project goes on without a person.
    AttentionEnded,
    /// A command of a client had no effect.
    CommandRefused {
        /// Name of the command.
        command: String,
        /// Id of the command, as its acceptance named it.
        id: EventId,
        /// Stable code of the reason.
        code: String,
        /// Reason for people.
        why: String,
    },
    /// The client reopened the project after its end.
    Reopened {
        /// Rounds, budget and instruction.
        with: Reopening,
    },
    /// Delivered and accepted.
    Done {
        /// Hash of the stored deliverable.
        deliverable: ArtifactHash,
    },
    /// Delivered with defects.
    Partial {
        /// Hash of the stored deliverable.
        deliverable: ArtifactHash,
        /// Requirements that are not met, for the client.
        defects: Vec<String>,
    },
    /// The project ended without a deliverable.
    Failed {
        /// Reason, as in [`State::Failed`](super::State::Failed).
        why: String,
    },
    /// The client cancelled the project.
    Cancelled,
}

impl Task {
    /// Returns the name of the task for events.
    pub fn reference(&self) -> TaskRef {
        TaskRef {
            id: self.id,
            key: self.key.clone(),
            kind: self.kind,
            title: self.title.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::project::State;
    use crate::task_kind::TaskKind;

    #[test]
    fn rows_of_an_earlier_release_that_say_settle_are_read() {
        let resolution = json!({"conflict": "c1", "keep": null, "reason": "both", "by": "nobody"});
        let event = json!({"type": "conflict_settled", "settlement": resolution});
        let event: HistoryEvent = serde_json::from_value(event).expect("an earlier event");
        assert!(matches!(event, HistoryEvent::ConflictResolved { .. }));
        let kind: TaskKind = serde_json::from_value(json!("settle")).expect("an earlier kind");
        assert_eq!(kind, TaskKind::Resolve);
        let task = crate::id::TaskId::new(7);
        let state = json!({"state": "merging", "settle": task});
        let state: State = serde_json::from_value(state).expect("an earlier state");
        assert_eq!(state, State::Merging { resolve: task });
    }
}
