//! The figures of a report, in the form in which `report.json` holds them. Times are milliseconds since the
//! project was accepted, money is micro-dollars.

use chorus_core::merge::{Conflict, Settlement};
use chorus_core::verdict::VerdictItem;
use serde::Serialize;

/// The whole report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Report {
    /// Version of this form.
    pub(crate) version: u32,
    pub(crate) project: String,
    pub(crate) title: String,
    pub(crate) state: String,
    /// Whether the providers were simulated: then no real model was called.
    pub(crate) simulated: bool,
    pub(crate) totals: Totals,
    pub(crate) tasks: Vec<TaskFigures>,
    pub(crate) accounts: Vec<AccountFigures>,
    pub(crate) conflicts: Vec<ConflictFigures>,
    /// One for each time the deliverable was judged.
    pub(crate) verdicts: Vec<VerdictFigures>,
    /// What is wrong with the deliverable.
    pub(crate) defects: Vec<String>,
    pub(crate) assumptions: Vec<String>,
    pub(crate) files: Vec<FileFigures>,
    /// What went otherwise than planned, told in sentences, in order.
    pub(crate) happenings: Vec<Happening>,
}

/// Sums over the project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    /// From acceptance to the end, or to the last thing that happened.
    pub(crate) makespan_ms: u64,
    /// The longest chain of tasks that had to wait for each other, by the time their calls took.
    pub(crate) critical_path_ms: u64,
    /// Time of all calls added up.
    pub(crate) call_ms: u64,
    /// Time that tasks which could be done waited until a worker had them: for room within the limits, mostly.
    pub(crate) waited_ms: u64,
    pub(crate) deliveries: u64,
    /// Deliveries that were refused for a limit's sake.
    pub(crate) limited: u64,
    /// Deliveries whose worker was lost.
    pub(crate) lost: u64,
    /// Deliveries that failed in passing.
    pub(crate) retried: u64,
    pub(crate) input_tokens: u64,
    pub(crate) cached_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) reasoning_tokens: u64,
    pub(crate) budget: i64,
    pub(crate) spent: i64,
    pub(crate) wasted: i64,
}

/// One task of the plan or around it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct TaskFigures {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) title: String,
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) plan_version: u32,
    /// Ids of tasks whose results it reads.
    pub(crate) parents: Vec<String>,
    /// Whether a later task stands in its place.
    pub(crate) superseded: bool,
    /// Longest chain of parents above it.
    pub(crate) level: u32,
    pub(crate) deliveries: u64,
    /// Time of the call that gave its result.
    pub(crate) call_ms: u64,
    /// From the moment it could be done until a worker first had it.
    pub(crate) waited_ms: u64,
    /// Whether it lies on the critical path.
    pub(crate) critical: bool,
}

/// One account and what ran on it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct AccountFigures {
    pub(crate) name: String,
    pub(crate) provider: String,
    pub(crate) spans: Vec<Span>,
    pub(crate) limits: Vec<LimitFigures>,
    pub(crate) cost: i64,
}

/// One delivery on an account's timeline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Span {
    pub(crate) task: String,
    pub(crate) key: String,
    pub(crate) title: String,
    pub(crate) kind: String,
    pub(crate) model: String,
    pub(crate) epoch: u32,
    pub(crate) start_ms: u64,
    pub(crate) end_ms: u64,
    /// `done`, `asked`, `limited`, `retried`, `continued`, `lost`, `unclaimed`, `failed`, `cancelled`, `handed_back` or `open`.
    pub(crate) end: String,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) cost: i64,
}

/// How near one limit came.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LimitFigures {
    pub(crate) group: String,
    pub(crate) dimension: String,
    pub(crate) capacity: u64,
    /// Most that was taken at any time, in per cent of the capacity.
    pub(crate) peak_percent: f64,
}

/// A conflict and how it was settled.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ConflictFigures {
    pub(crate) conflict: Conflict,
    pub(crate) settlement: Option<Settlement>,
}

/// One judgement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct VerdictFigures {
    pub(crate) round: u32,
    pub(crate) at_ms: u64,
    /// Requirements met, in thousandths.
    pub(crate) score: u32,
    pub(crate) items: Vec<VerdictItem>,
}

/// One file of the deliverable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FileFigures {
    pub(crate) path: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// Something that went otherwise than planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Happening {
    pub(crate) at_ms: u64,
    /// `limit`, `lost`, `retry`, `rework`, `conflict`, `question`, `budget`, `plan`, `failed`.
    pub(crate) kind: String,
    pub(crate) text: String,
}
