//! Computes the figures of a [`Report`] from a [`ReportInput`].
//!
//! Pure, and linear in tasks, deliveries and events. The critical path is in [`path`](super::path), limits are in [`limits`], money is
//! in [`money`], waits and pauses are in [`waits`], conflicts are in [`conflicts`], sentences about unplanned events are
//! in [`happenings`].
//!
//! [`limits`]: super::limits

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::attempt::DeliveryRow;
use chorus_core::id::TaskId;
use chorus_core::llm::Usage;
use chorus_core::project::{HistoryEvent, State, Task, TaskState};
use chorus_core::time::Timestamp;

use super::figures::{
    AccountFigures, FileFigures, Pause, Report, Span, TaskFigures, Totals, VerdictFigures,
};
use super::input::ReportInput;
use super::json_name::json_name;
use super::limits::GroupUse;
use super::names::Names;
use super::path::{Order, Place};
use super::{conflicts, ends, happenings, money, waits};

/// Builds the report of a project.
pub fn build(input: &ReportInput) -> Report {
    let names = Names::of(input);
    let order = Order::of(&input.project.tasks);
    let took = call_times(input);
    let (critical, critical_path_ms) = order.critical(&took);
    let pauses = waits::pauses(input);
    let head = &input.project.head;
    Report {
        version: 1,
        project: head.id.to_string(),
        title: head.title.clone(),
        state: head.state.as_str().to_owned(),
        simulated: input.simulated,
        totals: totals(input, critical_path_ms, &pauses),
        tasks: tasks(input, &took, &critical, &order.places()),
        accounts: accounts(input, &names),
        conflicts: conflicts::conflicts(input),
        requirements: input
            .plan
            .as_ref()
            .map(|plan| plan.requirements.clone())
            .unwrap_or_default(),
        verdicts: verdicts(input),
        defects: match &head.state {
            State::Partial { defects, .. } => defects.clone(),
            State::Failed { why } => vec![why.clone()],
            _ => Vec::new(),
        },
        assumptions: head.assumptions.clone(),
        files: files(input),
        happenings: happenings::happenings(input, &names),
        money: money::money(input, &names),
        waits: waits::waits(input),
        pauses,
    }
}

impl ReportInput {
    pub(super) fn since(&self, at: Timestamp) -> u64 {
        at.since(self.project.head.created_at).0
    }

    pub(super) fn task(&self, id: TaskId) -> Option<&Task> {
        self.project.tasks.get(&id)
    }
}

/// Milliseconds of the calls that produced each task's result; all deliveries of a continued answer are added up.
fn call_times(input: &ReportInput) -> BTreeMap<TaskId, u64> {
    let mut took = BTreeMap::new();
    for delivery in &input.deliveries {
        if let (Some(claimed), Some(ended), "done" | "asked" | "continued") =
            (delivery.claimed_at, delivery.ended_at, ends::name(delivery))
        {
            *took.entry(delivery.task).or_insert(0) += ended.since(claimed).0;
        }
    }
    took
}

fn totals(input: &ReportInput, critical_path_ms: u64, pauses: &[Pause]) -> Totals {
    let rows = || input.deliveries.iter();
    let usage = rows()
        .filter_map(|row| row.usage)
        .fold(Usage::default(), |sum, usage| sum + usage);
    let count = |end: &str| rows().filter(|row| ends::name(row) == end).count() as u64;
    Totals {
        makespan_ms: makespan(input),
        critical_path_ms,
        call_ms: call_time(input),
        waited_ms: waits::first_waits(input).values().sum(),
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
        unconfirmed: rows()
            .filter(|row| ends::is_unconfirmed(row))
            .map(|row| row.cost.0)
            .sum(),
        estimated: rows()
            .filter(|row| row.usage.is_some_and(|usage| usage.is_estimated))
            .count() as u64,
        client_ms: pauses
            .iter()
            .map(|pause| pause.end_ms - pause.start_ms)
            .sum(),
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

/// Number and cost of the deliveries of each task.
fn delivered(input: &ReportInput) -> BTreeMap<TaskId, (u64, i64)> {
    let mut delivered: BTreeMap<TaskId, (u64, i64)> = BTreeMap::new();
    for row in &input.deliveries {
        let (count, cost) = delivered.entry(row.task).or_default();
        *count += 1;
        *cost += row.cost.0;
    }
    delivered
}

fn tasks(
    input: &ReportInput,
    took: &BTreeMap<TaskId, u64>,
    critical: &[TaskId],
    places: &BTreeMap<TaskId, Place>,
) -> Vec<TaskFigures> {
    let critical: BTreeSet<TaskId> = critical.iter().copied().collect();
    let (waited, delivered) = (waits::first_waits(input), delivered(input));
    let figures = |task: &Task| {
        let place = places.get(&task.id).copied().unwrap_or_default();
        let (deliveries, cost) = delivered.get(&task.id).copied().unwrap_or_default();
        TaskFigures {
            id: task.id.to_string(),
            key: task.key.to_string(),
            title: task.title.clone(),
            kind: json_name(&task.kind),
            state: task.state.as_str().to_owned(),
            plan_version: task.plan_version,
            parents: task.parents.iter().map(ToString::to_string).collect(),
            superseded: task.superseded_by.is_some(),
            level: place.level,
            stage: place.stage,
            first: place.is_first,
            deliveries,
            call_ms: took.get(&task.id).copied().unwrap_or(0),
            waited_ms: waited.get(&task.id).copied().unwrap_or(0),
            critical: critical.contains(&task.id),
            cost,
            why: match &task.state {
                TaskState::Failed { cause } => happenings::failure_text(cause),
                _ => String::new(),
            },
        }
    };
    input.project.tasks.values().map(figures).collect()
}

fn accounts(input: &ReportInput, names: &Names<'_>) -> Vec<AccountFigures> {
    let mut groups = GroupUse::of(input);
    let mut lanes: BTreeMap<(String, String), AccountFigures> = BTreeMap::new();
    for account in &input.accounts {
        for credential in &account.credentials {
            let key = (account.name.clone(), credential.provider.to_string());
            let lane = lanes
                .entry(key.clone())
                .or_insert_with(|| lane(key.0, key.1));
            for limit in groups.limits_of(credential) {
                if !lane.limits.contains(&limit) {
                    lane.limits.push(limit);
                }
            }
        }
    }
    for delivery in &input.deliveries {
        let key = (
            names.account(delivery.assignment.account),
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
        end: ends::name(delivery).to_owned(),
        input_tokens: usage.prompt(),
        output_tokens: usage.output,
        cost: delivery.cost.0,
        unconfirmed: ends::is_unconfirmed(delivery),
        estimated: usage.is_estimated,
    }
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
                undecided: verdict.undecided.clone(),
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
