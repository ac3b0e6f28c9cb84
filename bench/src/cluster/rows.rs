//! Database rows, read by own SQL statements, independent of the code under test.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use chorus_core::project::{HistoryEvent, Task};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::{PgPool, PgPoolOptions, PgRow};
use sqlx::{Connection as _, Executor as _, FromRow, PgConnection, Row as _};

/// Files of a [`Deliverable`](chorus_core::merge::Deliverable): path and hash of the content.
pub type Files = BTreeMap<String, String>;

/// Statements on one database.
#[derive(Debug, Clone)]
pub struct Rows {
    pool: PgPool,
}

/// Row of a project, read by [`Rows::projects`].
#[derive(Debug, Clone, Serialize)]
pub struct ProjectRow {
    /// Project id.
    pub id: String,
    /// State of the project.
    pub state: String,
    /// 1 in a terminal state, else 0.
    pub over: i64,
    /// Sequence number of the last event.
    pub seq: i64,
    /// Cost without a used result, in millionths of a dollar.
    pub wasted: i64,
    /// Reserved money, in millionths of a dollar.
    pub reserved: i64,
    /// The whole head, as JSON.
    pub head: String,
}

/// Row of a delivery, read by [`Rows::deliveries`].
#[derive(Debug, Clone, Serialize)]
pub struct DeliveryRow {
    /// Attempt id.
    pub attempt: String,
    /// Epoch of the delivery.
    pub epoch: i64,
    /// Project id.
    pub project: String,
    /// Task id.
    pub task: String,
    /// Time of dispatch.
    pub dispatched_at: i64,
    /// Time of the claim.
    pub claimed_at: Option<i64>,
    /// Pool of the worker that was to take it.
    pub pool: String,
    /// Holder: boot and nonce.
    pub holder: Option<String>,
    /// Time of the end.
    pub ended_at: Option<i64>,
    /// Ending: `finished`, `unclaimed`, `lost_worker` or `cancelled`.
    pub end_word: Option<String>,
    /// Outcome, as JSON.
    pub outcome: Option<String>,
    /// Usage of the call, as JSON.
    pub usage: Option<String>,
    /// Cost of the call, in millionths of a dollar.
    pub cost: i64,
}

/// Row of an attempt, read by [`Rows::attempts`].
#[derive(Debug, Clone, Serialize)]
pub struct AttemptRow {
    /// Attempt id.
    pub id: String,
    /// Project id.
    pub project: String,
    /// Task id.
    pub task: String,
    /// State of the attempt.
    pub state: String,
    /// Current epoch.
    pub epoch: i64,
    /// Specification of the attempt, as JSON.
    pub spec: String,
}

/// Row of a leader, read by [`Rows::leader`].
#[derive(Debug, Clone, Serialize)]
pub struct LeaderRow {
    /// Term of the leader.
    pub term: i64,
    /// Boot of the leading process.
    pub boot: String,
}

/// Reads a row with columns named like the fields.
macro_rules! by_name {
    ($name:ident { $($field:ident),* }) => {
        impl<'r> FromRow<'r, PgRow> for $name {
            fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
                Ok(Self { $($field: row.try_get(stringify!($field))?),* })
            }
        }
    };
}

by_name!(ProjectRow {
    id,
    state,
    over,
    seq,
    wasted,
    reserved,
    head
});
by_name!(DeliveryRow {
    attempt,
    epoch,
    project,
    task,
    dispatched_at,
    claimed_at,
    pool,
    holder,
    ended_at,
    end_word,
    outcome,
    usage,
    cost
});
by_name!(AttemptRow {
    id,
    project,
    task,
    state,
    epoch,
    spec
});
by_name!(LeaderRow { term, boot });

