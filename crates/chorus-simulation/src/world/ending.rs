//! End of a run: the final check of the [`Monitor`](crate::invariant::Monitor) and the [`Outcome`].

use std::collections::BTreeMap;

use chorus_core::attempt::AttemptState;
use chorus_core::id::ProjectId;
use chorus_core::project::{State, TaskState};
use chorus_core::time::Millis;

use super::{Delivered, Outcome, World};
use crate::invariant::{Ending, Invariant, Violation};

/// Number of log lines kept for a report.
const TAIL: usize = 120;

impl World {
    /// Returns true if nothing is held, reserved or unsent any more.
    pub(super) fn is_quiet(&self) -> bool {
        let resolved = self.store.with_rows(|rows| {
            rows.outbox.values().all(|row| row.sent_at.is_some())
                && rows.attempts.values().all(|row| {
                    !matches!(
                        row.state,
                        AttemptState::Queued | AttemptState::Dispatched | AttemptState::Running
                    )
                })
        });
        resolved
            && self.limits.live_leases() == 0
            && self.limits.all_levels().iter().all(|level| level.held == 0)
    }

    /// Runs the final check of the monitor.
    pub(super) fn check_end(&self) {
        let (levels, journal) = (self.limits.all_levels(), self.simulated.journal());
        self.store.with_rows(|rows| {
            self.monitor.check_end(&Ending {
                rows,
                levels: &levels,
                journal: &journal,
                store_only: self.faults.store_only,
            });
        });
    }

    /// Collects the result of the run.
    pub(super) fn outcome(self, steps: u64, lasted: Millis) -> Outcome {
        let (ends, defects, delivered) = self.store.with_rows(|rows| {
            let ends = rows
                .projects
                .values()
                .map(|row| row.project.head.state.as_str())
                .collect();
            let delivered = rows.projects.iter().filter_map(|(id, row)| {
                let head = &row.project.head;
                let State::Done { deliverable } = head.state else {
                    return None;
                };
                // A failed or skipped task leaves text out, so such deliverables are not compared.
                let whole = row.project.tasks.values().all(|task| {
                    !matches!(task.state, TaskState::Failed { .. } | TaskState::Skipped)
                });
                if !whole {
                    return None;
                }
                Some((
                    *id,
                    Delivered {
                        plan: head.plan?.hash,
                        rounds: head.round,
                        deliverable,
                    },
                ))
            });
            let defects = rows
                .projects
                .values()
                .flat_map(|row| defects(&row.project.head.state))
                .collect();
            (
                ends,
                defects,
                delivered.collect::<BTreeMap<ProjectId, Delivered>>(),
            )
        });
        Outcome {
            seed: self.seed,
            faults: self.faults.name,
            hash: format!("{}-{:016x}", self.log.hash(), self.executor.digest()),
            violation: self.monitor.violation(),
            tail: self.log.tail(TAIL),
            lasted,
            steps,
            ends,
            defects,
            calls: self.simulated.journal().len(),
            delivered,
        }
    }
}

/// Defects of a partial deliverable, or the reason of a failure.
fn defects(state: &State) -> Vec<String> {
    match state {
        State::Partial { defects, .. } => defects.clone(),
        State::Failed { why } => vec![why.clone()],
        _ => Vec::new(),
    }
}

/// Compares deliverables with those of the run without faults: equal plans give equal bytes.
pub(super) fn compare(mut disturbed: Outcome, calm: &Outcome) -> Outcome {
    let differs = disturbed.delivered.iter().find(|(id, delivered)| {
        calm.delivered.get(id).is_some_and(|calm| {
            (calm.plan, calm.rounds) == (delivered.plan, delivered.rounds)
                && calm.deliverable != delivered.deliverable
        })
    });
    if let Some((id, delivered)) = differs {
        let what = format!(
            "{id} delivered {}, not what the undisturbed run delivers",
            delivered.deliverable
        );
        disturbed.violation = Some(Violation::new(Invariant::SameDeliverable, what));
    }
    disturbed
}
