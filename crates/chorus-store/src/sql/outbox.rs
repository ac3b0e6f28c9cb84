//! Records of the outbox: unsent, unfolded, forgotten.

use async_trait::async_trait;
use bytes::Bytes;
use chorus_core::id::EventId;
use chorus_core::port::bus::Record;
use chorus_core::port::{Outbox, StoreError};
use chorus_core::time::Millis;
use sqlx::any::AnyRow;

use super::Store;
use super::cells::{Cells, json, stored};
use super::fault::Fault;
use super::tx::{Operation, Outcome, Tx};
use crate::rows::is_folded;

#[async_trait]
impl Outbox for Store {
    async fn unsent(&self, older_than: Millis, limit: u32) -> Result<Vec<Record>, StoreError> {
        let statement = sqlx::query(
            "SELECT id, topic, record_key, headers, payload FROM outbox \
             WHERE sent_at IS NULL AND created_at <= (SELECT now_ms FROM db_clock) - $1 ORDER BY created_at, id LIMIT $2",
        );
        let rows = self
            .read(statement.bind(stored(older_than.0)?).bind(i64::from(limit)))
            .await?;
        Ok(rows.iter().map(record).collect::<Result<_, Fault>>()?)
    }

    async fn mark_sent(&self, ids: Vec<EventId>) -> Result<(), StoreError> {
        self.execute(MarkSent(ids)).await
    }

    async fn unfolded(&self, older_than: Millis, limit: u32) -> Result<Vec<Record>, StoreError> {
        let statement = sqlx::query(
            "SELECT id, topic, record_key, headers, payload FROM outbox WHERE folds = 1 AND folded_at IS NULL \
             AND sent_at <= (SELECT now_ms FROM db_clock) - $1 ORDER BY sent_at, id LIMIT $2",
        );
        let rows = self
            .read(statement.bind(stored(older_than.0)?).bind(i64::from(limit)))
            .await?;
        Ok(rows.iter().map(record).collect::<Result<_, Fault>>()?)
    }

    async fn forget(&self, older_than: Millis, limit: u32) -> Result<u32, StoreError> {
        self.execute(ForgetRecords { older_than, limit }).await
    }
}

struct ForgetRecords {
    older_than: Millis,
    limit: u32,
}

#[async_trait]
impl Operation for ForgetRecords {
    type Output = u32;

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<u32>, Fault> {
        let by = tx.now - self.older_than;
        let statement = sqlx::query(
            "SELECT id FROM outbox WHERE sent_at IS NOT NULL AND sent_at <= $1 AND (folds = 0 OR folded_at <= $1) \
             ORDER BY sent_at, id LIMIT $2",
        );
        let rows = tx
            .rows(statement.bind(by.0).bind(i64::from(self.limit)))
            .await?;
        let done: Vec<EventId> = rows
            .iter()
            .map(|row| Cells::new("outbox", "id", row).parsed("id"))
            .collect::<Result<_, Fault>>()?;
        for id in &done {
            tx.change(sqlx::query("DELETE FROM outbox WHERE id = $1").bind(id.to_string()))
                .await?;
            tx.change(sqlx::query("DELETE FROM folded WHERE event = $1").bind(id.to_string()))
                .await?;
        }
        Ok(Outcome::Commit(
            u32::try_from(done.len()).unwrap_or(self.limit),
        ))
    }
}

struct MarkSent(Vec<EventId>);

#[async_trait]
impl Operation for MarkSent {
    type Output = ();

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<()>, Fault> {
        let mut ids = self.0.clone();
        ids.sort_unstable();
        for id in ids {
            let statement = sqlx::query("UPDATE outbox SET sent_at = $1 WHERE id = $2");
            tx.change(statement.bind(tx.now.0).bind(id.to_string()))
                .await?;
        }
        Ok(Outcome::Commit(()))
    }
}

impl Tx<'_> {
    /// Puts a record into the outbox; a second time changes nothing.
    pub(super) async fn put_record(&mut self, record: &Record) -> Result<(), Fault> {
        let payload = std::str::from_utf8(&record.payload).map_err(|_| {
            Fault::broken(format!("the payload of record {} is not text", record.id))
        })?;
        let statement = sqlx::query(
            "INSERT INTO outbox (id, topic, folds, record_key, headers, payload, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
        );
        let statement = statement
            .bind(record.id.to_string())
            .bind(json(&record.topic)?)
            .bind(i64::from(is_folded(&record.topic)))
            .bind(record.key.clone())
            .bind(json(&record.headers)?)
            .bind(payload.to_owned())
            .bind(self.now.0);
        self.change(statement).await?;
        Ok(())
    }
}

pub(super) fn record(row: &AnyRow) -> Result<Record, Fault> {
    let cells = Cells::new("outbox", "id", row);
    Ok(Record {
        id: cells.parsed("id")?,
        topic: cells.json("topic")?,
        key: cells.text("record_key")?,
        headers: cells.json("headers")?,
        payload: Bytes::from(cells.text("payload")?),
    })
}
