//! Sentences about unplanned events: refusals, lost workers, retries, conflicts, rework, failures.
//!
//! Built from the history and the deliveries of a [`ReportInput`]; [`build`](crate::build()) puts them into
//! the [`Report`](crate::Report) in order of time.

use chorus_core::attempt::{DeliveryEnd, DeliveryRow, Outcome, Requeue};
use chorus_core::merge::Conflict;
use chorus_core::project::{HistoryEvent, TaskRef};

use super::figures::Happening;
use super::input::ReportInput;
use super::json_name::json_name;

pub(super) fn happenings(input: &ReportInput) -> Vec<Happening> {
    let of_events = input.events.iter().filter_map(|stored| {
        let (kind, text) = event_sentence(&stored.event)?;
        Some(Happening {
            at_ms: input.since(stored.at),
            kind: kind.to_owned(),
            text,
        })
    });
    let of_deliveries = input.deliveries.iter().filter_map(|delivery| {
        let (kind, text) = delivery_sentence(input, delivery)?;
        Some(Happening {
            at_ms: input.since(delivery.ended_at?),
            kind: kind.to_owned(),
            text,
        })
    });
    let mut all: Vec<Happening> = of_events.chain(of_deliveries).collect();
    all.sort_by_key(|happening| happening.at_ms);
    all
}

fn event_sentence(event: &HistoryEvent) -> Option<(&'static str, String)> {
    Some(match event {
        HistoryEvent::Planned {
            version,
            tasks,
            fallback: true,
            ..
        } => (
            "plan",
            format!(
                "no reply of the planner could be used: a rule made plan {version} with {tasks} tasks"
            ),
        ),
        HistoryEvent::TaskFailed { task, cause } => (
            "failed",
            format!(
                "task {} “{}” has no result: {}",
                task.key,
                task.title,
                failure_text(cause)
            ),
        ),
        HistoryEvent::TaskSkipped { task } => (
            "failed",
            format!(
                "task {} “{}” was skipped: its parents failed it",
                task.key, task.title
            ),
        ),
        HistoryEvent::TaskAsked { task, question } => {
            ("question", format!("task {} asked: {question}", task.key))
        }
        HistoryEvent::ConflictFound { conflict } => ("conflict", conflict_found(conflict)),
        HistoryEvent::ConflictResolved { resolution } => (
            "conflict",
            format!(
                "conflict {} resolved by {}: {}",
                resolution.conflict,
                json_name(&resolution.by),
                resolution.reason
            ),
        ),
        HistoryEvent::Reworked { round, tasks, .. } => ("rework", reworked(*round, tasks)),
        HistoryEvent::BudgetExhausted => (
            "budget",
            "the budget does not cover another call: nothing new is started".to_owned(),
        ),
        _ => return None,
    })
}

fn conflict_found(conflict: &Conflict) -> String {
    let values: Vec<String> = conflict
        .claims
        .iter()
        .map(|claim| format!("“{}”", claim.value))
        .collect();
    format!(
        "conflict {} about {}: {}",
        conflict.id,
        conflict.subject,
        values.join(" against ")
    )
}

fn reworked(round: u32, tasks: &[(TaskRef, String)]) -> String {
    let named: Vec<String> = tasks
        .iter()
        .map(|(task, _)| format!("{} “{}”", task.key, task.title))
        .collect();
    format!("round {round} of rework: {}", named.join(", "))
}

/// Text of a failure: its name in JSON and its message.
fn failure_text<T: serde::Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    let field = |name: &str| {
        value
            .get(name)
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default()
            .replace('_', " ")
    };
    let (why, message) = (field("why"), field("message"));
    if message.is_empty() {
        why
    } else {
        format!("{why}: {message}")
    }
}

fn delivery_sentence(
    input: &ReportInput,
    delivery: &DeliveryRow,
) -> Option<(&'static str, String)> {
    let key = input
        .task(delivery.task)
        .map_or_else(|| delivery.task.to_string(), |task| task.key.to_string());
    let account = input.account(delivery.assignment.account);
    Some(match &delivery.end {
        Some(DeliveryEnd::WorkerLost) => (
            "lost",
            format!("the worker that held task {key} on {account} was lost: delivered again"),
        ),
        Some(DeliveryEnd::Unclaimed) => (
            "lost",
            format!("no worker claimed task {key} in time: queued again"),
        ),
        Some(DeliveryEnd::Finished {
            outcome:
                Outcome::Requeue {
                    reason: Requeue::Limited { class },
                    not_before,
                    ..
                },
        }) => {
            let wait = delivery
                .ended_at
                .map_or(0, |ended| not_before.since(ended).0);
            let kind = if class.rule().is_limit() {
                "limit"
            } else {
                "refusal"
            };
            (
                kind,
                format!(
                    "{account} refused task {key} ({}): it waits {wait} ms, no attempt is burnt",
                    class.as_str().replace('_', " ")
                ),
            )
        }
        Some(DeliveryEnd::Finished {
            outcome:
                Outcome::Requeue {
                    reason: Requeue::Retry { class },
                    ..
                },
        }) => (
            "retry",
            format!(
                "the call of task {key} on {account} failed in passing ({}): delivered again",
                class.as_str().replace('_', " ")
            ),
        ),
        _ => return None,
    })
}
