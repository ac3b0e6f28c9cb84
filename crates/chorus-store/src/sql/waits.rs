//! Reasons of waiting: a column beside each attempt.

use async_trait::async_trait;
use chorus_core::attempt::AttemptWait;
use chorus_core::id::{ProjectId, Tenant};
use chorus_core::port::waits::HeldUpProject;
use chorus_core::port::{StoreError, Waits};
use sqlx::any::AnyRow;

use super::Store;
use super::attempt_rows::attempt;
use super::cells::{Cells, json};
use super::delivery_rows::delivery;
use super::fault::Fault;
use super::tx::{Operation, Outcome, Tx};
use crate::rows::wait::wait_of;

#[async_trait]
impl Waits for Store {
    async fn record_waits(&self, waits: Vec<AttemptWait>) -> Result<(), StoreError> {
        self.execute(RecordWaits(waits)).await
    }

    async fn waits_of(
        &self,
        project: ProjectId,
        limit: u32,
    ) -> Result<Vec<AttemptWait>, StoreError> {
        let statement = sqlx::query(
            "SELECT a.*, c.now_ms FROM attempts a CROSS JOIN db_clock c \
             WHERE a.state = 'queued' AND a.project = $1 ORDER BY a.created_at, a.id LIMIT $2",
        );
        let statement = statement.bind(project.to_string()).bind(i64::from(limit));
        let rows = self.read(statement).await?;
        let mut waits = Vec::with_capacity(rows.len());
        for (ahead, row) in (0..).zip(&rows) {
            waits.push(self.wait(row, ahead).await?);
        }
        Ok(waits)
    }

    async fn held_up(
        &self,
        after: Option<ProjectId>,
        limit: u32,
    ) -> Result<Vec<HeldUpProject>, StoreError> {
        let statement = sqlx::query(
            "SELECT id, tenant FROM projects WHERE state IN ('needs_attention', 'paused') AND id > $1 ORDER BY id LIMIT $2",
        );
        let after = after.map_or_else(String::new, |after| after.to_string());
        let rows = self
            .read(statement.bind(after).bind(i64::from(limit)))
            .await?;
        let held_up = rows.iter().map(|row| {
            let cells = Cells::new("projects", "id", row);
            Ok(HeldUpProject {
                tenant: Tenant::new(cells.text("tenant")?),
                project: cells.parsed("id")?,
            })
        });
        Ok(held_up.collect::<Result<_, Fault>>()?)
    }
}

impl Store {
    async fn wait(&self, row: &AnyRow, ahead: u32) -> Result<AttemptWait, Fault> {
        let cells = Cells::new("attempts", "id", row);
        let (now, recorded) = (cells.time("now_ms")?, cells.json_or_none("wait")?);
        let row = attempt(row)?;
        let is_delayed = row.attempt.not_before > now && row.epoch.0 > 0;
        let last = if is_delayed {
            let statement =
                sqlx::query("SELECT * FROM deliveries WHERE attempt = $1 AND epoch = $2")
                    .bind(row.attempt.id.to_string())
                    .bind(i64::from(row.epoch.0) - 1);
            let found = self.read(statement).await?;
            found.first().map(delivery).transpose()?
        } else {
            None
        };
        let last = last.as_ref().map(|last| &last.delivery);
        Ok(wait_of(&row, recorded, last, ahead, now))
    }
}

struct RecordWaits(Vec<AttemptWait>);

#[async_trait]
impl Operation for RecordWaits {
    type Output = ();

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<()>, Fault> {
        for wait in &self.0 {
            let statement = sqlx::query(
                "UPDATE attempts SET wait = $1 WHERE id = $2 AND state = 'queued' AND epoch = $3",
            );
            let statement = statement
                .bind(json(wait)?)
                .bind(wait.attempt.to_string())
                .bind(i64::from(wait.epoch.0));
            tx.change(statement).await?;
        }
        Ok(Outcome::Commit(()))
    }
}
