//! Everything of a project but its tasks: small, because each decision writes it anew. Plans, outlines and
//! results are artifacts that it names by hash.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::State;
use crate::artifact::ArtifactHash;
use crate::brief::{Answered, Options, Question};
use crate::id::{EventId, ProjectId, TaskId, Tenant};
use crate::time::{Millis, Timestamp};

/// A project without its tasks. A store keeps it as one JSON text beside a few columns for lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Version of this form.
    pub form: u32,
    /// Its id.
    pub id: ProjectId,
    /// Whose it is.
    pub tenant: Tenant,
    /// What it is called.
    pub title: String,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// The stored [`Brief`](crate::brief::Brief).
    pub brief: ArtifactHash,
    /// How it is to be run.
    pub options: Options,
    /// Where it stands.
    pub state: State,
    /// The stored [`Outline`](crate::brief::Outline) of its attachments, once it was submitted.
    #[serde(default)]
    pub outline: Option<ArtifactHash>,
    /// The plan, once there is one.
    #[serde(default)]
    pub plan: Option<PlanRef>,
    /// Questions about the brief and what was answered or assumed.
    #[serde(default)]
    pub answers: Vec<Answered>,
    /// What clarifying took for granted.
    #[serde(default)]
    pub assumptions: Vec<String>,
    /// Questions that wait for the client.
    #[serde(default)]
    pub open: Vec<OpenQuestion>,
    /// How many questions the client was ever asked: names the next one.
    #[serde(default)]
    pub asked: u32,
    /// What the client disliked about refused plans.
    #[serde(default)]
    pub rejections: Vec<String>,
    /// The stored [`Ledger`](super::Ledger) of conflicts and resolutions, after the first merge.
    #[serde(default, rename = "ledger")]
    pub conflicts: Option<ArtifactHash>,
    /// Rounds of rework begun.
    #[serde(default)]
    pub round: u32,
    /// The best deliverable that was judged.
    #[serde(default)]
    pub best: Option<Best>,
    /// Work tasks that stand and are not over: at zero the merge begins.
    #[serde(default)]
    pub unfinished: u32,
    /// Tasks whose attempts may be under way: at zero nothing moves without the client.
    #[serde(default)]
    pub ready: u32,
    /// Whether the money ran out: nothing new is started, what there is becomes the deliverable.
    #[serde(default)]
    pub out_of_budget: bool,
    /// The latest word of a client on pausing and resuming that was folded; words that were given before it and come
    /// after it mean nothing.
    #[serde(default)]
    pub switched: Option<EventId>,
    /// Client commands that were folded, for deduplication.
    #[serde(default)]
    pub folded: BTreeSet<EventId>,
}

/// The plan that a project follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRef {
    /// The stored [`Plan`](crate::plan::Plan).
    pub hash: ArtifactHash,
    /// Grows with every rework; tasks remember the version that made them.
    pub version: u32,
    /// The longest path through it.
    pub path: Millis,
}

/// A question that waits for the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenQuestion {
    /// The question; its id is the one that an answer names.
    pub question: Question,
    /// The task whose worker asked; none for a question about the brief.
    #[serde(default)]
    pub task: Option<TaskId>,
}

/// A deliverable and what the judge thought of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Best {
    /// The stored [`Deliverable`](crate::merge::Deliverable).
    pub deliverable: ArtifactHash,
    /// Requirements met, in thousandths.
    pub score: u32,
    /// What is wrong with it.
    pub defects: Vec<String>,
}

/// What the head of a new project is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct NewHead {
    /// Its id.
    pub id: ProjectId,
    /// Whose it is.
    pub tenant: Tenant,
    /// What it is called until the plan names it.
    pub title: String,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// The stored brief.
    pub brief: ArtifactHash,
    /// How it is to be run.
    pub options: Options,
}

impl Head {
    /// Version of the form that this release writes.
    pub const FORM: u32 = 1;

    /// The head of a project in state `Submitted`.
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
            switched: None,
            folded: BTreeSet::new(),
        }
    }

    /// Whether nothing will happen any more.
    pub const fn is_terminal(&self) -> bool {
        self.state.is_terminal()
    }

    /// The version of the plan, zero before there is one.
    pub fn plan_version(&self) -> u32 {
        self.plan.map_or(0, |plan| plan.version)
    }

    /// What is or will be delivered, as far as there is anything.
    pub fn deliverable(&self) -> Option<ArtifactHash> {
        match &self.state {
            State::Done { deliverable } | State::Partial { deliverable, .. } => Some(*deliverable),
            _ => self.best.as_ref().map(|best| best.deliverable),
        }
    }
}
