//! What clients, finished attempts and the orchestrator's own merge tell a project.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactHash;
use crate::attempt::AttemptDone;
use crate::brief::{AnswerReply, Clarification};
use crate::id::TaskKey;
use crate::merge::{Conflict, Resolution};
use crate::plan::{Plan, PlanEstimate};
use crate::verdict::Verdict;

/// What a client asks of a project: the payload of `chorus.project.cmd.v1`. The record's id is the key of
/// deduplication. The submission itself is one, so that losing the bus never loses a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientCommand {
    /// Begin.
    Submit {
        /// The stored [`Brief`](crate::brief::Brief).
        brief: ArtifactHash,
    },
    /// Answers to open questions, by question id.
    Answer {
        /// The answers.
        answers: BTreeMap<String, String>,
        /// Take the defaults for all other open questions.
        #[serde(default)]
        assume_rest: bool,
    },
    /// The plan and its estimate are fine: go on.
    Approve,
    /// The plan is not fine: plan again.
    Reject {
        /// What should be different.
        reason: String,
    },
    /// Start nothing new and stop what runs, until resumed.
    Pause,
    /// Go on.
    Resume,
    /// Stop for good.
    Cancel,
}

/// What the machine is told: a client's command or a finished attempt with what the shell read in the
/// artifacts it names.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// `ClientCommand::Submit`, with the stored outline of the attachments.
    Submit {
        /// The stored [`Outline`](crate::brief::Outline).
        outline: ArtifactHash,
    },
    /// `ClientCommand::Answer`.
    Answer {
        /// The answers, by question id.
        answers: BTreeMap<String, String>,
        /// Take the defaults for all other open questions.
        assume_rest: bool,
    },
    /// `ClientCommand::Approve`, with the plan that waits for it.
    Approve {
        /// The plan.
        plan: Box<Plan>,
    },
    /// `ClientCommand::Reject`.
    Reject {
        /// What should be different.
        reason: String,
    },
    /// `ClientCommand::Pause`.
    Pause,
    /// `ClientCommand::Resume`.
    Resume,
    /// `ClientCommand::Cancel`.
    Cancel,
    /// An attempt ended.
    Finished {
        /// Which, and how.
        done: AttemptDone,
        /// What its result says.
        reading: Reading,
    },
    /// The shell did what `Effect::Merge` asked.
    Merged(Merge),
    /// An artifact that the project cannot do without is gone.
    ArtifactMissing {
        /// Which.
        what: String,
    },
}

/// What the shell read in the result of a finished attempt; the errors are what the model is told when it
/// is asked again.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// Nothing to read: a part is read when it is merged, and the attempt failed or is not waited for else.
    Nothing,
    /// A clarify task's.
    Clarification(Result<Clarification, Vec<String>>),
    /// A plan task's, whatever became of the attempt.
    Plan {
        /// The planner's plan, or what is wrong with it.
        read: Result<Planned, Vec<String>>,
        /// What stands in when the planner cannot make one; none beside a plan that was read.
        fallback: Option<Planned>,
    },
    /// An answer task's.
    Answer(Result<AnswerReply, Vec<String>>),
    /// What a work task's worker asked.
    Question(String),
    /// A resolve task's.
    Resolutions(Result<Vec<Resolution>, Vec<String>>),
    /// A judge task's.
    Verdict(Result<Verdict, Vec<String>>),
}

/// A checked and stored plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The plan.
    pub plan: Box<Plan>,
    /// Its artifact.
    pub hash: ArtifactHash,
    /// What was repaired.
    pub warnings: Vec<String>,
    /// What it will take.
    pub estimate: PlanEstimate,
}

/// What came of merging.
#[derive(Debug, Clone, PartialEq)]
pub enum Merge {
    /// Rules could not resolve every conflict: a model is asked.
    Open {
        /// The stored ledger, open conflicts among it.
        conflicts: ArtifactHash,
        /// Conflicts that were not in the ledger before.
        found: Vec<Conflict>,
        /// Resolutions that were not in the ledger before.
        resolved: Vec<Resolution>,
    },
    /// There is a deliverable.
    Whole {
        /// The stored ledger.
        conflicts: ArtifactHash,
        /// Conflicts that were not in the ledger before.
        found: Vec<Conflict>,
        /// Resolutions that were not in the ledger before.
        resolved: Vec<Resolution>,
        /// The stored deliverable.
        deliverable: ArtifactHash,
        /// The files in it.
        files: Vec<String>,
        /// Planned parts that have no result.
        missing: Vec<TaskKey>,
        /// What the programmatic checks found.
        check: Verdict,
        /// How many judge tasks its length needs, at least one.
        parts: u32,
    },
}
