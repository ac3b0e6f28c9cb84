//! The store in SQLite or PostgreSQL, from one SQL text.
//!
//! A port's changing method is a *deed*: one transaction, carried out by SQLite's single writer (grouped commits)
//! or on a PostgreSQL connection (retried when it lost to another). Reads go to a pool beside it. One file for
//! each port or each guarded arrow; the rules are in `rows`, shared with the memory store. Times are judged by the
//! database's clock, through the view `db_clock`.
//!
//! Deliberately absent: query builders, arrays, LISTEN, auto-increment, advisory locks.

mod artifacts;
mod attempts;
mod cells;
mod claim;
mod commit;
mod connect;
mod deliveries;
mod directory;
mod dispatch;
mod fault;
mod finish;
mod keys;
mod leaders;
mod migrate;
mod outbox;
mod projects;
mod reclaim;
mod snapshot;
mod tx;
mod writer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chorus_core::port::StoreError;
use chorus_core::time::Timestamp;
use sqlx::AnyPool;
use sqlx::any::AnyRow;
use tokio::task::JoinHandle;

pub use connect::Place;

use crate::Trouble;
use fault::Fault;
use tx::{Deed, Statement, Tx, Verdict};
use writer::Writer;

/// Readers beside SQLite's writer; all connections of one process on PostgreSQL, unless told otherwise.
const CONNECTIONS: u32 = 8;
/// How often a transaction that lost to another is tried.
const TRIES: u32 = 10;

/// A store in a database; clones share it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    place: Place,
    pool: AnyPool,
    writer: Mutex<Option<(Arc<Writer>, JoinHandle<()>)>>,
    touched: Arc<AtomicU64>,
    trouble: Trouble,
}

/// What to do at the start when the database's schema is older than this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// Bring it up to date.
    Apply,
    /// Refuse to start and say which command brings it up to date.
    Refuse,
}

/// Names of the migrations that the database at this place lacks.
pub async fn pending(place: &Place) -> Result<Vec<&'static str>, StoreError> {
    Ok(migrate::pending(&mut place.connect().await?).await?)
}

/// Brings the database at this place up to date.
pub async fn migrate(place: &Place) -> Result<(), StoreError> {
    Ok(migrate::migrate(place, &mut place.connect().await?).await?)
}

impl Store {
    /// Opens the database; an error names it.
    pub async fn open(place: Place, on_pending: Pending) -> Result<Self, StoreError> {
        Self::open_with(place, on_pending, CONNECTIONS).await
    }

    /// The same, with so many connections.
    pub async fn open_with(
        place: Place,
        on_pending: Pending,
        connections: u32,
    ) -> Result<Self, StoreError> {
        let name = place.name();
        Self::opened(place, on_pending, connections)
            .await
            .map_err(|error| error.within(&name))
    }

    async fn opened(
        place: Place,
        on_pending: Pending,
        connections: u32,
    ) -> Result<Self, StoreError> {
        let mut connection = place.connect().await?;
        let missing = migrate::pending(&mut connection).await?;
        match on_pending {
            Pending::Apply => migrate::migrate(&place, &mut connection).await?,
            Pending::Refuse if missing.is_empty() => {}
            Pending::Refuse => {
                let missing = missing.join(", ");
                return Err(StoreError::broken(format!(
                    "the database lacks {missing}; run `chorus migrate` first"
                )));
            }
        }
        let pool = place.pool(connections).await?;
        let touched = Arc::new(AtomicU64::new(0));
        let writer = place
            .is_sqlite()
            .then(|| Writer::start(place.clone(), connection, Arc::clone(&touched)));
        let writer = Mutex::new(writer.map(|(writer, task)| (Arc::new(writer), task)));
        Ok(Self {
            shared: Arc::new(Shared {
                place,
                pool,
                writer,
                touched,
                trouble: Trouble::default(),
            }),
        })
    }

    /// Waits until what was asked for is done, then closes every connection.
    pub async fn close(&self) {
        let running = self
            .shared
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some((writer, task)) = running {
            drop(writer);
            // The writer ends by itself; if it was aborted with its runtime there is nothing to wait for.
            let _ = task.await;
        }
        self.shared.pool.close().await;
    }

    /// How many rows this process has changed so far.
    pub fn rows_touched(&self) -> u64 {
        self.shared.touched.load(Ordering::Relaxed)
    }

    /// Replaces the database's own time by a fixed one, for tests that say what time it is.
    pub async fn hold_clock(&self, at: Timestamp) -> Result<(), StoreError> {
        Ok(migrate::hold_clock(&mut self.shared.place.connect().await?, at).await?)
    }

    /// Lets SQLite's file grow no further, for tests of a full disk.
    pub async fn hold_size(&self) -> Result<(), StoreError> {
        self.carry_out(migrate::HoldSize).await
    }

    /// Reads the whole database for damage; one line for each finding, none when it is sound.
    pub async fn examine(&self) -> Result<Vec<String>, StoreError> {
        if !self.shared.place.is_sqlite() {
            return Ok(Vec::new());
        }
        let rows = self.read(sqlx::query("PRAGMA quick_check")).await?;
        let lines = rows
            .iter()
            .map(|row| cells::Cells::new("quick_check", "quick_check", row).text("quick_check"));
        let lines = lines.collect::<Result<Vec<_>, Fault>>()?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }

    /// Where it tells that writing failed for good.
    pub fn trouble(&self) -> &Trouble {
        &self.shared.trouble
    }

    /// Has a deed carried out and committed.
    async fn carry_out<D: Deed>(&self, deed: D) -> Result<D::Answer, StoreError> {
        if !self.shared.place.is_sqlite() {
            return Ok(self.on_a_connection(&deed).await?);
        }
        let answer = match self.writer() {
            Some(writer) => writer.carry_out(deed).await,
            None => Err(StoreError::unavailable("the store is closed")),
        };
        self.shared.trouble.note(&answer);
        answer
    }

    fn writer(&self) -> Option<Arc<Writer>> {
        let running = self
            .shared
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        running.as_ref().map(|(writer, _)| Arc::clone(writer))
    }

    async fn on_a_connection<D: Deed>(&self, deed: &D) -> Result<D::Answer, Fault> {
        let mut tries = 1;
        loop {
            match connect::in_time(self.in_transaction(deed)).await {
                Err(Fault::Again(_)) if tries < TRIES => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn in_transaction<D: Deed>(&self, deed: &D) -> Result<D::Answer, Fault> {
        let mut transaction = self.shared.pool.begin().await?;
        let mut tx = Tx::begun(&mut transaction).await?;
        let verdict = deed.carry_out(&mut tx).await?;
        let touched = tx.touched();
        match verdict {
            Verdict::Keep(answer) => {
                transaction.commit().await?;
                self.shared.touched.fetch_add(touched, Ordering::Relaxed);
                Ok(answer)
            }
            Verdict::Undo(answer) => {
                transaction.rollback().await?;
                Ok(answer)
            }
        }
    }

    /// The rows of one reading statement.
    async fn read(&self, statement: Statement<'_>) -> Result<Vec<AnyRow>, Fault> {
        connect::in_time(async { Ok(statement.fetch_all(&self.shared.pool).await?) }).await
    }

    /// Whether the database answers, and which migrations it lacks.
    pub async fn ping(&self) -> Result<Vec<&'static str>, StoreError> {
        let mut connection = self.shared.pool.acquire().await.map_err(Fault::from)?;
        Ok(connect::in_time(migrate::pending(&mut connection)).await?)
    }

    /// What time the database thinks it is: the clock by which deliveries are judged.
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
