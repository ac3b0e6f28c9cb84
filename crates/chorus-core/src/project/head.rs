//! The head of a project: all facts that are not of a single task.
//!
//! Small, because each decision writes the row anew: plans, outlines and results are artifacts that the head
//! names by [`ArtifactHash`]. Neighbour: [`Task`](super::Task) rows hold the rest.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Halt, LongWait, Outage, PlanOffer, State};
use crate::artifact::ArtifactHash;
use crate::brief::{Answered, Options, Question};
use crate::id::{EventId, ProjectId, TaskId, TaskKey, Tenant};
use crate::time::{Millis, Timestamp};

/// A project without its tasks. A store keeps the head as one JSON text beside a few columns for lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Version of the stored form, at most [`Head::FORM`].
    pub form: u32,
    /// Id, unique in the installation.
    pub id: ProjectId,
    /// Tenant that submitted the project.
    pub tenant: Tenant,
    /// Title for people: of the brief, and of the plan once there is one.
    pub title: String,
    /// Time of the submission.
    pub created_at: Timestamp,
    /// Hash of the stored [`Brief`](crate::brief::Brief).
    pub brief: ArtifactHash,
    /// Options of the submission.
    pub options: Options,
    /// Current state; moves by the arrows of [`PROJECT_MACHINE`](super::PROJECT_MACHINE).
    pub state: State,
    /// Hash of the stored [`Outline`](crate::brief::Outline) of the attachments, once submitted.
    #[serde(default)]
    pub outline: Option<ArtifactHash>,
    /// Current plan; `None` before the first one.
    #[serde(default)]
    pub plan: Option<PlanRef>,
    /// Questions about the brief with the answers, given or assumed.
    #[serde(default)]
    pub answers: Vec<Answered>,
    /// Assumptions of the clarify task.
    #[serde(default)]
    pub assumptions: Vec<String>,
    /// Questions that wait for the client, oldest first.
    #[serde(default)]
    pub open: Vec<OpenQuestion>,
    /// Number of questions ever asked of the client; the next one is named after it.
    #[serde(default)]
    pub asked: u32,
    /// The client's reasons for rejecting plans, oldest first.
    #[serde(default)]
    pub rejections: Vec<String>,
    /// Hash of the stored [`Conflicts`](super::Conflicts), after the first merge.
    #[serde(default, rename = "ledger")]
    pub conflicts: Option<ArtifactHash>,
    /// Number of rounds of rework begun, at most three.
    #[serde(default)]
    pub round: u32,
    /// Judged deliverable with the highest score.
    #[serde(default)]
    pub best: Option<Best>,
    /// Number of work tasks without a final state: at zero the merge begins.
    #[serde(default)]
    pub unfinished: u32,
    /// Number of ready tasks: at zero nothing moves without the client.
    #[serde(default)]
    pub ready: u32,
    /// Number of held tasks: above zero the project needs attention.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub held: u32,
    /// True once the client has what is there delivered, because the budget is used up.
    #[serde(default)]
    pub out_of_budget: bool,
    /// Time of acceptance of the latest pause or resume that was folded. Earlier ones are refused as
    /// [`Overtaken`](super::Refusal::Overtaken).
    #[serde(default)]
    pub switched_at: Option<Timestamp>,
    /// Plan by rule that the client may approve while the plan task is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<PlanOffer>,
    /// Fact that stops the project until a person acts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halt: Option<Halt>,
    /// Calls that keep failing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outage: Option<Outage>,
    /// Wait of the whole project, as the dispatcher found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<LongWait>,
    /// Time of the dispatcher's latest finding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_at: Option<Timestamp>,
    /// True if the client gave the title, which no plan replaces then.
    #[serde(default)]
    pub has_title_of_client: bool,
    /// Round at which rework ends; three more with every reopening, unless it names another number.
    #[serde(default = "first_rounds")]
    pub last_round: u32,
    /// Version of the plan when the project was reopened last; reworks up to it do not count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reopened: u32,
    /// Ids of the last 256 client commands that were folded, for deduplication.
    #[serde(default)]
    pub folded: BTreeSet<EventId>,
}

/// Rounds of rework of a project that was never reopened.
const fn first_rounds() -> u32 {
    3
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde wants"
)]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Reference to the plan that a project follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRef {
    /// Hash of the stored [`Plan`](crate::plan::Plan).
    pub hash: ArtifactHash,
    /// Version, which grows with every rework. Tasks keep the version that made them.
    pub version: u32,
    /// Predicted time of the longest path.
    pub path: Millis,
}

/// A question that waits for the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenQuestion {
    /// Text, options and the id that an answer names.
    pub question: Question,
    /// Task of the worker that asked; `None` for a question about the brief.
    #[serde(default)]
    pub task: Option<TaskId>,
}

/// A deliverable with its verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Best {
    /// Hash of the stored [`Deliverable`](crate::merge::Deliverable).
    pub deliverable: ArtifactHash,
    /// Requirements met, in thousandths.
    pub score: u32,
    /// Requirements that are not met, for the client.
    pub defects: Vec<String>,
    /// Tasks that the judge would have done again, with feedback, however many rounds are left.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub redo: BTreeMap<TaskKey, String>,
}

/// Fields of the head of a new project.
#[derive(Debug, Clone, PartialEq)]
pub struct NewHead {
    /// Id drawn for the project.
    pub id: ProjectId,
    /// Tenant that submits the project.
    pub tenant: Tenant,
    /// Title until the plan gives one.
    pub title: String,
    /// Time of the submission.
    pub created_at: Timestamp,
    /// Hash of the stored brief.
    pub brief: ArtifactHash,
    /// Options of the submission.
    pub options: Options,
}

impl Head {
    /// Version of the stored form that this release writes.
    pub const FORM: u32 = 1;

    /// Creates the head of a project in state [`State::Submitted`].
    pub fn new(new: NewHead) -> Self {
        let NewHead {
            id,
            tenant,
            title,
            created_at,
            brief,
            options,
        } = new;
        Self {
            form: Self::FORM,
            id,
            tenant,
            title,
            created_at,
            brief,
            options,
            state: State::Submitted,
            outline: None,
            plan: None,
            answers: Vec::new(),
            assumptions: Vec::new(),
            open: Vec::new(),
            asked: 0,
            rejections: Vec::new(),
            conflicts: None,
            round: 0,
            best: None,
            unfinished: 0,
            ready: 0,
            out_of_budget: false,
            held: 0,
            switched_at: None,
            offer: None,
            halt: None,
            outage: None,
            wait: None,
            wait_at: None,
            has_title_of_client: false,
            last_round: first_rounds(),
            reopened: 0,
            folded: BTreeSet::new(),
        }
    }

    /// Returns true if the state is final.
    pub const fn is_terminal(&self) -> bool {
        self.state.is_terminal()
    }

    /// Version of the plan; zero before there is one.
    pub fn plan_version(&self) -> u32 {
        self.plan.map_or(0, |plan| plan.version)
    }

    /// Deliverable of a delivered project, else the best one judged so far.
    pub fn deliverable(&self) -> Option<ArtifactHash> {
        match &self.state {
            State::Done { deliverable } | State::Partial { deliverable, .. } => Some(*deliverable),
            _ => self.best.as_ref().map(|best| best.deliverable),
        }
    }
}
