//! Reclaims: overdue dispatches without a claim, and running attempts without heartbeats.

use async_trait::async_trait;
use chorus_core::attempt::{AttemptTrigger, Reclaim, Reclaimed};
use chorus_core::id::AttemptId;
use chorus_core::time::Timestamp;

use super::attempt_rows::Current;
use super::cells::Cells;
use super::fault::Fault;
use super::tx::{Operation, Outcome, Tx};
use crate::rows::money::Movement;

pub(super) struct ReclaimOverdue(pub(super) Reclaim);

#[async_trait]
impl Operation for ReclaimOverdue {
    type Output = Vec<Reclaimed>;

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<Vec<Reclaimed>>, Fault> {
        let Reclaim {
            unclaimed_for,
            limit,
            ..
        } = self.0;
        let silent_since = self.0.silent_since(tx.now);
        let unclaimed = overdue(tx, UNCLAIMED, tx.now - unclaimed_for, limit).await?;
        let silent = overdue(tx, SILENT, silent_since, limit).await?;
        let unclaimed = unclaimed
            .into_iter()
            .map(|attempt| (attempt, AttemptTrigger::Unclaimed));
        let silent = silent
            .into_iter()
            .map(|attempt| (attempt, AttemptTrigger::WorkerLost));
        let mut taken = Vec::new();
        for (attempt, trigger) in unclaimed.chain(silent).take(limit as usize) {
            taken.extend(one(tx, attempt, trigger, silent_since).await?);
        }
        Ok(Outcome::Commit(taken))
    }
}

const UNCLAIMED: &str = "SELECT a.id FROM attempts a JOIN deliveries d ON d.attempt = a.id AND d.epoch = a.epoch \
    WHERE a.state = 'dispatched' AND d.not_after <= $1 ORDER BY d.not_after, a.id LIMIT $2";

const SILENT: &str = "SELECT id FROM attempts WHERE state = 'running' AND beat_at <= $1 ORDER BY beat_at, id LIMIT $2";

async fn overdue(
    tx: &mut Tx<'_>,
    text: &'static str,
    by: Timestamp,
    limit: u32,
) -> Result<Vec<AttemptId>, Fault> {
    let rows = tx
        .rows(sqlx::query(text).bind(by.0).bind(i64::from(limit)))
        .await?;
    rows.iter()
        .map(|row| Cells::new("attempts", "id", row).parsed("id"))
        .collect()
}

/// Takes one back, unless it was claimed, finished, or its holder sent a heartbeat since the selection.
async fn one(
    tx: &mut Tx<'_>,
    attempt: AttemptId,
    trigger: AttemptTrigger,
    silent_since: Timestamp,
) -> Result<Option<Reclaimed>, Fault> {
    let Some(Current { row, assignment }) = tx.current(attempt).await? else {
        return Ok(None);
    };
    let (Some(next), Some(assignment)) = (row.step(trigger, row.epoch, tx.now), assignment) else {
        return Ok(None);
    };
    if row
        .heartbeat_at
        .is_some_and(|heartbeat_at| heartbeat_at > silent_since)
    {
        return Ok(None);
    }
    let lost_worker = trigger == AttemptTrigger::WorkerLost;
    // The project's row first, as everywhere; reversed if the step was lost.
    let movement = Movement::taken_back(assignment.estimate, lost_worker);
    tx.pay(row.attempt.project, movement).await?;
    if !tx.save_silent(&row, &next).await? {
        tx.pay(row.attempt.project, movement.reversed()).await?;
        return Ok(None);
    }
    let end = if lost_worker {
        "lost_worker"
    } else {
        "unclaimed"
    };
    tx.take_back(&row, end).await?;
    Ok(Some(Reclaimed {
        attempt,
        epoch: row.epoch,
        lease: assignment.lease.id,
        lost_worker,
        not_after: assignment.lease.not_after,
        provider: assignment.provider,
        model: assignment.model,
    }))
}
