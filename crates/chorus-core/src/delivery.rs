//! What passes between orchestrator, dispatcher and worker: queued attempts, dispatches, claims and finishes.
//!
//! An attempt is one try at a task; a delivery is one bus record of it handed to one worker, and one
//! delivery is one provider call. Being rate-limited or losing a worker is a new delivery of the same attempt.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::{
    AccountId, AttemptId, CredentialId, Epoch, EventId, Holder, LeaseId, ModelSlug, Pool,
    ProjectId, ProviderId, TaskId, Tenant, Term,
};
use crate::limit::{FailureClass, Lease};
use crate::llm::{Request, Usage};
use crate::money::MicroUsd;
use crate::port::bus::Record;
use crate::time::{Millis, Timestamp};

/// SHA-256 of an artifact's bytes: its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArtifactHash([u8; 32]);

impl ArtifactHash {
    /// The name of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for ArtifactHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ArtifactHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for ArtifactHash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digit = |at: usize| {
            text.get(at..at + 2)
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        };
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return Err(format!("{text:?} is not 64 hex digits"));
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = digit(at * 2).ok_or_else(|| format!("{text:?} is not 64 hex digits"))?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for ArtifactHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ArtifactHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// What a task is for; it decides the role and how its result is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Find what is unclear in the brief.
    Clarify,
    /// Split the brief into tasks.
    Plan,
    /// Answer a worker's question.
    Answer,
    /// Make one part of the deliverable.
    Work,
    /// Decide conflicts that rules could not.
    Settle,
    /// Judge the merged deliverable on its rubric.
    Judge,
}

/// Which list of models serves a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Clarifies, plans, answers questions.
    Planner,
    /// Makes parts.
    Worker,
    /// Settles conflicts.
    Merger,
    /// Judges.
    Judge,
}

impl TaskKind {
    /// The role that serves this kind.
    pub const fn role(self) -> Role {
        match self {
            Self::Clarify | Self::Plan | Self::Answer => Role::Planner,
            Self::Work => Role::Worker,
            Self::Settle => Role::Merger,
            Self::Judge => Role::Judge,
        }
    }
}

/// The artifact a delivery carries out: the request and what earlier deliveries of the attempt produced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkOrder {
    /// Version of this form.
    pub version: u32,
    /// The call; its model is filled in from the dispatch.
    pub request: Request,
    /// Text that earlier deliveries produced before they were cut by `max_tokens`.
    #[serde(default)]
    pub so_far: String,
}

/// How large a call will be, before any provider is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallSize {
    /// Prompt tokens by the base count.
    pub input: u64,
    /// Produced tokens that the plan expects.
    pub output: u64,
    /// Most tokens that may be produced.
    pub max_tokens: u32,
}

/// An attempt as the orchestrator creates it, in state `Queued` at epoch 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewAttempt {
    /// Its id.
    pub id: AttemptId,
    /// The task.
    pub task: TaskId,
    /// The project.
    pub project: ProjectId,
    /// Whose work it is.
    pub tenant: Tenant,
    /// Version of the plan that the task belongs to; zero before there is one.
    pub plan_version: u32,
    /// What the task is for.
    pub kind: TaskKind,
    /// Which try of the task this is, from 1.
    pub number: u32,
    /// The `WorkOrder`.
    pub order: ArtifactHash,
    /// How large the call will be.
    pub size: CallSize,
    /// Higher goes first.
    pub priority: u8,
    /// Predicted time from here to the project's end along the longest path.
    pub path: Millis,
    /// Not before this time.
    pub not_before: Timestamp,
}

/// The states of an attempt's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// Waits for admission.
    Queued,
    /// Admitted and published, not yet claimed.
    Dispatched,
    /// Claimed by a worker.
    Running,
    /// Has a result.
    Succeeded,
    /// Its result is a question.
    Asked,
    /// Will have no result.
    Failed,
    /// Not wanted any more.
    Cancelled,
}

/// A queued attempt as the dispatcher sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuedAttempt {
    /// What the orchestrator asked for; `order` and `not_before` are the newest.
    pub attempt: NewAttempt,
    /// Its epoch.
    pub epoch: Epoch,
    /// When it was queued for the first time.
    pub created_at: Timestamp,
    /// When it was queued last.
    pub queued_at: Timestamp,
    /// Deliveries lost with their workers.
    pub lost: u32,
    /// Deliveries cut by `max_tokens`; those queue ahead of their peers.
    pub continues: u32,
    /// The account whose rate limit refused the last delivery, with its owner's rule about siblings.
    pub refused_by: Option<AccountId>,
}

