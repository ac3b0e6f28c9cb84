//! The figures of a report, in the form in which `report.json` holds them. Times are milliseconds since the
//! project was accepted, money is micro-dollars.

use chorus_core::merge::{Conflict, Resolution};
use chorus_core::verdict::VerdictItem;
use serde::{Deserialize, Serialize};

/// The whole report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this form.
    pub version: u32,
    /// The project's id.
    pub project: String,
    /// What it is called.
    pub title: String,
    /// Where it stands, in one word.
    pub state: String,
    /// Whether the providers were simulated: then no real model was called.
    pub simulated: bool,
    /// Sums over the project.
    pub totals: Totals,
    /// Every task, those that were replaced too.
    pub tasks: Vec<TaskFigures>,
    /// Every account and what ran on it.
    pub accounts: Vec<AccountFigures>,
    /// Conflicts and their resolutions.
    pub conflicts: Vec<ConflictFigures>,
    /// One for each time the deliverable was judged.
    pub verdicts: Vec<VerdictFigures>,
    /// What is wrong with the deliverable.
    pub defects: Vec<String>,
    /// What was taken for granted.
    pub assumptions: Vec<String>,
    /// The files of the deliverable.
    pub files: Vec<FileFigures>,
    /// What went otherwise than planned, told in sentences, in order.
    pub happenings: Vec<Happening>,
}

/// Sums over the project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// From acceptance to the end, or to the last thing that happened.
    pub makespan_ms: u64,
    /// The longest chain of tasks that had to wait for each other, by the time their calls took.
    pub critical_path_ms: u64,
    /// Time of all calls added up.
    pub call_ms: u64,
    /// Time that tasks which could be done waited until a worker had them: for room within the limits, mostly.
    pub waited_ms: u64,
    /// How many deliveries there were.
    pub deliveries: u64,
    /// Deliveries that were refused for a limit's sake.
    pub limited: u64,
    /// Deliveries whose worker was lost.
    pub lost: u64,
    /// Deliveries that failed in passing.
    pub retried: u64,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Prompt tokens that came from a cache.
    pub cached_tokens: u64,
    /// Produced tokens.
    pub output_tokens: u64,
    /// Produced tokens that were thinking.
    pub reasoning_tokens: u64,
    /// Most that might be spent.
    pub budget: i64,
    /// What was spent, waste included.
    pub spent: i64,
    /// The part of it that bought nothing.
    pub wasted: i64,
}

/// One task of the plan or around it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskFigures {
    /// Its id.
    pub id: String,
    /// Its short name in the plan.
    pub key: String,
    /// What it is called.
    pub title: String,
    /// What it is for.
    pub kind: String,
    /// Where it stands, in one word.
    pub state: String,
    /// The version of the plan that made it.
    pub plan_version: u32,
    /// Ids of tasks whose results it reads.
    pub parents: Vec<String>,
    /// Whether a later task stands in its place.
    pub superseded: bool,
    /// Longest chain of parents above it.
    pub level: u32,
    /// How many deliveries there were.
    pub deliveries: u64,
    /// Time of the call that gave its result.
    pub call_ms: u64,
    /// From the moment it could be done until a worker first had it.
    pub waited_ms: u64,
    /// Whether it lies on the critical path.
    pub critical: bool,
}

/// One account and what ran on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountFigures {
    /// Its name.
    pub name: String,
    /// The provider.
    pub provider: String,
    /// Deliveries, in order of dispatch.
    pub spans: Vec<Span>,
    /// How near its limits came.
    pub limits: Vec<LimitFigures>,
    /// What it cost.
    pub cost: i64,
}

/// One delivery on an account's timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// The task.
    pub task: String,
    /// Its short name in the plan.
    pub key: String,
    /// What it is called.
    pub title: String,
    /// What it is for.
    pub kind: String,
    /// The model.
    pub model: String,
    /// Which delivery of the attempt, from 0.
    pub epoch: u32,
    /// When a worker had it.
    pub start_ms: u64,
    /// When it was over.
    pub end_ms: u64,
    /// `done`, `asked`, `limited`, `refused` (the credential), `retried`, `continued`, `lost`,
    /// `unclaimed`, `failed`, `cancelled`, `handed_back` or `open`.
    pub end: String,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Produced tokens.
    pub output_tokens: u64,
    /// What it cost.
    pub cost: i64,
}

/// How near one limit came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitFigures {
    /// The quota group.
    pub group: String,
    /// What is limited.
    pub dimension: String,
    /// How much there may be.
    pub capacity: u64,
    /// Most that was taken at any time, in per cent of the capacity.
    pub peak_percent: f64,
}

/// A conflict and how it was resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConflictFigures {
    /// The conflict.
    pub conflict: Conflict,
    /// How it was resolved, if it was.
    pub resolution: Option<Resolution>,
}

/// One judgement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerdictFigures {
    /// Rounds of rework before it.
    pub round: u32,
    /// When.
    pub at_ms: u64,
    /// Requirements met, in thousandths.
    pub score: u32,
    /// The answers, requirement by requirement.
    pub items: Vec<VerdictItem>,
}

/// One file of the deliverable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFigures {
    /// Its path.
    pub path: String,
    /// How many bytes.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: String,
}

/// Something that went otherwise than planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// When.
    pub at_ms: u64,
    /// `limit`, `lost`, `retry`, `rework`, `conflict`, `question`, `budget`, `plan`, `failed`.
    pub kind: String,
    /// What happened, in a sentence.
    pub text: String,
}
