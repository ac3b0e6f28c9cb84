//! Attempts: the queue, heartbeats, and the one statement that writes a step. Each trigger has a file of its own.

use async_trait::async_trait;
use chorus_core::attempt::{
    Assignment, Claim, Delivery, Dispatch, Dispatched, Finish, Holding, NewAttempt, QueuedAttempt,
    Reclaim, Reclaimed,
};
use chorus_core::id::{AttemptId, Epoch, Holder, ProjectId};
use chorus_core::port::{Attempts, StoreError};
use sqlx::any::AnyRow;

use super::Store;
use super::cells::Cells;
use super::fault::Fault;
use super::tx::{Operation, Outcome, Statement, Tx};
use crate::rows::AttemptRow;
use crate::rows::money::Movement;

#[async_trait]
impl Attempts for Store {
    async fn queued(&self, limit: u32) -> Result<Vec<QueuedAttempt>, StoreError> {
        let statement = sqlx::query(
            "SELECT * FROM attempts WHERE state = 'queued' ORDER BY created_at, id LIMIT $1",
        );
        let rows = self.read(statement.bind(i64::from(limit))).await?;
        Ok(rows
            .iter()
            .map(|row| Ok(attempt(row)?.queued()))
            .collect::<Result<_, Fault>>()?)
    }

    async fn dispatch(&self, batch: Vec<Dispatch>) -> Result<Vec<Dispatched>, StoreError> {
        self.execute(super::dispatch::DispatchBatch(batch)).await
    }

    async fn claim(&self, claim: Claim) -> Result<Option<Box<Delivery>>, StoreError> {
        self.execute(super::claim::ClaimAttempt(claim)).await
    }

    async fn beat(&self, held: Vec<Holding>) -> Result<Vec<Holding>, StoreError> {
        self.execute(RecordHeartbeats(held)).await
    }

    async fn finish(&self, finish: Finish) -> Result<bool, StoreError> {
        self.execute(super::finish::FinishDelivery(finish)).await
    }

    async fn reclaim(&self, reclaim: Reclaim) -> Result<Vec<Reclaimed>, StoreError> {
        self.execute(super::reclaim::ReclaimOverdue(reclaim)).await
    }
}

/// Reads a row of `attempts`.
pub(super) fn attempt(row: &AnyRow) -> Result<AttemptRow, Fault> {
    let cells = Cells::new("attempts", "id", row);
    let spec: NewAttempt = cells.json("spec")?;
    Ok(AttemptRow {
        attempt: NewAttempt {
            order: cells.parsed("work_order")?,
            not_before: cells.time("not_before")?,
            ..spec
        },
        state: cells.enum_text("state")?,
        epoch: Epoch(cells.count("epoch")?),
        holder: cells.text_or_none("holder")?.map(Holder::new),
        heartbeat_at: cells.time_or_none("beat_at")?,
        created_at: cells.time("created_at")?,
        queued_at: cells.time("queued_at")?,
        lost: cells.count("lost")?,
        retries: cells.count("retries")?,
        continues: cells.count("continues")?,
        refused_by: cells.parsed_or_none("refused_by")?,
    })
}

/// An attempt's row, with the assignment of the delivery under way.
pub(super) struct Current {
    pub(super) row: AttemptRow,
    pub(super) assignment: Option<Assignment>,
}

/// Writes one step of a row. The guard is the row that the step began from.
const SAVE: &str = "UPDATE attempts SET state = $1, epoch = $2, holder = $3, beat_at = $4, queued_at = $5, lost = $6, \
    retries = $7, continues = $8, refused_by = $9, work_order = $10, not_before = $11 \
    WHERE id = $12 AND epoch = $13 AND state = $14 AND COALESCE(holder, '') = $15";

/// As [`SAVE`], unless a heartbeat arrived since the row was read.
const SAVE_SILENT: &str = "UPDATE attempts SET state = $1, epoch = $2, holder = $3, beat_at = $4, queued_at = $5, lost = $6, \
    retries = $7, continues = $8, refused_by = $9, work_order = $10, not_before = $11 \
    WHERE id = $12 AND epoch = $13 AND state = $14 AND COALESCE(holder, '') = $15 AND COALESCE(beat_at, 0) = $16";

fn save<'q>(text: &'static str, from: &AttemptRow, to: &AttemptRow) -> Statement<'q> {
    sqlx::query(text)
        .bind(to.state.as_str())
        .bind(i64::from(to.epoch.0))
        .bind(to.holder.as_ref().map(|holder| holder.as_str().to_owned()))
        .bind(to.heartbeat_at.map(|at| at.0))
        .bind(to.queued_at.0)
        .bind(i64::from(to.lost))
        .bind(i64::from(to.retries))
        .bind(i64::from(to.continues))
        .bind(to.refused_by.map(|account| account.to_string()))
        .bind(to.attempt.order.to_string())
        .bind(to.attempt.not_before.0)
        .bind(from.attempt.id.to_string())
        .bind(i64::from(from.epoch.0))
        .bind(from.state.as_str())
        .bind(from.holder.as_ref().map_or("", Holder::as_str).to_owned())
}