/// One statement of the dispatcher about one queued attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatch {
    /// The attempt.
    pub attempt: AttemptId,
    /// The epoch it must still have.
    pub epoch: Epoch,
    /// The dispatcher's term, recorded with the row.
    pub term: Term,
    /// What becomes of it.
    pub decision: DispatchDecision,
    /// The outbox record of the same transaction: `task.dispatch` when sent, `task.done` when refused.
    pub record: Record,
}

/// What becomes of a queued attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum DispatchDecision {
    /// It goes to a worker.
    Send(Box<Assignment>),
    /// It can never run: no account can serve it, it kills workers. The row becomes `Failed`.
    Refuse(FailureCause),
}

/// Where and under which lease a delivery runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The lease.
    pub lease: Lease,
    /// The account that holds the credential.
    pub account: AccountId,
    /// The provider.
    pub provider: ProviderId,
    /// The model.
    pub model: ModelSlug,
    /// The pool whose workers run it.
    pub pool: Pool,
    /// Money set aside from the project's budget.
    pub estimate: MicroUsd,
}

/// The answer to one dispatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dispatched {
    /// The row carries this statement, by this call or by an earlier one whose reply was lost.
    Done,
    /// The row has moved on: stop, and end the lease unused.
    Lost,
    /// The project's budget does not cover the estimate; the row is unchanged.
    OverBudget,
}

/// A worker's claim of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The attempt.
    pub attempt: AttemptId,
    /// The record's epoch.
    pub epoch: Epoch,
    /// Boot id and nonce of this record: a retry finds itself, a doubled record is denied.
    pub holder: Holder,
    /// Until when its lease may hold something: the call's wall-clock deadline and the time for which a provider
    /// may go on after it was cut. Kept with the delivery.
    pub deadline: Timestamp,
}

/// A claimed delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The attempt.
    pub attempt: NewAttempt,
    /// Its epoch.
    pub epoch: Epoch,
    /// Where it runs.
    pub assignment: Assignment,
    /// Deliveries that ended in `Requeue { reason: Retry }` so far.
    pub retries: u32,
    /// Deliveries cut by `max_tokens` so far.
    pub continues: u32,
}

/// Names one holding of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holding {
    /// The attempt.
    pub attempt: AttemptId,
    /// The epoch.
    pub epoch: Epoch,
    /// The holder.
    pub holder: Holder,
}

/// A worker's last word on one delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Finish {
    /// Whose word it is.
    pub holding: Holding,
    /// What came of it.
    pub outcome: Outcome,
    /// What the call used; none when no call was made.
    pub usage: Option<Usage>,
    /// What the call cost.
    pub cost: MicroUsd,
    /// `task.done` when the attempt ended, `task.ready` when it is queued again.
    pub record: Record,
}

/// What came of a delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Outcome {
    /// The attempt has a result.
    Succeeded {
        /// The text.
        result: ArtifactHash,
    },
    /// The result is a question.
    Asked {
        /// The question's text.
        question: ArtifactHash,
    },
    /// The attempt will have no result.
    Failed {
        /// Why.
        cause: FailureCause,
    },
    /// A new delivery of the same attempt is wanted.
    Requeue {
        /// Why.
        reason: Requeue,
        /// Not before this time.
        not_before: Timestamp,
        /// A new `WorkOrder`, when the answer was cut.
        order: Option<ArtifactHash>,
    },
}

/// Why an attempt is delivered again. Only `Retry` and `Continue` are counted, each with its own limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Requeue {
    /// The provider refused it for a limit's sake.
    Limited {
        /// The kind of refusal.
        class: FailureClass,
    },
    /// The call failed in a way that may pass.
    Retry {
        /// The kind of failure.
        class: FailureClass,
    },
    /// The worker stops.
    Drained,
    /// The lease was gone before the call began.
    LeaseGone,
    /// The answer was cut by `max_tokens`.
    Continue,
}

/// Why an attempt has no result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum FailureCause {
    /// The provider says that the request itself is wrong.
    Request {
        /// The provider's words.
        message: String,
    },
    /// Calls kept failing.
    Upstream {
        /// The last kind of failure.
        class: FailureClass,
        /// The provider's words.
        message: String,
    },
    /// The model said nothing.
    Empty,
    /// The model declined.
    Refused {
        /// Its words.
        message: String,
    },
    /// The answer never ended: `Continue` reached its limit.
    Endless,
    /// Its workers died too often.
    KillsWorkers,
    /// No account can serve it.
    NoAccount {
        /// What is missing.
        message: String,
    },
    /// The project's budget does not cover it.
    OverBudget,
    /// An artifact it needs is not there.
    MissingArtifact {
        /// Which.
        message: String,
    },
}

