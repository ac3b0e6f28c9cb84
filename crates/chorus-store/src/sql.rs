//! The store in SQLite or PostgreSQL, from one SQL text.
//!
//! A changing method of a port is an [`Operation`]: one transaction, executed by the [`CommitQueue`] of SQLite
//! (grouped commits) or on a connection of PostgreSQL (retried when it lost to another). Reads use a pool. One
//! file for each port or each statement on an attempt; the rules are in [`crate::rows`], shared with the memory
//! store. Times are those of the database's clock, the view `db_clock`.
//!
//! Deliberately absent: query builders, arrays, LISTEN, auto-increment, advisory locks.

mod artifacts;
mod attempt_rows;
mod attempts;
mod audit;
mod cells;
mod claim;
mod commit;
mod commit_queue;
mod database_url;
mod deliveries;
mod delivery_rows;
mod directory;
mod dispatch;
mod fault;
mod finish;
mod keys;
mod leaders;
mod migrate;
mod outbox;
mod projects;
mod queue;
mod reclaim;
mod snapshot;
mod tx;
mod waits;
mod workers;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chorus_core::port::StoreError;
use chorus_core::time::Timestamp;
use sqlx::AnyPool;
use sqlx::any::AnyRow;
use tokio::task::JoinHandle;

pub use database_url::DatabaseUrl;

use crate::LastingFailure;
use commit_queue::CommitQueue;
use fault::Fault;
use tx::{Operation, Outcome, Statement, Tx};

/// Default number of connections: readers beside SQLite's writer, or all connections of a process to PostgreSQL.
const CONNECTIONS: u32 = 8;
/// Most tries of a transaction that lost to another.
const TRIES: u32 = 10;

/// A store in a database; clones share it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    url: DatabaseUrl,
    pool: AnyPool,
    commits: Mutex<Option<(Arc<CommitQueue>, JoinHandle<()>)>>,
    touched: Arc<AtomicU64>,
    lasting_failure: LastingFailure,
}

/// Reaction to a database with an older schema than this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// Apply the missing migrations.
    Apply,
    /// Fail with the names of the missing migrations and the command that applies them.
    Refuse,
}

/// Names of the migrations that the database lacks.
pub async fn pending(url: &DatabaseUrl) -> Result<Vec<&'static str>, StoreError> {
    Ok(migrate::pending(&mut url.connect().await?).await?)
}

/// Applies the missing migrations.
pub async fn migrate(url: &DatabaseUrl) -> Result<(), StoreError> {
    Ok(migrate::migrate(url, &mut url.connect().await?).await?)
}

impl Store {
    /// Opens the database with the default number of connections, as [`Store::open_with`]; an error names it.
    pub async fn open(url: DatabaseUrl, on_pending: Pending) -> Result<Self, StoreError> {
        Self::open_with(url, on_pending, CONNECTIONS).await
    }

    /// Opens the database with this number of connections.
    pub async fn open_with(
        url: DatabaseUrl,
        on_pending: Pending,
        connections: u32,
    ) -> Result<Self, StoreError> {
        let name = url.name();
        Self::opened(url, on_pending, connections)
            .await
            .map_err(|error| error.within(&name))
    }

    async fn opened(
        url: DatabaseUrl,
        on_pending: Pending,
        connections: u32,
    ) -> Result<Self, StoreError> {
        let mut connection = url.connect().await?;
        let missing = migrate::pending(&mut connection).await?;
        match on_pending {
            Pending::Apply => migrate::migrate(&url, &mut connection).await?,
            Pending::Refuse if missing.is_empty() => {}
            Pending::Refuse => {
                let missing = missing.join(", ");
                return Err(StoreError::broken(format!(
                    "the database lacks {missing}; run `chorus migrate` first"
                )));
            }
        }
        let pool = url.pool(connections).await?;
        let touched = Arc::new(AtomicU64::new(0));
        let commits = url
            .is_sqlite()
            .then(|| CommitQueue::start(url.clone(), connection, Arc::clone(&touched)));
        let commits = Mutex::new(commits.map(|(queue, task)| (Arc::new(queue), task)));
        Ok(Self {
            shared: Arc::new(Shared {
                url,
                pool,
                commits,
                touched,
                lasting_failure: LastingFailure::default(),
            }),
        })
    }

