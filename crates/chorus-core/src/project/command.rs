//! Commands to a project: from clients, from finished attempts, and from the orchestrator's own merge.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactHash;
use crate::attempt::AttemptDone;
use crate::brief::{AnswerReply, Clarification};
use crate::id::TaskKey;
use crate::merge::{Conflict, Resolution};
use crate::money::MicroUsd;
use crate::plan::{Plan, PlanEstimate};
use crate::time::Timestamp;
use crate::verdict::Verdict;

use super::LongWait;

/// Command of a client: the payload of `chorus.project.cmd.v1`. The record's id is the key of
/// deduplication. The submission itself is a command, so that losing the bus never loses a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientCommand {
    /// Begins the project.
    Submit {
        /// Hash of the stored [`Brief`](crate::brief::Brief).
        brief: ArtifactHash,
    },
    /// Answers open questions.
    Answer {
        /// Answers by question id.
        answers: BTreeMap<String, String>,
        /// True if the defaults of all other open questions are taken.
        #[serde(default)]
        assume_rest: bool,
        /// Ids of the questions that `assume_rest` is about; none in commands of an earlier release, which
        /// are about all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        questions: Option<BTreeSet<String>>,
    },
    /// Accepts a plan and its estimate.
    Approve {
        /// Hash of the stored plan; none in commands of an earlier release, which accept a first plan only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<ArtifactHash>,
    },
    /// Rejects a plan; another one is made.
    Reject {
        /// Reason, quoted in the prompt of the next plan.
        reason: String,
        /// Hash of the stored plan; none rejects the plan that waits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<ArtifactHash>,
    },
    /// Cancels the attempts under way and queues none until the project is resumed.
    Pause {
        /// Time of acceptance, which orders it among pauses and resumes; none in commands of an earlier
        /// release, which hold in the order of their arrival.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// Ends a pause.
    Resume {
        /// Time of acceptance, as in [`Pause`](Self::Pause).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// Ends the project without a deliverable.
    Cancel,
    /// Raises the budget, and queues the tasks that wait for money.
    RaiseBudget {
        /// New budget; a lower one than the present is no change.
        budget: MicroUsd,
    },
    /// Tries again what failed.
    Retry {
        /// Key or id of a task; none for everything that waits for a retry.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<String>,
    },
    /// Goes on without a task.
    Skip {
        /// Key or id of a task; none for everything that waits for a person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<String>,
    },
    /// Goes on with a partial or failed project; finished results are kept.
    Reopen(Reopening),
    /// Sent by the leading dispatcher, never by a client: a wait of the whole project has lasted longer than
    /// a bound with no call open, or has ended.
    Condition {
        /// Time of the finding, which orders conditions; an older one than the last is passed over.
        at: Timestamp,
        /// The wait; none when it has ended.
        #[serde(default)]
        wait: Option<LongWait>,
    },
}

/// Parameters of [`ClientCommand::Reopen`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reopening {
    /// Rounds of rework from here on; three if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<u32>,
    /// New budget; a lower one than the present is no change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<MicroUsd>,
    /// Wanted changes, quoted in the prompts of the tasks that are done again.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instruction: String,
}

impl ClientCommand {
    /// Name of the command, as in its stored tag.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Submit { .. } => "submit",
            Self::Answer { .. } => "answer",
            Self::Approve { .. } => "approve",
            Self::Reject { .. } => "reject",
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Cancel => "cancel",
            Self::RaiseBudget { .. } => "raise_budget",
            Self::Retry { .. } => "retry",
            Self::Skip { .. } => "skip",
            Self::Reopen(_) => "reopen",
            Self::Condition { .. } => "condition",
        }
    }
}

