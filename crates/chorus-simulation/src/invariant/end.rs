//! Invariants that are checked after the last project has ended and the last lease has expired.

use std::collections::BTreeMap;

use chorus_core::attempt::{AttemptState, DeliveryEnd, Outcome};
use chorus_core::id::{AttemptId, Epoch};
use chorus_core::money::MicroUsd;
use chorus_core::time::Timestamp;
use chorus_provider_sim::engine::journal::{self, Entry};
use chorus_store::rows::{Rows, StoredDelivery};

use super::{Invariant, Level, State, Violation, liveness};

/// Final state of a run.
pub struct Ending<'a> {
    /// All rows of the store.
    pub rows: &'a Rows,
    /// Levels of the limiter.
    pub levels: &'a [Level],
    /// Calls that the providers received.
    pub journal: &'a [Entry],
    /// True if only the store and dispatchers failed.
    pub store_only: bool,
}

/// Returns the first invariant that the final state breaks.
pub(super) fn check(
    ending: &Ending<'_>,
    state: &mut State,
    now: Timestamp,
) -> Result<(), Violation> {
    no_project_lost(ending.rows)?;
    state.liveness.check_end(ending.rows)?;
    liveness::no_storm(ending.journal)?;
    nothing_left(ending, state, now)?;
    calls_accounted(ending, state)?;
    if ending.store_only {
        paid_calls_kept(ending)?;
    }
    Ok(())
}

fn no_project_lost(rows: &Rows) -> Result<(), Violation> {
    match rows
        .projects
        .iter()
        .find(|(_, row)| !row.project.head.is_terminal())
    {
        Some((id, row)) => {
            let live: Vec<String> = live_attempts(rows)
                .map(|(id, state)| format!("{id} {state:?}"))
                .collect();
            let what = format!(
                "{id} is still {}; live attempts: {}",
                row.project.head.state.as_str(),
                live.join(", ")
            );
            Err(Violation::new(Invariant::NoProjectLost, what))
        }
        None => Ok(()),
    }
}

fn live_attempts(rows: &Rows) -> impl Iterator<Item = (AttemptId, AttemptState)> {
    let alive = |state| {
        matches!(
            state,
            AttemptState::Queued | AttemptState::Dispatched | AttemptState::Running
        )
    };
    rows.attempts
        .iter()
        .filter(move |(_, row)| alive(row.state))
        .map(|(id, row)| (*id, row.state))
}

fn nothing_left(ending: &Ending<'_>, state: &mut State, now: Timestamp) -> Result<(), Violation> {
    let left = |what: String| Err(Violation::new(Invariant::NothingLeft, what));
    if let Some((id, state)) = live_attempts(ending.rows).next() {
        return left(format!("{id} is still {state:?}"));
    }
    if let Some(lease) = state.leases.live(now).first() {
        return left(format!("{lease} still holds something"));
    }
    if let Some(level) = ending.levels.iter().find(|level| level.held != 0) {
        return left(format!(
            "{} of {:?} are still set aside in {}",
            level.held, level.dimension, level.group
        ));
    }
    if let Some((id, row)) = ending
        .rows
        .projects
        .iter()
        .find(|(_, row)| row.money.reserved != MicroUsd::ZERO)
    {
        return left(format!("{} of {id} is still set aside", row.money.reserved));
    }
    match ending
        .rows
        .outbox
        .iter()
        .find(|(_, row)| row.sent_at.is_none())
    {
        Some((id, row)) => left(format!(
            "record {id} on {} was never sent",
            row.record.topic
        )),
        None => Ok(()),
    }
}

fn calls_accounted(ending: &Ending<'_>, state: &State) -> Result<(), Violation> {
    let broken = |what: String| Err(Violation::new(Invariant::CallsAccounted, what));
    let mut paid: BTreeMap<(AttemptId, Epoch), u32> = BTreeMap::new();
    for entry in ending.journal.iter().filter(|entry| entry.status == 200) {
        let reference = entry.client_request.as_deref().unwrap_or_default();
        let Some(key) = super::calls::parsed(reference) else {
            return broken(format!("the provider saw a call {reference:?}"));
        };
        *paid.entry(key).or_default() += 1;
    }
    for ((attempt, epoch), made) in state.calls.made() {
        let row = ending.rows.deliveries.get(&(*attempt, *epoch));
        if row.is_none_or(|row| row.delivery.claimed_at.is_none()) {
            return broken(format!(
                "{made} calls of {attempt}.{} belong to no claimed delivery",
                epoch.0
            ));
        }
    }
    for (key, row) in &ending.rows.deliveries {
        let calls = paid.get(key).copied().unwrap_or(0);
        let made = state.calls.made().get(key).copied().unwrap_or(0);
        if row.delivery.usage.is_some_and(|usage| usage.total() > 0) && made != 1 {
            return broken(format!(
                "{}.{} has usage, its provider saw {made} calls",
                key.0, key.1.0
            ));
        }
        if calls > 0 && !accounts_for_call(row) {
            return broken(format!(
                "{}.{} made a paid call, its row says {:?}",
                key.0, key.1.0, row.delivery.end
            ));
        }
    }
    Ok(())
}

/// Returns true if the row of a paid call reports it: by its usage, or by a lost worker.
fn accounts_for_call(row: &StoredDelivery) -> bool {
    let delivery = &row.delivery;
    match &delivery.end {
        Some(DeliveryEnd::Finished { outcome }) => {
            delivery.usage.is_some()
                || matches!(outcome, Outcome::Requeue { .. } | Outcome::Failed { .. })
        }
        Some(DeliveryEnd::WorkerLost | DeliveryEnd::Cancelled) => true,
        Some(DeliveryEnd::Unclaimed) | None => false,
    }
}

fn paid_calls_kept(ending: &Ending<'_>) -> Result<(), Violation> {
    let lost = ending
        .rows
        .deliveries
        .iter()
        .find(|(_, row)| row.delivery.end == Some(DeliveryEnd::WorkerLost));
    if let Some(((attempt, epoch), _)) = lost {
        let what = format!("{attempt}.{} was taken from a healthy worker", epoch.0);
        return Err(Violation::new(Invariant::PaidCallKept, what));
    }
    let cancelled = |entry: &Entry| {
        let key = super::calls::parsed(entry.client_request.as_deref().unwrap_or_default());
        let row = key.and_then(|key| ending.rows.deliveries.get(&key));
        row.is_some_and(|row| row.delivery.end == Some(DeliveryEnd::Cancelled))
    };
    let aborted = ending
        .journal
        .iter()
        .find(|entry| entry.outcome == journal::Outcome::Aborted && !cancelled(entry));
    match aborted {
        Some(entry) => Err(Violation::new(
            Invariant::PaidCallKept,
            format!("call {:?} was hung up on", entry.client_request),
        )),
        None => Ok(()),
    }
}
