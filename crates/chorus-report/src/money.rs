//! Money by phase, account and model, beside the estimate of the first plan.

use std::collections::BTreeMap;

use chorus_core::attempt::DeliveryRow;
use chorus_core::project::HistoryEvent;
use chorus_core::task_kind::TaskKind;

use super::ends;
use super::figures::{MoneyFigures, MoneyShare};
use super::input::ReportInput;
use super::names::Names;

pub(super) fn money(input: &ReportInput, names: &Names<'_>) -> MoneyFigures {
    let planned = input.events.iter().find_map(|stored| match &stored.event {
        HistoryEvent::Planned { estimate, .. } => Some((stored.at, estimate)),
        _ => None,
    });
    let before = |row: &&DeliveryRow| {
        planned.is_some_and(|(at, _)| row.ended_at.is_some_and(|ended| ended <= at))
    };
    let rows = &input.deliveries;
    MoneyFigures {
        phases: in_order(shares(rows, |row| phase(row.kind).to_owned())),
        accounts: by_cost(shares(rows, |row| names.account(row.assignment.account))),
        models: by_cost(shares(rows, |row| row.assignment.model.to_string())),
        estimate: input.estimate.map(|(likely, most)| (likely.0, most.0)),
        estimated_calls: planned.map_or(0, |(_, estimate)| u64::from(estimate.calls)),
        before_plan: rows.iter().filter(before).map(|row| row.cost.0).sum(),
    }
}

/// Phase in which a kind of task runs, as the progress of a project names it.
const fn phase(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Clarify | TaskKind::Plan => "plan",
        TaskKind::Work | TaskKind::Answer => "work",
        TaskKind::Resolve => "resolve",
        TaskKind::Judge => "judge",
    }
}

fn shares(
    rows: &[DeliveryRow],
    name: impl Fn(&DeliveryRow) -> String,
) -> BTreeMap<String, MoneyShare> {
    let mut shares: BTreeMap<String, MoneyShare> = BTreeMap::new();
    for row in rows {
        let name = name(row);
        let share = shares.entry(name.clone()).or_default();
        share.name = name;
        share.calls += 1;
        share.cost += row.cost.0;
        if !ends::is_useful(row) {
            share.wasted += row.cost.0;
        }
    }
    shares
}

/// Phases in the order in which a project passes them.
fn in_order(mut shares: BTreeMap<String, MoneyShare>) -> Vec<MoneyShare> {
    ["plan", "work", "resolve", "judge"]
        .iter()
        .filter_map(|phase| shares.remove(*phase))
        .collect()
}

fn by_cost(shares: BTreeMap<String, MoneyShare>) -> Vec<MoneyShare> {
    let mut shares: Vec<MoneyShare> = shares.into_values().collect();
    shares.sort_by_key(|share| std::cmp::Reverse(share.cost));
    shares
}