impl Tx<'_> {
    /// Reads an attempt's row.
    pub(super) async fn current(&mut self, attempt: AttemptId) -> Result<Option<Current>, Fault> {
        let statement = sqlx::query(
            "SELECT a.*, d.assignment FROM attempts a \
             LEFT JOIN deliveries d ON d.attempt = a.id AND d.epoch = a.epoch WHERE a.id = $1",
        );
        self.row(statement.bind(attempt.to_string()))
            .await?
            .map(|row| {
                Ok(Current {
                    row: self::attempt(&row)?,
                    assignment: Cells::new("deliveries", "id", &row).json_or_none("assignment")?,
                })
            })
            .transpose()
    }

    /// Writes a step; false when the row has moved on since it was read.
    pub(super) async fn save(&mut self, from: &AttemptRow, to: &AttemptRow) -> Result<bool, Fault> {
        Ok(self.change(save(SAVE, from, to)).await? == 1)
    }

    /// Writes a step; false when the row has moved on, or its holder has sent a heartbeat.
    pub(super) async fn save_silent(
        &mut self,
        from: &AttemptRow,
        to: &AttemptRow,
    ) -> Result<bool, Fault> {
        let heartbeat_at = from.heartbeat_at.map_or(0, |at| at.0);
        Ok(self
            .change(save(SAVE_SILENT, from, to).bind(heartbeat_at))
            .await?
            == 1)
    }

    /// Adds a movement to a project's money.
    pub(super) async fn pay(
        &mut self,
        project: ProjectId,
        movement: Movement,
    ) -> Result<(), Fault> {
        let statement = sqlx::query(
            "UPDATE projects SET reserved = reserved + $1, spent = spent + $2, wasted = wasted + $3 WHERE id = $4",
        );
        let Movement {
            reserved,
            spent,
            wasted,
        } = movement;
        self.change(
            statement
                .bind(reserved.0)
                .bind(spent.0)
                .bind(wasted.0)
                .bind(project.to_string()),
        )
        .await?;
        Ok(())
    }

    /// Ends a delivery that its worker did not finish; a claimed one is charged its estimate.
    pub(super) async fn take_back(
        &mut self,
        row: &AttemptRow,
        end: &'static str,
    ) -> Result<(), Fault> {
        let statement = sqlx::query(
            "UPDATE deliveries SET ended_at = $1, end_word = $2, cost = CASE WHEN claimed_at IS NULL THEN 0 ELSE estimate END \
             WHERE attempt = $3 AND epoch = $4",
        );
        let statement = statement
            .bind(self.now.0)
            .bind(end)
            .bind(row.attempt.id.to_string())
            .bind(i64::from(row.epoch.0));
        self.change(statement).await?;
        Ok(())
    }
}

/// Holdings of one statement; the last one is repeated in an incomplete batch.
const BATCH: usize = 8;

const BEAT: &str = "UPDATE attempts SET beat_at = $1 WHERE state = 'running' AND (id, epoch, holder) IN (VALUES \
    ($2, $3, $4), ($5, $6, $7), ($8, $9, $10), ($11, $12, $13), ($14, $15, $16), ($17, $18, $19), ($20, $21, $22), ($23, $24, $25)) \
    RETURNING id, epoch, holder";

struct RecordHeartbeats(Vec<Holding>);

#[async_trait]
impl Operation for RecordHeartbeats {
    type Output = Vec<Holding>;

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<Vec<Holding>>, Fault> {
        let mut gone = Vec::new();
        for batch in self.0.chunks(BATCH) {
            let mut statement = sqlx::query(BEAT).bind(tx.now.0);
            for Holding {
                attempt,
                epoch,
                holder,
            } in (0..BATCH).filter_map(|at| batch.get(at).or_else(|| batch.last()))
            {
                statement = statement
                    .bind(attempt.to_string())
                    .bind(i64::from(epoch.0))
                    .bind(holder.as_str().to_owned());
            }
            let rows = tx.rows(statement).await?;
            let held = rows
                .iter()
                .map(holding)
                .collect::<Result<Vec<_>, Fault>>()?;
            gone.extend(
                batch
                    .iter()
                    .filter(|holding| !held.contains(holding))
                    .cloned(),
            );
        }
        Ok(Outcome::Commit(gone))
    }
}

fn holding(row: &AnyRow) -> Result<Holding, Fault> {
    let cells = Cells::new("attempts", "id", row);
    Ok(Holding {
        attempt: cells.parsed("id")?,
        epoch: Epoch(cells.count("epoch")?),
        holder: Holder::new(cells.text("holder")?),
    })
}
