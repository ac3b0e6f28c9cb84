//! Records why queued attempts wait, when a reason changes and for a bounded number of rows.
//!
//! [`Admission::wait_reason`] names the reason; [`Waits`](chorus_core::port::Waits) keeps it beside the row.

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::attempt::{AttemptWait, QueuedAttempt, WaitReason};
use chorus_core::id::{AttemptId, LeaseId, ProjectId};
use chorus_core::time::{Millis, Timestamp};
use chorus_pool::Admission;

/// Maximum number of attempts of one project for which reasons are recorded; the oldest ones.
const PER_PROJECT: usize = 32;
/// Maximum number of reasons in one statement; others follow at the next reading.
const AT_ONCE: usize = 128;
/// Change of the expected end from which a reason is recorded again.
const MOVED_BY: Millis = Millis::from_secs(5);

/// Reasons that were recorded in this term.
#[derive(Debug, Default)]
pub(crate) struct WaitRecorder {
    recorded: BTreeMap<AttemptId, AttemptWait>,
    /// Attempts that the budget did not cover at their last admission.
    over_budget: BTreeSet<AttemptId>,
}

impl WaitRecorder {
    /// Remembers that the budget did not cover an attempt.
    pub(crate) fn budget_short(&mut self, attempt: AttemptId) {
        self.over_budget.insert(attempt);
    }

    /// Forgets attempts that went to workers.
    pub(crate) fn sent(&mut self, attempt: AttemptId) {
        self.recorded.remove(&attempt);
        self.over_budget.remove(&attempt);
    }

    /// Returns the reasons that differ from the recorded ones, for the oldest rows of each project.
    pub(crate) fn changes<'a>(
        &mut self,
        rows: impl Iterator<Item = (LeaseId, &'a QueuedAttempt)>,
        admission: &Admission,
        now: Timestamp,
    ) -> Vec<AttemptWait> {
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by_key(|(_, row)| (row.created_at, row.attempt.id));
        let known: BTreeSet<AttemptId> = rows.iter().map(|(_, row)| row.attempt.id).collect();
        self.recorded.retain(|attempt, _| known.contains(attempt));
        self.over_budget.retain(|attempt| known.contains(attempt));
        let mut of_project: BTreeMap<ProjectId, usize> = BTreeMap::new();
        let mut changes = Vec::new();
        for (lease, row) in rows {
            let counted = of_project.entry(row.attempt.project).or_default();
            *counted += 1;
            if *counted > PER_PROJECT || changes.len() >= AT_ONCE {
                continue;
            }
            let reason = if self.over_budget.contains(&row.attempt.id) {
                Some(WaitReason::Budget)
            } else {
                admission.wait_reason(lease)
            };
            changes.extend(reason.and_then(|reason| self.change(row, reason, now)));
        }
        changes
    }

    /// Rows with their recorded reasons.
    pub(crate) fn reasons<'a>(
        &'a self,
        rows: impl Iterator<Item = (LeaseId, &'a QueuedAttempt)>,
    ) -> impl Iterator<Item = (&'a QueuedAttempt, &'a AttemptWait)> {
        rows.filter_map(|(_, row)| {
            let wait = self.recorded.get(&row.attempt.id)?;
            (wait.epoch == row.epoch).then_some((row, wait))
        })
    }

    /// Marks reasons as recorded.
    pub(crate) fn recorded(&mut self, waits: Vec<AttemptWait>) {
        let by_attempt = waits.into_iter().map(|wait| (wait.attempt, wait));
        self.recorded.extend(by_attempt);
    }

    fn change(
        &self,
        row: &QueuedAttempt,
        reason: WaitReason,
        now: Timestamp,
    ) -> Option<AttemptWait> {
        let before = self
            .recorded
            .get(&row.attempt.id)
            .filter(|wait| wait.epoch == row.epoch && wait.reason.is_like(&reason));
        if before.is_some_and(|wait| is_near(wait.reason.until(), reason.until())) {
            return None;
        }
        Some(AttemptWait {
            attempt: row.attempt.id,
            epoch: row.epoch,
            since: before.map_or(now, |wait| wait.since),
            reason,
        })
    }
}

fn is_near(one: Option<Timestamp>, two: Option<Timestamp>) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => one.since(two) < MOVED_BY && two.since(one) < MOVED_BY,
        (one, two) => one.is_some() == two.is_some(),
    }
}
