//! All rows of the database as values, for tests that compare it with the memory store.

use chorus_core::id::{EventId, ProjectId, Seq, Tenant, Term, Version};
use chorus_core::port::{Projects, StoreError};
use sqlx::any::AnyRow;

use super::cells::Cells;
use super::fault::Fault;
use super::{Store, attempt_rows, deliveries, delivery_rows, outbox, projects};
use crate::rows::{LeaderRow, OutboxRow, ProjectRow, Rows};

impl Store {
    /// Copies the rows; not of one instant while others write.
    pub async fn snapshot(&self) -> Result<Rows, StoreError> {
        let mut rows = Rows::default();
        for row in &self.read(sqlx::query("SELECT * FROM projects")).await? {
            let (id, project) = self.project(row).await?;
            rows.projects.insert(id, project);
        }
        for row in &self.read(sqlx::query("SELECT * FROM events")).await? {
            let event = projects::event(row)?;
            rows.events.insert((event.project, event.seq), event);
        }
        for row in &self.read(sqlx::query("SELECT * FROM attempts")).await? {
            let attempt = attempt_rows::attempt(row)?;
            rows.attempts.insert(attempt.attempt.id, attempt);
        }
        for row in &self.read(sqlx::query("SELECT * FROM deliveries")).await? {
            let delivery = delivery_rows::delivery(row)?;
            rows.deliveries.insert(
                (delivery.delivery.attempt, delivery.delivery.epoch),
                delivery,
            );
        }
        for row in &self.read(sqlx::query("SELECT * FROM outbox")).await? {
            let (id, record) = record(row)?;
            rows.outbox.insert(id, record);
        }
        for row in &self.read(sqlx::query("SELECT event FROM folded")).await? {
            rows.folded
                .insert(Cells::new("folded", "event", row).parsed("event")?);
        }
        for row in &self.read(sqlx::query("SELECT * FROM leaders")).await? {
            let (name, leader) = leader(row)?;
            rows.leaders.insert(name, leader);
        }
        Ok(rows)
    }

    async fn project(&self, row: &AnyRow) -> Result<(ProjectId, ProjectRow), StoreError> {
        let cells = Cells::new("projects", "id", row);
        let id = cells.parsed("id")?;
        let loaded = self
            .load(id)
            .await?
            .ok_or_else(|| StoreError::broken(format!("project {id} went away")))?;
        let row = ProjectRow {
            tenant: Tenant::new(cells.text("tenant")?),
            idempotency_key: cells.text("idempotency_key")?,
            body: cells.parsed("body")?,
            version: Version(cells.count("version")?),
            seq: Seq(cells.count("seq")?),
            project: loaded.project,
            money: deliveries::money(row)?,
            decided: cells.parsed_or_none("decided")?,
        };
        Ok((id, row))
    }
}

fn record(row: &AnyRow) -> Result<(EventId, OutboxRow), Fault> {
    let cells = Cells::new("outbox", "id", row);
    let record = outbox::record(row)?;
    let times = (
        cells.time("created_at")?,
        cells.time_or_none("sent_at")?,
        cells.time_or_none("folded_at")?,
    );
    Ok((
        record.id,
        OutboxRow {
            record,
            created_at: times.0,
            sent_at: times.1,
            folded_at: times.2,
        },
    ))
}

fn leader(row: &AnyRow) -> Result<(String, LeaderRow), Fault> {
    let cells = Cells::new("leaders", "name", row);
    Ok((
        cells.text("name")?,
        LeaderRow {
            term: Term(cells.count("term")?),
            boot: cells.parsed("boot")?,
            until: cells.time("until")?,
        },
    ))
}