impl Rows {
    /// Creates an empty database.
    pub async fn make(server: &str, database: &str) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect(server)
            .await
            .context("connect to PostgreSQL")?;
        let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE {database}"));
        connection
            .execute(statement)
            .await
            .with_context(|| format!("make the database {database}"))?;
        Ok(())
    }

    /// Opens the database at this URL; connections are made on demand.
    pub fn open(url: &str) -> anyhow::Result<Self> {
        let options = PgPoolOptions::new()
            .max_connections(2)
            .acquire_timeout(Duration::from_secs(5));
        Ok(Self {
            pool: options
                .connect_lazy(url)
                .context("the URL of the database")?,
        })
    }

    /// All projects.
    pub async fn projects(&self) -> anyhow::Result<Vec<ProjectRow>> {
        let rows = sqlx::query_as(
            "SELECT id, state, over, seq, wasted, reserved, head FROM projects ORDER BY created_at, id",
        );
        Ok(rows.fetch_all(&self.pool).await?)
    }

    /// All deliveries, in order of dispatch.
    pub async fn deliveries(&self) -> anyhow::Result<Vec<DeliveryRow>> {
        let rows = sqlx::query_as(
            "SELECT attempt, epoch, project, task, dispatched_at, claimed_at, pool, holder, ended_at, end_word, outcome, usage, cost \
             FROM deliveries ORDER BY dispatched_at, attempt, epoch",
        );
        Ok(rows.fetch_all(&self.pool).await?)
    }

    /// All attempts.
    pub async fn attempts(&self) -> anyhow::Result<Vec<AttemptRow>> {
        let rows = sqlx::query_as(
            "SELECT id, project, task, state, epoch, spec FROM attempts ORDER BY id",
        );
        Ok(rows.fetch_all(&self.pool).await?)
    }

    /// Time at which each attempt was first queued.
    pub async fn queued_at(&self) -> anyhow::Result<BTreeMap<String, i64>> {
        let rows: Vec<(String, i64)> = sqlx::query_as("SELECT id, created_at FROM attempts")
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().collect())
    }

    /// All tasks, each with its project.
    pub async fn tasks(&self) -> anyhow::Result<Vec<(String, Task)>> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT project, task FROM tasks ORDER BY project, id")
                .fetch_all(&self.pool)
                .await?;
        rows.into_iter()
            .map(|(project, task)| Ok((project, serde_json::from_str(&task).context("a task")?)))
            .collect()
    }

    /// All events: project, sequence number, time, event.
    pub async fn events(&self) -> anyhow::Result<Vec<(String, i64, i64, HistoryEvent)>> {
        let rows: Vec<(String, i64, i64, String)> =
            sqlx::query_as("SELECT project, seq, at, event FROM events ORDER BY project, seq")
                .fetch_all(&self.pool)
                .await?;
        let read = |(project, seq, at, event): (String, i64, i64, String)| {
            Ok((
                project,
                seq,
                at,
                serde_json::from_str(&event).context("an event")?,
            ))
        };
        rows.into_iter().map(read).collect()
    }

    /// Holders of running attempts that were claimed at least this long ago.
    pub async fn holders(&self, claimed_for_ms: i64) -> anyhow::Result<Vec<String>> {
        let rows: Vec<(String,)> = sqlx::query_as(
            "SELECT a.holder FROM attempts a JOIN deliveries d ON d.attempt = a.id AND d.epoch = a.epoch \
             WHERE a.state = 'running' AND d.claimed_at < $1 ORDER BY a.holder",
        )
        .bind(crate::time::now_ms() - claimed_for_ms)
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|(holder,)| holder).collect())
    }

    /// Current leader of a name.
    pub async fn leader(&self, name: &str) -> anyhow::Result<Option<LeaderRow>> {
        let row = sqlx::query_as("SELECT term, boot FROM leaders WHERE name = $1 AND until > $2");
        Ok(row
            .bind(name)
            .bind(crate::time::now_ms())
            .fetch_optional(&self.pool)
            .await?)
    }

    /// Project in progress with the most recent event.
    pub async fn liveliest(&self) -> anyhow::Result<Option<String>> {
        let row: Option<(String,)> = sqlx::query_as(
            "SELECT e.project FROM events e JOIN projects p ON p.id = e.project WHERE p.over = 0 ORDER BY e.at DESC, e.project LIMIT 1",
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(project,)| project))
    }

    /// Number of claimed deliveries.
    pub async fn claimed(&self) -> anyhow::Result<i64> {
        let row: (i64,) =
            sqlx::query_as("SELECT COUNT(*) FROM deliveries WHERE claimed_at IS NOT NULL")
                .fetch_one(&self.pool)
                .await?;
        Ok(row.0)
    }

    /// Number of records never sent, and of records never folded.
    pub async fn unresolved(&self) -> anyhow::Result<(i64, i64)> {
        let row = sqlx::query_as(
            "SELECT COUNT(*) FILTER (WHERE sent_at IS NULL), COUNT(*) FILTER (WHERE folds = 1 AND folded_at IS NULL) FROM outbox",
        );
        Ok(row.fetch_one(&self.pool).await?)
    }

    /// An artifact of the database, as JSON.
    pub async fn artifact<T: DeserializeOwned>(&self, hash: &str) -> anyhow::Result<T> {
        let row: Option<(String,)> =
            sqlx::query_as("SELECT content FROM artifacts WHERE hash = $1")
                .bind(hash)
                .fetch_optional(&self.pool)
                .await?;
        let (content,) =
            row.with_context(|| format!("the artifact {hash} is not in the database"))?;
        let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, content)
            .context("an artifact's text")?;
        serde_json::from_slice(&bytes)
            .with_context(|| format!("the artifact {hash} cannot be read"))
    }
}