impl fmt::Display for FailureCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request { message } => {
                write!(f, "the provider says that the request is wrong: {message}")
            }
            Self::Upstream { message, .. } => write!(f, "calls kept failing: {message}"),
            Self::Empty => f.write_str("the model said nothing"),
            Self::Refused { message } => write!(f, "the model declined: {message}"),
            Self::Endless => f.write_str("the answer never came to an end"),
            Self::KillsWorkers => f.write_str("its workers died too often"),
            Self::NoAccount { message } => write!(f, "no account can serve it: {message}"),
            Self::OverBudget => f.write_str("the budget does not cover it"),
            Self::MissingArtifact { message } => write!(f, "an artifact is missing: {message}"),
        }
    }
}

/// The payload of `task.done`: an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptDone {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its task.
    pub task: TaskId,
    /// What came of it; never `Requeue`.
    pub outcome: Outcome,
}

/// What the reconciler takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reclaim {
    /// Dispatches this long past their lease's `not_after`.
    pub unclaimed_for: Millis,
    /// Running attempts whose last beat is this old.
    pub silent_for: Millis,
    /// At most this many rows in one statement.
    pub limit: u32,
}

/// A delivery that the reconciler took back; its attempt is `Queued` at `epoch + 1`.
#[derive(Debug, Clone, PartialEq)]
pub struct Reclaimed {
    /// The attempt.
    pub attempt: AttemptId,
    /// The epoch of the delivery that was taken back.
    pub epoch: Epoch,
    /// Its lease, to be ended `Unused` (which acts only if it was never sent).
    pub lease: LeaseId,
    /// Whether a worker was lost (else nobody had claimed it).
    pub lost_worker: bool,
}

/// The story of one delivery, kept after it is over.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryRow {
    /// The attempt.
    pub attempt: AttemptId,
    /// The epoch.
    pub epoch: Epoch,
    /// The task.
    pub task: TaskId,
    /// What the task is for.
    pub kind: TaskKind,
    /// Where it ran.
    pub assignment: Assignment,
    /// When it was admitted and published.
    pub dispatched_at: Timestamp,
    /// When a worker claimed it.
    pub claimed_at: Option<Timestamp>,
    /// Until when its lease may hold something: its call's deadline and the provider's grace after it.
    pub deadline: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub end: Option<DeliveryEnd>,
    /// What the call used, as far as known.
    pub usage: Option<Usage>,
    /// What the call cost; the estimate for a lost one.
    pub cost: MicroUsd,
}

/// How a delivery ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum DeliveryEnd {
    /// Its worker finished it.
    Finished {
        /// What came of it.
        outcome: Outcome,
    },
    /// Nobody claimed it in time: no call was made.
    Unclaimed,
    /// Its worker fell silent: a call may have been made and paid for.
    LostWorker,
    /// Cancelled before it was claimed or while it ran.
    Cancelled,
}

/// Money of one project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Money {
    /// Most that may be spent.
    pub budget: MicroUsd,
    /// Paid for, waste included.
    pub spent: MicroUsd,
    /// Set aside for deliveries under way.
    pub reserved: MicroUsd,
    /// The part of `spent` that bought nothing.
    pub wasted: MicroUsd,
}

/// A late word on a delivery that was taken back: what its call really used, counted as waste.
#[derive(Debug, Clone, PartialEq)]
pub struct LateUsage {
    /// The attempt.
    pub attempt: AttemptId,
    /// The epoch of the delivery.
    pub epoch: Epoch,
    /// What the call used.
    pub usage: Usage,
    /// What it cost.
    pub cost: MicroUsd,
    /// For deduplication.
    pub event: EventId,
}

/// A delivery whose lease may still hold something, for `LimitState::restore`.
#[derive(Debug, Clone, PartialEq)]
pub struct Outstanding {
    /// Whose accounts it is on.
    pub tenant: Tenant,
    /// The lease.
    pub lease: Lease,
    /// The credential's account.
    pub account: AccountId,
    /// The model, which names the groups.
    pub model: ModelSlug,
    /// The provider.
    pub provider: ProviderId,
    /// Deadline of the call once it was claimed; none while it is only dispatched.
    pub sent_until: Option<Timestamp>,
}

/// The credential named by a lease, for convenience of readers.
impl Assignment {
    /// The credential on which the call runs.
    pub const fn credential(&self) -> CredentialId {
        self.lease.credential
    }
}
