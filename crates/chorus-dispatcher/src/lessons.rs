//! What finished deliveries teach: how large calls really are, how long they take, which routes are ill.
//!
//! Rows are the only source, read project by project and never in a hurry: what is missed costs order, never safety.

use std::collections::BTreeMap;

use chorus_core::attempt::{
    CallSize, CallSummary, DeliveryEnd, DeliveryRow, Outcome, QueuedAttempt, Requeue,
};
use chorus_core::id::{AttemptId, Epoch, ProjectId};
use chorus_core::task_kind::TaskKind;
use chorus_core::time::{Millis, Timestamp};
use chorus_pool::Admission;

/// Rows of a project for which its reading is put off by one more interval.
const ROWS_AN_INTERVAL: u64 = 500;

/// Deliveries that were dispatched and not learned from.
#[derive(Debug, Default)]
pub(crate) struct Lessons {
    projects: BTreeMap<ProjectId, Project>,
}

#[derive(Debug, Default)]
struct Project {
    due: Timestamp,
    under_way: BTreeMap<(AttemptId, Epoch), (TaskKind, CallSize)>,
}

impl Lessons {
    /// A row went to a worker.
    pub(crate) fn expect(&mut self, row: &QueuedAttempt) {
        let project = self.projects.entry(row.attempt.project).or_default();
        project.under_way.insert(
            (row.attempt.id, row.epoch),
            (row.attempt.kind, row.attempt.size),
        );
    }

    /// The project to read next.
    pub(crate) fn due(&self, now: Timestamp) -> Option<ProjectId> {
        let due = self
            .projects
            .iter()
            .filter(|(_, project)| project.due <= now);
        due.min_by_key(|(_, project)| project.due)
            .map(|(id, _)| *id)
    }

    /// The reading failed: later again.
    pub(crate) fn put_off(&mut self, project: ProjectId, until: Timestamp) {
        self.projects.entry(project).or_default().due = until;
    }

    /// Takes in the deliveries of a project; a long list is read less often.
    pub(crate) fn read(
        &mut self,
        id: ProjectId,
        rows: &[DeliveryRow],
        admission: &mut Admission,
        now: Timestamp,
        every: Millis,
    ) {
        let Some(project) = self.projects.get_mut(&id) else {
            return;
        };
        project.due = now + Millis(every.0 * (1 + rows.len() as u64 / ROWS_AN_INTERVAL));
        for row in rows.iter().filter(|row| row.ended_at.is_some()) {
            if let Some((kind, size)) = project.under_way.remove(&(row.attempt, row.epoch)) {
                learn(admission, row, kind, size);
            }
        }
        if project.under_way.is_empty() {
            self.projects.remove(&id);
        }
    }
}

fn learn(admission: &mut Admission, row: &DeliveryRow, kind: TaskKind, size: CallSize) {
    let place = &row.assignment;
    let Some(DeliveryEnd::Finished { outcome }) = &row.end else {
        return admission.call_dropped(&place.provider, &place.model);
    };
    let took = match (row.claimed_at, row.ended_at) {
        (Some(claimed), Some(ended)) => ended.since(claimed),
        _ => Millis::ZERO,
    };
    admission.call_ended(&CallSummary {
        provider: place.provider.clone(),
        model: place.model.clone(),
        account: place.account,
        kind,
        size,
        class: outcome.failure_class(),
        complete: is_complete(outcome),
        usage: row.usage,
        cost: row.cost,
        took,
    });
}

/// Returns true if the outcome follows a reply that came to its end.
fn is_complete(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Succeeded { .. } | Outcome::Asked { .. } => true,
        Outcome::Requeue { reason, .. } => *reason == Requeue::Continue,
        Outcome::Failed { .. } => false,
    }
}
