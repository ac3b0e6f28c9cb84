//! Checks Kafka's own records: every task was dispatched through it.

use std::collections::BTreeSet;

use super::Check;
use crate::census::Census;

/// Checks that each task with a delivery has a dispatch record, and each claimed delivery as well.
pub(crate) fn dispatched(census: &Census) -> Check {
    let dispatches = || census.seen.iter().filter(|seen| seen.dispatch);
    let tasks: BTreeSet<&str> = census
        .deliveries
        .iter()
        .map(|row| row.task.as_str())
        .collect();
    let seen_tasks: BTreeSet<&str> = dispatches().map(|seen| seen.task.as_str()).collect();
    let seen: BTreeSet<(&str, i64)> = dispatches()
        .map(|seen| (seen.attempt.as_str(), seen.epoch))
        .collect();
    let mut faults: Vec<String> = tasks
        .difference(&seen_tasks)
        .map(|task| format!("{task}: no dispatch record was seen on Kafka"))
        .collect();
    let claimed: Vec<_> = census
        .deliveries
        .iter()
        .filter(|row| row.claimed_at.is_some())
        .collect();
    let missed = claimed
        .iter()
        .filter(|row| !seen.contains(&(row.attempt.as_str(), row.epoch)));
    faults.extend(missed.map(|row| {
        format!(
            "{}.{}: claimed, but its record was not seen on Kafka",
            row.attempt, row.epoch
        )
    }));
    let saw = format!(
        "{} records for {} tasks, {} claimed deliveries",
        seen.len(),
        tasks.len(),
        claimed.len()
    );
    Check::new(
        "an independent consumer saw every task's dispatch",
        saw,
        faults,
    )
}
