//! Computes the figures of a [`Report`] from a [`ReportInput`].
//!
//! Pure. The critical path is in [`path`], sentences about unplanned events are in [`happenings`].

use std::collections::BTreeMap;

use chorus_core::attempt::{DeliveryEnd, DeliveryRow, Outcome, Requeue};
use chorus_core::id::{AccountId, TaskId};
use chorus_core::llm::Usage;
use chorus_core::port::directory::Credential;
use chorus_core::project::{HistoryEvent, State, Task};
use chorus_core::time::Timestamp;

use super::figures::{
    AccountFigures, ConflictFigures, FileFigures, LimitFigures, Report, Span, TaskFigures, Totals,
    VerdictFigures,
};
use super::input::ReportInput;
use super::json_name::json_name;
use super::{happenings, path};

/// Builds the report of a project.
pub fn build(input: &ReportInput) -> Report {
    let took = call_times(input);
    let (critical, critical_path_ms) = path::critical(&input.project.tasks, &took);
    let head = &input.project.head;
    Report {
        version: 1,
        project: head.id.to_string(),
        title: head.title.clone(),
        state: head.state.as_str().to_owned(),
        simulated: input.simulated,
        totals: totals(input, critical_path_ms),
        tasks: tasks(input, &took, &critical),
        accounts: accounts(input),
        conflicts: conflicts(input),
        verdicts: verdicts(input),
        defects: match &head.state {
            State::Partial { defects, .. } => defects.clone(),
            State::Failed { why } => vec![why.clone()],
            _ => Vec::new(),
        },
        assumptions: head.assumptions.clone(),
        files: files(input),
        happenings: happenings::happenings(input),
    }
}

impl ReportInput {
    pub(super) fn since(&self, at: Timestamp) -> u64 {
        at.since(self.project.head.created_at).0
    }

    pub(super) fn task(&self, id: TaskId) -> Option<&Task> {
        self.project.tasks.get(&id)
    }

    pub(super) fn account(&self, id: AccountId) -> String {
        self.accounts
            .iter()
            .find(|account| account.id == id)
            .map_or_else(|| id.to_string(), |account| account.name.clone())
    }
}

/// Name of the end of a delivery, as [`Span::end`] holds it.
fn end_name(delivery: &DeliveryRow) -> &'static str {
    match &delivery.end {
        None => "open",
        Some(DeliveryEnd::Unclaimed) => "unclaimed",
        Some(DeliveryEnd::WorkerLost) => "lost",
        Some(DeliveryEnd::Cancelled) => "cancelled",
        Some(DeliveryEnd::Finished { outcome }) => match outcome {
            Outcome::Succeeded { .. } => "done",
            Outcome::Asked { .. } => "asked",
            Outcome::Failed { .. } => "failed",
            Outcome::Requeue { reason, .. } => match reason {
                Requeue::Limited { class } if class.rule().is_limit() => "limited",
                Requeue::Limited { .. } => "refused",
                Requeue::Retry { .. } => "retried",
                Requeue::Continue => "continued",
                Requeue::Drained | Requeue::LeaseGone => "handed_back",
            },
        },
    }
}

/// Milliseconds of the calls that produced each task's result; all deliveries of a continued answer are added up.
fn call_times(input: &ReportInput) -> BTreeMap<TaskId, u64> {
    let mut took = BTreeMap::new();
    for delivery in &input.deliveries {
        if let (Some(claimed), Some(ended), "done" | "asked" | "continued") =
            (delivery.claimed_at, delivery.ended_at, end_name(delivery))
        {
            *took.entry(delivery.task).or_insert(0) += ended.since(claimed).0;
        }
    }
    took
}

/// Milliseconds from the time at which each task became ready to its first claim by a worker.
fn waits(input: &ReportInput) -> BTreeMap<TaskId, u64> {
    let mut ready = BTreeMap::new();
    for stored in &input.events {
        if let HistoryEvent::TaskReady { task, .. } = &stored.event {
            ready.entry(task.id).or_insert(stored.at);
        }
    }
    let mut claimed: BTreeMap<TaskId, Timestamp> = BTreeMap::new();
    for row in &input.deliveries {
        if let Some(at) = row.claimed_at {
            claimed
                .entry(row.task)
                .and_modify(|first| *first = at.min(*first))
                .or_insert(at);
        }
    }
    ready
        .into_iter()
        .filter_map(|(id, at)| Some((id, claimed.get(&id)?.since(at).0)))
        .collect()
}

fn totals(input: &ReportInput, critical_path_ms: u64) -> Totals {
    let usage = input
        .deliveries
        .iter()
        .filter_map(|row| row.usage)
        .fold(Usage::default(), |sum, usage| sum + usage);
    let count = |end: &str| {
        input
            .deliveries
            .iter()
            .filter(|row| end_name(row) == end)
            .count() as u64
    };
    Totals {
        makespan_ms: makespan(input),
        critical_path_ms,
        call_ms: call_time(input),
        waited_ms: waits(input).values().sum(),
        deliveries: input.deliveries.len() as u64,
        limited: count("limited"),
        lost: count("lost"),
        retried: count("retried"),
        input_tokens: usage.prompt(),
        cached_tokens: usage.cache_read,
        output_tokens: usage.output,
        reasoning_tokens: usage.reasoning,
        budget: input.money.budget.0,
        spent: input.money.spent.0,
        wasted: input.money.wasted.0,
    }
}

/// Milliseconds from the start to the last event or the last end of a delivery.
fn makespan(input: &ReportInput) -> u64 {
    let last = input
        .events
        .iter()
        .map(|event| event.at)
        .chain(input.deliveries.iter().filter_map(|row| row.ended_at))
        .max();
    last.map_or(0, |last| input.since(last))
}

