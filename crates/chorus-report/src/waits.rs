//! Waits: of tasks for admission, of deliveries for a worker, of attempts for their next delivery, and of the whole
//! project for its client.

use std::collections::BTreeMap;

use chorus_core::attempt::DeliveryRow;
use chorus_core::id::{AttemptId, TaskId};
use chorus_core::project::HistoryEvent;
use chorus_core::time::Timestamp;

use super::ends;
use super::figures::{Pause, WaitFigures};
use super::input::ReportInput;

/// Shortest wait for the client that is shown, in milliseconds.
const SHORTEST_PAUSE: u64 = 1_000;

/// Milliseconds from the time at which each task became ready to its first claim by a worker.
pub(super) fn first_waits(input: &ReportInput) -> BTreeMap<TaskId, u64> {
    let mut claimed: BTreeMap<TaskId, Timestamp> = BTreeMap::new();
    for row in &input.deliveries {
        if let Some(at) = row.claimed_at {
            let first = claimed.entry(row.task).or_insert(at);
            *first = at.min(*first);
        }
    }
    ready(input)
        .into_iter()
        .filter_map(|(id, at)| Some((id, claimed.get(&id)?.since(at).0)))
        .collect()
}

/// Time at which the first attempt of each task was queued.
fn ready(input: &ReportInput) -> BTreeMap<TaskId, Timestamp> {
    let mut ready = BTreeMap::new();
    for stored in &input.events {
        if let HistoryEvent::TaskReady { task, .. } = &stored.event {
            ready.entry(task.id).or_insert(stored.at);
        }
    }
    ready
}

/// Waits by reason, longest sum first.
pub(super) fn waits(input: &ReportInput) -> Vec<WaitFigures> {
    let mut waits = Waits::default();
    let ready = ready(input);
    let mut last: BTreeMap<AttemptId, &DeliveryRow> = BTreeMap::new();
    let mut seen: BTreeMap<TaskId, ()> = BTreeMap::new();
    for row in &input.deliveries {
        if seen.insert(row.task, ()).is_none()
            && let Some(at) = ready.get(&row.task)
        {
            waits.add(input, "room", row, row.dispatched_at.since(*at).0);
        }
        if let Some(claimed) = row.claimed_at {
            waits.add(input, "worker", row, claimed.since(row.dispatched_at).0);
        }
        if let Some(before) = last.insert(row.attempt, row)
            && let Some(ended) = before.ended_at
        {
            waits.add(input, reason(before), row, row.dispatched_at.since(ended).0);
        }
    }
    let mut sums: Vec<WaitFigures> = waits.0.into_values().collect();
    sums.sort_by_key(|wait| std::cmp::Reverse(wait.total_ms));
    sums
}

/// Reason of a new delivery, by the end of the one before.
fn reason(before: &DeliveryRow) -> &'static str {
    match ends::name(before) {
        "limited" => "limit",
        "refused" => "refusal",
        "retried" => "retry",
        "lost" | "unclaimed" => "loss",
        _ => "other",
    }
}

/// Sums by reason.
#[derive(Default)]
struct Waits(BTreeMap<&'static str, WaitFigures>);

impl Waits {
    /// Adds a wait, unless it is no longer than the clock shows.
    fn add(&mut self, input: &ReportInput, reason: &'static str, row: &DeliveryRow, millis: u64) {
        if millis == 0 {
            return;
        }
        let sum = self.0.entry(reason).or_insert_with(|| WaitFigures {
            reason: reason.to_owned(),
            count: 0,
            total_ms: 0,
            longest_ms: 0,
            longest_task: String::new(),
        });
        sum.count += 1;
        sum.total_ms += millis;
        if millis > sum.longest_ms {
            sum.longest_ms = millis;
            sum.longest_task = input
                .task(row.task)
                .map_or_else(String::new, |task| task.key.to_string());
        }
    }
}

/// Times in which nothing ran because the client had to do something, in order.
pub(super) fn pauses(input: &ReportInput) -> Vec<Pause> {
    let mut busy: Vec<(u64, u64)> = input
        .deliveries
        .iter()
        .map(|row| {
            let start = input.since(row.dispatched_at);
            (start, row.ended_at.map_or(u64::MAX, |at| input.since(at)))
        })
        .collect();
    busy.sort_unstable();
    let mut calls = busy.into_iter().peekable();
    let mut busy_until = 0;
    let mut pauses = Vec::new();
    for (start, end, why) in asked(input) {
        let mut idle_from = start;
        // Calls that began before the end of the wait shorten it.
        while let Some((from, until)) = calls.next_if(|(from, _)| *from < end) {
            if from > busy_until.max(idle_from) {
                push(&mut pauses, busy_until.max(idle_from), from, why);
                idle_from = from;
            }
            busy_until = busy_until.max(until);
        }
        push(&mut pauses, busy_until.max(idle_from), end, why);
    }
    pauses
}

fn push(pauses: &mut Vec<Pause>, start_ms: u64, end_ms: u64, why: &str) {
    if end_ms >= start_ms.saturating_add(SHORTEST_PAUSE) {
        pauses.push(Pause {
            start_ms,
            end_ms,
            why: why.to_owned(),
        });
    }
}

/// Times in which the client was asked, or had paused the project. They do not overlap.
fn asked(input: &ReportInput) -> Vec<(u64, u64, &'static str)> {
    let mut asked = Vec::new();
    let mut open: Option<(u64, &'static str)> = None;
    for stored in &input.events {
        let at = input.since(stored.at);
        let begins = match &stored.event {
            HistoryEvent::QuestionsAsked { .. } => Some("questions"),
            HistoryEvent::ApprovalAsked => Some("approval"),
            HistoryEvent::Paused => Some("paused"),
            HistoryEvent::NeedsAttention { .. } => Some("attention"),
            HistoryEvent::AttentionEnded
            | HistoryEvent::Reopened { .. }
            | HistoryEvent::Answered { .. }
            | HistoryEvent::Approved
            | HistoryEvent::Rejected { .. }
            | HistoryEvent::Resumed
            | HistoryEvent::Cancelled
            | HistoryEvent::Failed { .. } => None,
            _ => continue,
        };
        if let Some((start, why)) = open.take() {
            asked.push((start, at, why));
        }
        open = begins.map(|why| (at, why));
    }
    asked
}
