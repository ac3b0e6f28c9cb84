//! Figures of a report in the form of `report.json`. Times are milliseconds since the project was accepted, money is
//! in micro-dollars.
//!
//! Computed by [`build`](crate::build()); the HTML page reads the same names.

use chorus_core::merge::{Conflict, Resolution};
use chorus_core::plan::Requirement;
use chorus_core::verdict::{Undecided, VerdictItem};
use serde::{Deserialize, Serialize};

/// Report of one project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this form.
    pub version: u32,
    /// Id of the project.
    pub project: String,
    /// Title of the project.
    pub title: String,
    /// State of the project, as [`State::as_str`](chorus_core::project::State::as_str) names it.
    pub state: String,
    /// True if the providers were simulated: no real model was called.
    pub simulated: bool,
    /// Sums over the project.
    pub totals: Totals,
    /// All tasks, replaced ones included.
    pub tasks: Vec<TaskFigures>,
    /// One lane for each account and provider.
    pub accounts: Vec<AccountFigures>,
    /// Conflicts with their resolutions.
    pub conflicts: Vec<ConflictFigures>,
    /// Requirements of the newest plan, which verdicts name by id.
    #[serde(default)]
    pub requirements: Vec<Requirement>,
    /// Verdicts, one for each time the deliverable was judged.
    pub verdicts: Vec<VerdictFigures>,
    /// Defects of the deliverable, or the reason why there is none.
    pub defects: Vec<String>,
    /// Assumptions about the brief.
    pub assumptions: Vec<String>,
    /// Files of the deliverable.
    pub files: Vec<FileFigures>,
    /// Unplanned events as sentences, in order of time.
    pub happenings: Vec<Happening>,
    /// Money by phase, account and model, and the estimate of the first plan.
    #[serde(default)]
    pub money: MoneyFigures,
    /// Waits of calls, by reason, longest sum first.
    #[serde(default)]
    pub waits: Vec<WaitFigures>,
    /// Times in which nothing ran because the client was asked or had paused the project.
    #[serde(default)]
    pub pauses: Vec<Pause>,
}

/// Sums over the project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Milliseconds from acceptance to the last event.
    pub makespan_ms: u64,
    /// Milliseconds of the longest chain of tasks that waited for each other.
    pub critical_path_ms: u64,
    /// Milliseconds of all calls, added up.
    pub call_ms: u64,
    /// Milliseconds that ready tasks waited for a worker, mostly for room within the limits, added up.
    pub waited_ms: u64,
    /// Number of deliveries.
    pub deliveries: u64,
    /// Number of deliveries refused because of a limit.
    pub limited: u64,
    /// Number of deliveries with a lost worker.
    pub lost: u64,
    /// Number of deliveries with a passing failure.
    pub retried: u64,
    /// Number of prompt tokens, cached ones included.
    pub input_tokens: u64,
    /// Number of prompt tokens read from a cache.
    pub cached_tokens: u64,
    /// Number of produced tokens.
    pub output_tokens: u64,
    /// Number of produced tokens spent on reasoning.
    pub reasoning_tokens: u64,
    /// Maximum that may be spent.
    pub budget: i64,
    /// Money spent, waste included.
    pub spent: i64,
    /// Part of the money spent on calls without a result.
    pub wasted: i64,
    /// Part of the waste that was reserved for calls of which nothing was heard: no provider confirmed it.
    #[serde(default)]
    pub unconfirmed: i64,
    /// Number of calls of which the provider did not report all tokens: they are estimated from the texts.
    #[serde(default)]
    pub estimated: u64,
    /// Milliseconds of all [`Report::pauses`].
    #[serde(default)]
    pub client_ms: u64,
}

/// Shares of the money, and the estimate that the client saw.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MoneyFigures {
    /// One share for each phase: `plan`, `work`, `resolve`, `judge`.
    pub phases: Vec<MoneyShare>,
    /// One share for each account, most expensive first.
    pub accounts: Vec<MoneyShare>,
    /// One share for each model, most expensive first.
    pub models: Vec<MoneyShare>,
    /// Price of the first plan, likely and with much rework; none where it cannot be computed.
    pub estimate: Option<(i64, i64)>,
    /// Number of calls that the first plan needed at least; 0 before a plan.
    pub estimated_calls: u64,
    /// Money spent before the first plan, which the estimate leaves out.
    pub before_plan: i64,
}

/// Calls and money of one phase, account or model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MoneyShare {
    /// Name of the phase, account or model.
    pub name: String,
    /// Number of deliveries.
    pub calls: u64,
    /// Money spent, waste included.
    pub cost: i64,
    /// Part of it for deliveries without a result.
    pub wasted: i64,
}

/// Waits for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitFigures {
    /// `room`: ready and not admitted yet; `worker`: admitted and not claimed yet; `limit`, `refusal`, `retry`,
    /// `loss`, `other`: from the end of such a delivery to the next of the same attempt.
    pub reason: String,
    /// Number of waits.
    pub count: u64,
    /// Milliseconds of all of them.
    pub total_ms: u64,
    /// Milliseconds of the longest.
    pub longest_ms: u64,
    /// Key of the task that waited longest.
    pub longest_task: String,
}

/// A time in which nothing ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Start of the time.
    pub start_ms: u64,
    /// End of the time.
    pub end_ms: u64,
    /// `questions`, `approval`, `attention` or `paused`.
    pub why: String,
}