/// Sum of the milliseconds in which workers held deliveries.
fn call_time(input: &ReportInput) -> u64 {
    input
        .deliveries
        .iter()
        .filter_map(|row| Some(row.ended_at?.since(row.claimed_at?).0))
        .sum()
}

fn tasks(
    input: &ReportInput,
    took: &BTreeMap<TaskId, u64>,
    critical: &[TaskId],
) -> Vec<TaskFigures> {
    let levels = path::levels(&input.project.tasks);
    let waited = waits(input);
    let figures = |task: &Task| TaskFigures {
        id: task.id.to_string(),
        key: task.key.to_string(),
        title: task.title.clone(),
        kind: json_name(&task.kind),
        state: task.state.as_str().to_owned(),
        plan_version: task.plan_version,
        parents: task.parents.iter().map(ToString::to_string).collect(),
        superseded: task.superseded_by.is_some(),
        level: levels.get(&task.id).copied().unwrap_or(0),
        deliveries: input
            .deliveries
            .iter()
            .filter(|row| row.task == task.id)
            .count() as u64,
        call_ms: took.get(&task.id).copied().unwrap_or(0),
        waited_ms: waited.get(&task.id).copied().unwrap_or(0),
        critical: critical.contains(&task.id),
    };
    input.project.tasks.values().map(figures).collect()
}

fn accounts(input: &ReportInput) -> Vec<AccountFigures> {
    let mut lanes: BTreeMap<(String, String), AccountFigures> = BTreeMap::new();
    for account in &input.accounts {
        for credential in &account.credentials {
            let lane = AccountFigures {
                limits: limits_of(input, credential),
                ..lane(account.name.clone(), credential.provider.to_string())
            };
            lanes.insert((lane.name.clone(), lane.provider.clone()), lane);
        }
    }
    for delivery in &input.deliveries {
        let key = (
            input.account(delivery.assignment.account),
            delivery.assignment.provider.to_string(),
        );
        let lane = lanes
            .entry(key.clone())
            .or_insert_with(|| lane(key.0, key.1));
        lane.cost += delivery.cost.0;
        lane.spans.push(span(input, delivery));
    }
    lanes.into_values().collect()
}

/// An account at a provider, without deliveries and limits.
const fn lane(name: String, provider: String) -> AccountFigures {
    AccountFigures {
        name,
        provider,
        spans: Vec::new(),
        limits: Vec::new(),
        cost: 0,
    }
}

/// Figures of the limits on the credential's quota groups.
fn limits_of(input: &ReportInput, credential: &Credential) -> Vec<LimitFigures> {
    let has = |group: &str| {
        credential
            .groups
            .iter()
            .any(|of| of.group.id.as_str() == group)
    };
    let limits = input.limits.iter().filter(|limit| has(&limit.group));
    limits.map(limit).collect()
}

#[expect(clippy::cast_precision_loss, reason = "per cent for people")]
fn limit(limit: &super::LimitUse) -> LimitFigures {
    let taken = (limit.capacity as f64 - limit.least_left as f64).max(0.0);
    LimitFigures {
        group: limit.group.clone(),
        dimension: limit.dimension.clone(),
        capacity: limit.capacity,
        peak_percent: (taken / (limit.capacity.max(1) as f64) * 1000.0).round() / 10.0,
    }
}

fn span(input: &ReportInput, delivery: &DeliveryRow) -> Span {
    let task = input.task(delivery.task);
    let start = delivery.claimed_at.unwrap_or(delivery.dispatched_at);
    let usage = delivery.usage.unwrap_or_default();
    Span {
        task: delivery.task.to_string(),
        key: task.map_or_else(String::new, |task| task.key.to_string()),
        title: task.map_or_else(String::new, |task| task.title.clone()),
        kind: json_name(&delivery.kind),
        model: delivery.assignment.model.to_string(),
        epoch: delivery.epoch.0,
        start_ms: input.since(start),
        end_ms: input.since(delivery.ended_at.unwrap_or(start)),
        end: end_name(delivery).to_owned(),
        input_tokens: usage.prompt(),
        output_tokens: usage.output,
        cost: delivery.cost.0,
    }
}

fn conflicts(input: &ReportInput) -> Vec<ConflictFigures> {
    let Some(deliverable) = &input.deliverable else {
        return Vec::new();
    };
    let resolved = |id: &str| {
        deliverable
            .resolutions
            .iter()
            .find(|resolution| resolution.conflict == id)
            .cloned()
    };
    deliverable
        .conflicts
        .iter()
        .map(|conflict| ConflictFigures {
            conflict: conflict.clone(),
            resolution: resolved(&conflict.id),
        })
        .collect()
}

fn verdicts(input: &ReportInput) -> Vec<VerdictFigures> {
    let judged = input
        .events
        .iter()
        .filter_map(|stored| match &stored.event {
            HistoryEvent::Judged {
                verdict,
                score,
                round,
                ..
            } => Some(VerdictFigures {
                round: *round,
                at_ms: input.since(stored.at),
                score: *score,
                items: verdict.items.clone(),
            }),
            _ => None,
        });
    judged.collect()
}

fn files(input: &ReportInput) -> Vec<FileFigures> {
    let files = input
        .deliverable
        .iter()
        .flat_map(|deliverable| &deliverable.files);
    files
        .map(|file| FileFigures {
            path: file.path.clone(),
            bytes: file.bytes,
            sha256: file.content.to_string(),
        })
        .collect()
}
