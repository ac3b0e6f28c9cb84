//! Kafka's own records: every task went through it.

use std::collections::BTreeSet;

use super::Check;
use crate::census::Census;

/// A record published so shortly before its topic was deleted may have been read by its worker alone, in milliseconds.
const MOMENT_MS: i64 = 1_000;

/// Each task with a delivery has a dispatch record, and so has each delivery that a worker claimed.
pub(crate) fn carried(census: &Census, without_topics: &[(i64, i64)]) -> Check {
    let tasks: BTreeSet<&str> = census.deliveries.iter().map(|row| row.task.as_str()).collect();
    let dispatches = || census.seen.iter().filter(|seen| seen.dispatch);
    let seen_tasks: BTreeSet<&str> = dispatches().map(|seen| seen.task.as_str()).collect();
    let seen: BTreeSet<(&str, i64)> = dispatches().map(|seen| (seen.attempt.as_str(), seen.epoch)).collect();
    let mut faults: Vec<String> =
        tasks.difference(&seen_tasks).map(|task| format!("{task}: no dispatch record was seen on Kafka")).collect();
    let deleted = |at: i64| without_topics.iter().any(|(from, to)| (from - MOMENT_MS..=*to).contains(&at));
    let (mut claimed, mut excused) = (0, 0);
    for row in census.deliveries.iter().filter(|row| row.claimed_at.is_some()) {
        claimed += 1;
        if !seen.contains(&(row.attempt.as_str(), row.epoch)) {
            if deleted(row.dispatched_at) {
                excused += 1;
            } else {
                faults.push(format!("{}.{}: claimed, but its record was not seen on Kafka", row.attempt, row.epoch));
            }
        }
    }
    let saw = format!(
        "{} records for {} tasks, {claimed} claimed deliveries{}",
        seen.len(),
        tasks.len(),
        if excused > 0 { format!(", {excused} of them published in the moment in which topics were deleted") } else { String::new() }
    );
    Check::new("an independent consumer saw every task's dispatch", saw, faults)
}