/// One task of the plan or around it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskFigures {
    /// Id of the task.
    pub id: String,
    /// Key of the task in the plan.
    pub key: String,
    /// Title of the task.
    pub title: String,
    /// Kind of the task, as [`TaskKind`](chorus_core::task_kind::TaskKind) is written in JSON.
    pub kind: String,
    /// State of the task.
    pub state: String,
    /// Version of the plan that made the task.
    pub plan_version: u32,
    /// Ids of its parents, which its prompt quotes.
    pub parents: Vec<String>,
    /// True if a later task replaced this one.
    pub superseded: bool,
    /// Length of the longest chain of parents above the task.
    pub level: u32,
    /// Number of the stage, from 0: clarifying, planning, then work, resolving and judging of each plan version.
    #[serde(default)]
    pub stage: u32,
    /// True if the task waited for all tasks of the stage before.
    #[serde(default)]
    pub first: bool,
    /// Number of deliveries.
    pub deliveries: u64,
    /// Milliseconds of the calls that produced its result.
    pub call_ms: u64,
    /// Milliseconds from readiness to the first claim by a worker.
    pub waited_ms: u64,
    /// True if the task is on the critical path.
    pub critical: bool,
    /// Money spent on its deliveries.
    #[serde(default)]
    pub cost: i64,
    /// Cause of the failure; empty for tasks that did not fail.
    #[serde(default)]
    pub why: String,
}

/// Lane of one account at one provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountFigures {
    /// Name of the account.
    pub name: String,
    /// Name of the provider.
    pub provider: String,
    /// Deliveries, in order of dispatch.
    pub spans: Vec<Span>,
    /// Use of the limits of the account.
    pub limits: Vec<LimitFigures>,
    /// Price in micro-dollars.
    pub cost: i64,
}

/// One delivery on an account's timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Id of the task.
    pub task: String,
    /// Key of the task in the plan.
    pub key: String,
    /// Title of the task.
    pub title: String,
    /// Kind of the task.
    pub kind: String,
    /// Name of the model.
    pub model: String,
    /// Number of the delivery within its attempt, from 0.
    pub epoch: u32,
    /// Time of the claim, or of the dispatch before a claim.
    pub start_ms: u64,
    /// Time of the end.
    pub end_ms: u64,
    /// One of `done`, `asked`, `limited`, `refused` (the credential), `retried`, `continued`, `lost`,
    /// `unclaimed`, `failed`, `cancelled`, `handed_back` or `open`.
    pub end: String,
    /// Number of prompt tokens, cached ones included.
    pub input_tokens: u64,
    /// Number of produced tokens.
    pub output_tokens: u64,
    /// Price in micro-dollars.
    pub cost: i64,
    /// True if the price is what was reserved: nothing was heard of the call.
    #[serde(default)]
    pub unconfirmed: bool,
    /// True if the provider did not report all tokens: they are estimated from the texts.
    #[serde(default)]
    pub estimated: bool,
}

/// Peak use of one limit by the calls of this project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitFigures {
    /// Id of the quota group.
    pub group: String,
    /// Name of the limited dimension.
    pub dimension: String,
    /// Capacity of the limit.
    pub capacity: u64,
    /// Window in which the amount comes back: `bucket`, `sliding`, `day`, `month`, or `held` for slots.
    #[serde(default)]
    pub window: String,
    /// Length of a `bucket` or `sliding` window.
    #[serde(default)]
    pub window_ms: Option<u64>,
    /// Maximum that was taken at any time, in per cent of the capacity, in the provider's own window.
    pub peak_percent: f64,
    /// Explanation of more than 100 %: `produced`, a call that began with room produced more than was left;
    /// `granted`, the provider served more than the limit known here. Else empty.
    #[serde(default)]
    pub note: String,
}

/// A [`Conflict`] with its [`Resolution`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConflictFigures {
    /// Claims that contradict each other.
    pub conflict: Conflict,
    /// Resolution; none if the deliverable shows all claims.
    pub resolution: Option<Resolution>,
    /// Places of the claims, in their order.
    #[serde(default)]
    pub places: Vec<ClaimPlace>,
}

/// Place where a [`Claim`](chorus_core::merge::Claim) stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimPlace {
    /// Id of the claim in its conflict.
    pub claim: String,
    /// Titles of the tasks that claim it: chapters, where the plan follows chapters.
    pub titles: Vec<String>,
    /// Paths of the files that hold their parts.
    pub files: Vec<String>,
}

/// One verdict on the deliverable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerdictFigures {
    /// Number of rounds of rework before it.
    pub round: u32,
    /// Time of the event.
    pub at_ms: u64,
    /// Share of the requirements that were met, in thousandths.
    pub score: u32,
    /// Findings, one for each requirement.
    pub items: Vec<VerdictItem>,
    /// Requirements that could not be decided.
    #[serde(default)]
    pub undecided: Vec<Undecided>,
}

/// One file of the deliverable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFigures {
    /// Relative path of the file.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes, in hexadecimal.
    pub sha256: String,
}

/// An unplanned event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    /// Time of the event.
    pub at_ms: u64,
    /// One of `limit`, `refusal`, `lost`, `retry`, `rework`, `conflict`, `question`, `budget`, `plan`, `failed`,
    /// `client`.
    pub kind: String,
    /// Sentence that describes the event.
    pub text: String,
    /// The same sentence in Vietnamese; empty in reports of earlier releases.
    #[serde(default)]
    pub text_vi: String,
}
