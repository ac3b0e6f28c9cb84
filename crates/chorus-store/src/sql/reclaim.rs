//! Taking back what is overdue: dispatches that nobody claimed, attempts whose worker fell silent.

use async_trait::async_trait;
use chorus_core::attempt::{AttemptState, Reclaim, Reclaimed};
use chorus_core::id::AttemptId;
use chorus_core::time::Timestamp;

use super::attempts::Standing;
use super::cells::Cells;
use super::fault::Fault;
use super::tx::{Deed, Tx, Verdict};
use crate::rows::money::Movement;

pub(super) struct TakeBack(pub(super) Reclaim);

#[async_trait]
impl Deed for TakeBack {
    type Answer = Vec<Reclaimed>;

    async fn carry_out(&self, tx: &mut Tx<'_>) -> Result<Verdict<Vec<Reclaimed>>, Fault> {
        let Reclaim {
            unclaimed_for,
            silent_for,
            limit,
        } = self.0;
        let mut overdue = overdue(tx, UNCLAIMED, tx.now - unclaimed_for, limit).await?;
        overdue.extend(self::overdue(tx, SILENT, tx.now - silent_for, limit).await?);
        overdue.truncate(limit as usize);
        let mut taken = Vec::with_capacity(overdue.len());
        for (attempt, since) in overdue {
            taken.extend(one(tx, attempt, since).await?);
        }
        Ok(Verdict::Keep(taken))
    }
}

const UNCLAIMED: &str = "SELECT a.id, d.not_after AS since FROM attempts a JOIN deliveries d ON d.attempt = a.id AND d.epoch = a.epoch \
    WHERE a.state = 'dispatched' AND d.not_after <= $1 ORDER BY d.not_after, a.id LIMIT $2";

const SILENT: &str = "SELECT id, beat_at AS since FROM attempts WHERE state = 'running' AND beat_at <= $1 ORDER BY beat_at, id LIMIT $2";

async fn overdue(
    tx: &mut Tx<'_>,
    text: &'static str,
    by: Timestamp,
    limit: u32,
) -> Result<Vec<(AttemptId, Timestamp)>, Fault> {
    let rows = tx
        .rows(sqlx::query(text).bind(by.0).bind(i64::from(limit)))
        .await?;
    let due = |row| {
        let cells = Cells::new("attempts", "id", row);
        Ok((cells.parsed("id")?, cells.time("since")?))
    };
    rows.iter().map(due).collect()
}

/// Takes one back, unless it was claimed, beaten or finished since we looked.
async fn one(
    tx: &mut Tx<'_>,
    attempt: AttemptId,
    since: Timestamp,
) -> Result<Option<Reclaimed>, Fault> {
    let Some(standing) = tx.standing(attempt).await? else {
        return Ok(None);
    };
    let (Some(lease), Some(estimate)) = (standing.lease, standing.estimate) else {
        return Ok(None);
    };
    let lost_worker = match standing.state {
        AttemptState::Dispatched => false,
        AttemptState::Running => true,
        AttemptState::Queued
        | AttemptState::Succeeded
        | AttemptState::Asked
        | AttemptState::Failed
        | AttemptState::Cancelled => {
            return Ok(None);
        }
    };
    // The project's row first, as everywhere; given back if the arrow does not hit.
    let movement = Movement::taken_back(estimate, lost_worker);
    tx.pay(standing.project, movement).await?;
    if !moved(tx, &standing, lost_worker, since).await? {
        tx.pay(standing.project, movement.reversed()).await?;
        return Ok(None);
    }
    tx.take_back(
        &standing,
        if lost_worker {
            "lost_worker"
        } else {
            "unclaimed"
        },
    )
    .await?;
    Ok(Some(Reclaimed {
        attempt,
        epoch: standing.epoch,
        lease,
        lost_worker,
    }))
}

/// The guarded arrow; a beat since we looked saves a running attempt.
async fn moved(
    tx: &mut Tx<'_>,
    standing: &Standing,
    lost_worker: bool,
    since: Timestamp,
) -> Result<bool, Fault> {
    let statement = sqlx::query(
        "UPDATE attempts SET state = 'queued', epoch = epoch + 1, holder = NULL, beat_at = NULL, queued_at = $1, lost = lost + $2 \
         WHERE id = $3 AND epoch = $4 AND state = $5 AND (beat_at IS NULL OR beat_at = $6)",
    );
    let statement = statement
        .bind(tx.now.0)
        .bind(i64::from(lost_worker))
        .bind(standing.attempt.to_string())
        .bind(i64::from(standing.epoch.0))
        .bind(standing.state_word.clone())
        .bind(since.0);
    Ok(tx.change(statement).await? == 1)
}
