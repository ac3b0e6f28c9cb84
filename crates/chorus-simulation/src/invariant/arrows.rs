//! Attempts: every change of a row is an arrow of the state machine, fenced by epoch and holder.

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::attempt::{self, AttemptState, AttemptTrigger, EpochRule, Who};
use chorus_core::id::{AttemptId, Epoch, Holder, TaskId};
use chorus_store::rows::{AttemptRow, Rows};

use super::{Invariant, RowOperation, Violation};

/// Attempt rows at the last check.
#[derive(Debug, Default)]
pub(super) struct Arrows {
    rows: BTreeMap<AttemptId, Snapshot>,
    finished: BTreeSet<(AttemptId, Epoch, Holder)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Snapshot {
    state: AttemptState,
    epoch: Epoch,
    holder: Option<Holder>,
}

impl Snapshot {
    fn of(row: &AttemptRow) -> Self {
        Self {
            state: row.state,
            epoch: row.epoch,
            holder: row.holder.clone(),
        }
    }
}

impl Arrows {
    pub(super) fn check(
        &mut self,
        operation: RowOperation<'_>,
        rows: &Rows,
    ) -> Result<(), Violation> {
        self.fences(operation)?;
        for (id, row) in &rows.attempts {
            let snapshot = Snapshot::of(row);
            match self.rows.get(id) {
                Some(before) if *before == snapshot => continue,
                Some(before) => arrow(*id, before, &snapshot, operation)?,
                None if snapshot.state == AttemptState::Queued && snapshot.epoch == Epoch(0) => {}
                None => {
                    return Err(Violation::new(
                        Invariant::Arrows,
                        format!("{id} begins as {snapshot:?}"),
                    ));
                }
            }
            self.rows.insert(*id, snapshot);
        }
        one_success(rows)
    }

    /// Checks a reply to a holder against the row before the operation.
    fn fences(&mut self, operation: RowOperation<'_>) -> Result<(), Violation> {
        match operation {
            RowOperation::Claimed(claim) => {
                let before = self.rows.get(&claim.attempt);
                let granted = before.is_some_and(|row| {
                    row.epoch == claim.epoch
                        && (row.state == AttemptState::Dispatched
                            || (row.state == AttemptState::Running
                                && row.holder.as_ref() == Some(&claim.holder)))
                });
                let what = || {
                    format!(
                        "{} claims {}.{} while it is {before:?}",
                        claim.holder, claim.attempt, claim.epoch.0
                    )
                };
                if granted {
                    Ok(())
                } else {
                    Err(Violation::new(Invariant::OneClaim, what()))
                }
            }
            RowOperation::Finished(finish) => {
                let holding = &finish.holding;
                let key = (holding.attempt, holding.epoch, holding.holder.clone());
                let before = self.rows.get(&holding.attempt);
                let held = before.is_some_and(|row| {
                    row.state == AttemptState::Running
                        && row.epoch == holding.epoch
                        && row.holder.as_ref() == Some(&holding.holder)
                });
                if !held && !self.finished.contains(&key) {
                    let what = format!(
                        "{} finishes {}.{} while it is {before:?}",
                        holding.holder, holding.attempt, holding.epoch.0
                    );
                    return Err(Violation::new(Invariant::FencedReport, what));
                }
                self.finished.insert(key);
                Ok(())
            }
            RowOperation::Committed { .. } | RowOperation::Other => Ok(()),
        }
    }
}

/// Checks that the change of one row is an arrow of [`attempt::ARROWS`], taken by its owner.
fn arrow(
    id: AttemptId,
    before: &Snapshot,
    after: &Snapshot,
    operation: RowOperation<'_>,
) -> Result<(), Violation> {
    let broken = |invariant| {
        Err(Violation::new(
            invariant,
            format!("{id} went from {before:?} to {after:?}"),
        ))
    };
    if before.state.is_terminal() {
        return broken(Invariant::TerminalAbsorbs);
    }
    if after.epoch < before.epoch {
        return broken(Invariant::EpochGrows);
    }
    let arrow = match worker_trigger(id, operation) {
        Some(trigger) => {
            attempt::step(before.state, trigger).filter(|arrow| arrow.to == after.state)
        }
        None => attempt::between(before.state, after.state).find(|arrow| arrow.who != Who::Worker),
    };
    match arrow.map(|arrow| arrow.epoch) {
        Some(EpochRule::Kept | EpochRule::Any) if after.epoch == before.epoch => Ok(()),
        Some(EpochRule::Next) if after.epoch == before.epoch.next() => Ok(()),
        Some(EpochRule::Next) => broken(Invariant::EpochGrows),
        Some(EpochRule::Kept | EpochRule::Any) => broken(Invariant::Arrows),
        None if before.state == AttemptState::Running && after.state.is_terminal() => {
            broken(Invariant::FencedReport)
        }
        None => broken(Invariant::Arrows),
    }
}

/// Trigger of a worker's operation on this attempt; `None` if another process changed the row.
fn worker_trigger(id: AttemptId, operation: RowOperation<'_>) -> Option<AttemptTrigger> {
    match operation {
        RowOperation::Claimed(claim) if claim.attempt == id => Some(AttemptTrigger::Claimed),
        RowOperation::Finished(finish) if finish.holding.attempt == id => {
            Some(AttemptTrigger::from(&finish.outcome))
        }
        RowOperation::Claimed(_)
        | RowOperation::Finished(_)
        | RowOperation::Committed { .. }
        | RowOperation::Other => None,
    }
}

fn one_success(rows: &Rows) -> Result<(), Violation> {
    let mut winners: BTreeMap<TaskId, AttemptId> = BTreeMap::new();
    for (id, row) in rows
        .attempts
        .iter()
        .filter(|(_, row)| row.state == AttemptState::Succeeded)
    {
        if let Some(other) = winners.insert(row.attempt.task, *id) {
            return Err(Violation::new(
                Invariant::OneSuccess,
                format!("{id} and {other} of {} both succeeded", row.attempt.task),
            ));
        }
    }
    Ok(())
}
