//! Migrations of the schema: numbered files, each applied once, never changed.
//!
//! The databases differ in one view, `db_clock`, which is created here before the first file.

use async_trait::async_trait;
use chorus_core::artifact::ArtifactHash;
use chorus_core::time::Timestamp;
use sqlx::{AnyConnection, Connection, Error, Executor, Row};

use super::database_url::DatabaseUrl;
use super::fault::Fault;
use super::tx::{Operation, Outcome, Tx};

struct Migration {
    number: i64,
    name: &'static str,
    text: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "0001_begin",
        text: include_str!("../../migrations/0001_begin.sql"),
    },
    Migration {
        number: 2,
        name: "0002_keys",
        text: include_str!("../../migrations/0002_keys.sql"),
    },
    Migration {
        number: 3,
        name: "0003_collecting",
        text: include_str!("../../migrations/0003_collecting.sql"),
    },
    Migration {
        number: 4,
        name: "0004_ended",
        text: include_str!("../../migrations/0004_ended.sql"),
    },
    Migration {
        number: 5,
        name: "0005_waits",
        text: include_str!("../../migrations/0005_waits.sql"),
    },
    Migration {
        number: 6,
        name: "0006_delivery_history",
        text: include_str!("../../migrations/0006_delivery_history.sql"),
    },
    Migration {
        number: 7,
        name: "0007_credential_marks",
        text: include_str!("../../migrations/0007_credential_marks.sql"),
    },
    Migration {
        number: 8,
        name: "0008_audit",
        text: include_str!("../../migrations/0008_audit.sql"),
    },
    Migration {
        number: 9,
        name: "0009_queue",
        text: include_str!("../../migrations/0009_queue.sql"),
    },
    Migration {
        number: 10,
        name: "0010_queue_parts",
        text: include_str!("../../migrations/0010_queue_parts.sql"),
    },
];

const HISTORY: &str = "CREATE TABLE IF NOT EXISTS schema_history (number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL)";

const SQLITE_CLOCK: &str = "CREATE VIEW IF NOT EXISTS db_clock AS SELECT CAST(ROUND(unixepoch('subsec') * 1000) AS BIGINT) AS now_ms";

const POSTGRES_CLOCK: &str = "CREATE OR REPLACE VIEW db_clock AS SELECT CAST(ROUND(EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS BIGINT) AS now_ms";

/// Names of the migrations that the database lacks, in order.
pub(super) async fn pending(connection: &mut AnyConnection) -> Result<Vec<&'static str>, Fault> {
    Ok(missing(connection)
        .await?
        .into_iter()
        .map(|migration| migration.name)
        .collect())
}

/// Applies the missing migrations, each in its own transaction.
pub(super) async fn migrate(
    url: &DatabaseUrl,
    connection: &mut AnyConnection,
) -> Result<(), Fault> {
    for migration in missing(connection).await? {
        let mut transaction = connection
            .begin_with(if url.is_sqlite() {
                "BEGIN IMMEDIATE"
            } else {
                "BEGIN"
            })
            .await?;
        transaction.execute(HISTORY).await?;
        transaction
            .execute(if url.is_sqlite() {
                SQLITE_CLOCK
            } else {
                POSTGRES_CLOCK
            })
            .await?;
        let noted = sqlx::query("INSERT INTO schema_history (number, name, hash) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(migration.number)
            .bind(migration.name)
            .bind(ArtifactHash::of(migration.text.as_bytes()).to_string())
            .execute(&mut *transaction)
            .await?;
        if noted.rows_affected() == 1 {
            transaction.execute(sqlx::raw_sql(migration.text)).await?;
        }
        transaction.commit().await?;
    }
    Ok(())
}

/// Replaces the database's clock by a fixed time, for tests.
pub(super) async fn hold_clock(connection: &mut AnyConnection, at: Timestamp) -> Result<(), Fault> {
    let mut transaction = connection.begin().await?;
    transaction.execute("DROP VIEW IF EXISTS db_clock").await?;
    transaction
        .execute("CREATE TABLE IF NOT EXISTS held_clock (now_ms BIGINT NOT NULL)")
        .await?;
    transaction.execute("DELETE FROM held_clock").await?;
    sqlx::query("INSERT INTO held_clock (now_ms) VALUES ($1)")
        .bind(at.0)
        .execute(&mut *transaction)
        .await?;
    transaction
        .execute("CREATE VIEW db_clock AS SELECT now_ms FROM held_clock")
        .await?;
    Ok(transaction.commit().await?)
}

/// Fixes the size of SQLite's file: the setting cannot go below the present size.
pub(super) struct FixSize;

#[async_trait]
impl Operation for FixSize {
    type Output = ();

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<()>, Fault> {
        tx.rows(sqlx::query("PRAGMA max_page_count = 1")).await?;
        Ok(Outcome::Commit(()))
    }
}

async fn missing(connection: &mut AnyConnection) -> Result<Vec<&'static Migration>, Fault> {
    let rows = match connection
        .fetch_all("SELECT number, hash FROM schema_history")
        .await
    {
        Ok(rows) => rows,
        Err(error) if is_missing_table(&error) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let mut applied = std::collections::BTreeMap::new();
    for row in rows {
        applied.insert(row.try_get::<i64, _>(0)?, row.try_get::<String, _>(1)?);
    }
    for migration in MIGRATIONS {
        let hash = ArtifactHash::of(migration.text.as_bytes()).to_string();
        if applied
            .get(&migration.number)
            .is_some_and(|known| *known != hash)
        {
            return Err(Fault::broken(format!(
                "migration {} was applied with another text than this program has; use the release that made this database, or restore a backup",
                migration.name
            )));
        }
    }
    Ok(MIGRATIONS
        .iter()
        .filter(|migration| !applied.contains_key(&migration.number))
        .collect())
}

fn is_missing_table(error: &Error) -> bool {
    error.as_database_error().is_some_and(|refusal| {
        refusal.code().as_deref() == Some("42P01") || refusal.message().starts_with("no such table")
    })
}
