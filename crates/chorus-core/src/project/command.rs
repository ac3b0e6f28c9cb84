//! Commands to a project: from clients, from finished attempts, and from the orchestrator's own merge.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactHash;
use crate::attempt::AttemptDone;
use crate::brief::{AnswerReply, Clarification};
use crate::id::TaskKey;
use crate::merge::{Conflict, Resolution};
use crate::plan::{Plan, PlanEstimate};
use crate::verdict::Verdict;

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
    },
    /// Accepts the plan and its estimate.
    Approve,
    /// Rejects the plan; another one is made.
    Reject {
        /// Reason, quoted in the prompt of the next plan.
        reason: String,
    },
    /// Cancels the attempts under way and queues none until the project is resumed.
    Pause,
    /// Ends a pause.
    Resume,
    /// Ends the project without a deliverable.
    Cancel,
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
    },
    /// [`ClientCommand::Approve`] with the stored plan.
    Approve {
        /// Plan that waits for approval.
        plan: Box<Plan>,
    },
    /// [`ClientCommand::Reject`].
    Reject {
        /// Reason, quoted in the prompt of the next plan.
        reason: String,
    },
    /// [`ClientCommand::Pause`].
    Pause,
    /// [`ClientCommand::Resume`].
    Resume,
    /// [`ClientCommand::Cancel`].
    Cancel,
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
        /// Plan for the case that the tries are used up; `None` beside a plan that was read.
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