/// Input of [`Project::decide`](super::Project::decide): a command or a finished attempt, with the contents
/// that the shell read in the artifacts it names.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// [`ClientCommand::Submit`] with the outline of the attachments.
    Submit {
        /// Hash of the stored [`Outline`](crate::brief::Outline).
        outline: ArtifactHash,
    },
    /// [`ClientCommand::Answer`].
    Answer {
        /// Answers by question id.
        answers: BTreeMap<String, String>,
        /// True if the defaults of all other open questions are taken.
        assume_rest: bool,
        /// Ids of the questions that `assume_rest` is about; none for all.
        questions: Option<BTreeSet<String>>,
    },
    /// [`ClientCommand::Approve`] with the stored plan.
    Approve {
        /// Hash that the client named.
        hash: ArtifactHash,
        /// The plan of this hash; none if it is not a plan that waits for approval.
        plan: Option<Box<Plan>>,
    },
    /// [`ClientCommand::Reject`].
    Reject {
        /// Reason, quoted in the prompt of the next plan.
        reason: String,
        /// Hash that the client named; none for the plan that waits.
        plan: Option<ArtifactHash>,
    },
    /// [`ClientCommand::Pause`].
    Pause {
        /// Time of acceptance.
        at: Option<Timestamp>,
    },
    /// [`ClientCommand::Resume`].
    Resume {
        /// Time of acceptance.
        at: Option<Timestamp>,
    },
    /// [`ClientCommand::Cancel`].
    Cancel,
    /// [`ClientCommand::RaiseBudget`].
    RaiseBudget {
        /// New budget.
        budget: MicroUsd,
    },
    /// [`ClientCommand::Retry`].
    Retry {
        /// Key or id of a task; none for everything that waits for a retry.
        task: Option<String>,
    },
    /// [`ClientCommand::Skip`].
    Skip {
        /// Key or id of a task; none for everything that waits for a person.
        task: Option<String>,
    },
    /// [`ClientCommand::Reopen`].
    Reopen(Reopening),
    /// [`ClientCommand::Condition`].
    Condition {
        /// Time of the finding.
        at: Timestamp,
        /// The wait; none when it has ended.
        wait: Option<LongWait>,
    },
    /// An attempt ended.
    Finished {
        /// Attempt, task and outcome.
        done: AttemptDone,
        /// Contents of the result or question.
        reading: Reading,
    },
    /// The shell carried out an [`Effect::Merge`](super::Effect::Merge).
    Merged(Merge),
    /// An artifact that the project needs is gone from the store.
    ArtifactMissing {
        /// Name of the artifact for people, for instance `the brief`.
        what: String,
    },
}

/// Contents of a finished attempt's result, as the shell read them. Each error holds the faults of an
/// unreadable answer, which the prompt of the next try quotes.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// Nothing was read: a part is read when it is merged, and other attempts failed or are not waited for.
    Nothing,
    /// Answer of a clarify task.
    Clarification(Result<Clarification, Vec<String>>),
    /// Answer of a plan task, also of a failed attempt.
    Plan {
        /// The planner's plan, or its faults.
        read: Result<Planned, Vec<String>>,
        /// What could be read of the planner's plan although it has faults; offered when the tries are used up.
        repaired: Option<Planned>,
        /// Plan by rule, offered when not even that could be read; `None` beside a plan that was read.
        fallback: Option<Planned>,
    },
    /// Answer of an answer task.
    Answer(Result<AnswerReply, Vec<String>>),
    /// Question of a work task's worker.
    Question(String),
    /// Answer of a resolve task.
    Resolutions(Result<Vec<Resolution>, Vec<String>>),
    /// Answer of a judge task.
    Verdict(Result<Verdict, Vec<String>>),
}

/// A checked and stored plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The plan as it was stored.
    pub plan: Box<Plan>,
    /// Hash of the stored plan.
    pub hash: ArtifactHash,
    /// Repairs that were made, for people.
    pub warnings: Vec<String>,
    /// Calls and tokens that the plan needs.
    pub estimate: PlanEstimate,
}

/// Outcome of a merge.
#[derive(Debug, Clone, PartialEq)]
pub enum Merge {
    /// Some conflicts are open, and a model is asked about them.
    Open {
        /// Hash of the stored [`Conflicts`](super::Conflicts), open ones included.
        conflicts: ArtifactHash,
        /// Conflicts that the merge before did not find.
        found: Vec<Conflict>,
        /// Resolutions that the merge before did not have.
        resolved: Vec<Resolution>,
    },
    /// Every conflict is closed; the deliverable is stored.
    Whole {
        /// Hash of the stored [`Conflicts`](super::Conflicts).
        conflicts: ArtifactHash,
        /// Conflicts that the merge before did not find.
        found: Vec<Conflict>,
        /// Resolutions that the merge before did not have.
        resolved: Vec<Resolution>,
        /// Hash of the stored [`Deliverable`](crate::merge::Deliverable).
        deliverable: ArtifactHash,
        /// Paths of the files in the deliverable.
        files: Vec<String>,
        /// Keys of planned parts without a result.
        missing: Vec<TaskKey>,
        /// Findings of the programmatic checks.
        check: Verdict,
        /// Number of judge tasks that the length needs, at least one.
        parts: u32,
    },
}