    /// Waits for the queued operations, then closes every connection.
    pub async fn close(&self) {
        let running = self
            .shared
            .commits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some((queue, task)) = running {
            drop(queue);
            // The task ends with its queue; if it was aborted with its runtime there is nothing to wait for.
            let _ = task.await;
        }
        self.shared.pool.close().await;
    }

    /// Number of rows that this process has changed.
    pub fn rows_touched(&self) -> u64 {
        self.shared.touched.load(Ordering::Relaxed)
    }

    /// Replaces the database's clock by a fixed time, for tests.
    pub async fn hold_clock(&self, at: Timestamp) -> Result<(), StoreError> {
        Ok(migrate::hold_clock(&mut self.shared.url.connect().await?, at).await?)
    }

    /// Fixes the size of SQLite's file, for tests of a full disk.
    pub async fn hold_size(&self) -> Result<(), StoreError> {
        self.execute(migrate::FixSize).await
    }

    /// Checks the whole SQLite file for damage; returns one line for each finding.
    pub async fn examine(&self) -> Result<Vec<String>, StoreError> {
        if !self.shared.url.is_sqlite() {
            return Ok(Vec::new());
        }
        let rows = self.read(sqlx::query("PRAGMA quick_check")).await?;
        let lines = rows
            .iter()
            .map(|row| cells::Cells::new("quick_check", "quick_check", row).text("quick_check"));
        let lines = lines.collect::<Result<Vec<_>, Fault>>()?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }

    /// The first failure to write that no retry ends.
    pub fn lasting_failure(&self) -> &LastingFailure {
        &self.shared.lasting_failure
    }

    /// Executes and commits an operation.
    async fn execute<O: Operation>(&self, operation: O) -> Result<O::Output, StoreError> {
        if !self.shared.url.is_sqlite() {
            return Ok(self.on_a_connection(&operation).await?);
        }
        let result = match self.commits() {
            Some(queue) => queue.execute(operation).await,
            None => Err(StoreError::unavailable("the store is closed")),
        };
        self.shared.lasting_failure.record(&result);
        result
    }

    fn commits(&self) -> Option<Arc<CommitQueue>> {
        let running = self
            .shared
            .commits
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        running.as_ref().map(|(queue, _)| Arc::clone(queue))
    }

    async fn on_a_connection<O: Operation>(&self, operation: &O) -> Result<O::Output, Fault> {
        let mut tries = 1;
        loop {
            match database_url::in_time(self.in_transaction(operation)).await {
                Err(Fault::Again(_)) if tries < TRIES => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn in_transaction<O: Operation>(&self, operation: &O) -> Result<O::Output, Fault> {
        let mut transaction = self.shared.pool.begin().await?;
        let mut tx = Tx::begun(&mut transaction).await?;
        let outcome = operation.execute(&mut tx).await?;
        let touched = tx.touched();
        match outcome {
            Outcome::Commit(output) => {
                transaction.commit().await?;
                self.shared.touched.fetch_add(touched, Ordering::Relaxed);
                Ok(output)
            }
            Outcome::RollBack(output) => {
                transaction.rollback().await?;
                Ok(output)
            }
        }
    }

    /// Rows of one reading statement.
    async fn read(&self, statement: Statement<'_>) -> Result<Vec<AnyRow>, Fault> {
        database_url::in_time(async { Ok(statement.fetch_all(&self.shared.pool).await?) }).await
    }

    /// Reaches the database; returns the migrations that it lacks.
    pub async fn ping(&self) -> Result<Vec<&'static str>, StoreError> {
        let mut connection = self.shared.pool.acquire().await.map_err(Fault::from)?;
        Ok(database_url::in_time(migrate::pending(&mut connection)).await?)
    }

    /// Time by the database's clock, which leases and deadlines are compared with.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        let rows = self
            .read(sqlx::query("SELECT now_ms FROM db_clock"))
            .await?;
        let row = rows
            .first()
            .ok_or_else(|| StoreError::broken("the clock of the database has no row"))?;
        Ok(cells::Cells::new("db_clock", "now", row).time("now_ms")?)
    }
}
