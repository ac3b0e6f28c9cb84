//! One transaction of either database, and the [`Operation`] that runs in it.

use async_trait::async_trait;
use chorus_core::time::Timestamp;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, Row};

use super::fault::Fault;

/// A statement with its bound values.
pub(crate) type Statement<'q> = Query<'q, Any, AnyArguments>;

/// One method of a port as one transaction. It may be executed again after a rollback.
#[async_trait]
pub(crate) trait Operation: Send + Sync + 'static {
    /// Result for the caller.
    type Output: Send + 'static;

    /// Reads and changes rows; the caller of this method commits or rolls back.
    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<Self::Output>, Fault>;
}

/// Result of an operation, and what becomes of its changes.
pub(crate) enum Outcome<T> {
    /// Commits the changes.
    Commit(T),
    /// Undoes the changes; the caller gets the result anyway.
    RollBack(T),
}

/// A transaction under way.
pub(crate) struct Tx<'c> {
    connection: &'c mut AnyConnection,
    /// Time by the database's clock at the beginning.
    pub(crate) now: Timestamp,
    touched: u64,
}

impl<'c> Tx<'c> {
    /// Wraps a transaction that has begun on this connection.
    pub(crate) async fn begun(connection: &'c mut AnyConnection) -> Result<Self, Fault> {
        let row = sqlx::query("SELECT now_ms FROM db_clock")
            .fetch_one(&mut *connection)
            .await?;
        Ok(Self {
            now: Timestamp(row.try_get(0)?),
            connection,
            touched: 0,
        })
    }

    /// Executes a statement; returns the number of changed rows.
    pub(crate) async fn change(&mut self, statement: Statement<'_>) -> Result<u64, Fault> {
        let rows = statement
            .execute(&mut *self.connection)
            .await?
            .rows_affected();
        self.touched += rows;
        Ok(rows)
    }

    /// Rows that a statement returns.
    pub(crate) async fn rows(&mut self, statement: Statement<'_>) -> Result<Vec<AnyRow>, Fault> {
        Ok(statement.fetch_all(&mut *self.connection).await?)
    }

    /// First row that a statement returns.
    pub(crate) async fn row(&mut self, statement: Statement<'_>) -> Result<Option<AnyRow>, Fault> {
        Ok(statement.fetch_optional(&mut *self.connection).await?)
    }

    /// Number of rows changed so far.
    pub(crate) const fn touched(&self) -> u64 {
        self.touched
    }
}
