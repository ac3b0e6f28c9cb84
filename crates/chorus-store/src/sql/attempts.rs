//! Attempts: the queue and heartbeats. Each trigger has a file of its own; rows are read and written in
//! [`attempt_rows`](super::attempt_rows).

use async_trait::async_trait;
use chorus_core::attempt::{
    Claim, Delivery, Dispatch, Dispatched, Finish, Holding, QueuedAttempt, Reclaim, Reclaimed,
};
use chorus_core::id::{Epoch, Holder};
use chorus_core::port::attempts::{DUE_SOON, QueuePage, QueueSelection};
use chorus_core::port::{Attempts, StoreError};
use sqlx::any::AnyRow;

use super::Store;
use super::attempt_rows::attempt;
use super::cells::Cells;
use super::fault::Fault;
use super::tx::{Operation, Outcome, Tx};
use crate::rows::wait::share;

#[async_trait]
impl Attempts for Store {
    async fn queued(&self, limit: u32) -> Result<Vec<QueuedAttempt>, StoreError> {
        let lines = self.read(sqlx::query(LINES)).await?;
        let share = share(limit, lines.len());
        let mut queued = Vec::new();
        for line in &lines {
            let line = Cells::new("attempts", "line", line).text("line")?;
            let statement = sqlx::query(IN_LINE)
                .bind(line)
                .bind(i64::try_from(DUE_SOON.0).unwrap_or(i64::MAX))
                .bind(i64::from(share));
            for row in &self.read(statement).await? {
                queued.push(attempt(row)?.queued());
            }
        }
        queued.sort_by_key(|row| (row.created_at, row.attempt.id));
        Ok(queued)
    }

    async fn read_queue(
        &self,
        selection: QueueSelection,
        limit: u32,
    ) -> Result<QueuePage, StoreError> {
        self.queue_page(selection, limit).await
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

/// Names of the lines with queued attempts, each found by one step in the index.
const LINES: &str = "WITH RECURSIVE lines (line) AS (\
    SELECT MIN(line) FROM attempts WHERE state = 'queued' \
    UNION ALL SELECT (SELECT MIN(a.line) FROM attempts a WHERE a.state = 'queued' AND a.line > lines.line) \
    FROM lines WHERE lines.line IS NOT NULL) \
    SELECT line FROM lines WHERE line IS NOT NULL";

const IN_LINE: &str = "SELECT * FROM attempts WHERE state = 'queued' AND line = $1 \
    AND not_before <= (SELECT now_ms FROM db_clock) + $2 ORDER BY created_at, id LIMIT $3";

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
