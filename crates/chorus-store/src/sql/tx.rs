//! One transaction: where deeds run, whatever database is behind it.

use async_trait::async_trait;
use chorus_core::time::Timestamp;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, Row};

use super::fault::Fault;

/// A statement with its values.
pub(crate) type Statement<'q> = Query<'q, Any, AnyArguments>;

/// What one method of a port does in one transaction. It may be carried out again after it was rolled back.
#[async_trait]
pub(crate) trait Deed: Send + Sync + 'static {
    /// What the caller learns.
    type Answer: Send + 'static;

    /// Does it.
    async fn carry_out(&self, tx: &mut Tx<'_>) -> Result<Verdict<Self::Answer>, Fault>;
}

/// What is to become of a deed's changes.
pub(crate) enum Verdict<T> {
    /// They are to be committed.
    Keep(T),
    /// They are to be undone; the answer stands all the same.
    Undo(T),
}

/// A transaction under way.
pub(crate) struct Tx<'c> {
    connection: &'c mut AnyConnection,
    /// The store's time.
    pub(crate) now: Timestamp,
    touched: u64,
}

impl<'c> Tx<'c> {
    /// A transaction that has begun on this connection.
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

    /// Changes rows; how many it were.
    pub(crate) async fn change(&mut self, statement: Statement<'_>) -> Result<u64, Fault> {
        let rows = statement
            .execute(&mut *self.connection)
            .await?
            .rows_affected();
        self.touched += rows;
        Ok(rows)
    }

    /// The rows that a statement returns.
    pub(crate) async fn rows(&mut self, statement: Statement<'_>) -> Result<Vec<AnyRow>, Fault> {
        Ok(statement.fetch_all(&mut *self.connection).await?)
    }

    /// The row that a statement returns, if any.
    pub(crate) async fn row(&mut self, statement: Statement<'_>) -> Result<Option<AnyRow>, Fault> {
        Ok(statement.fetch_optional(&mut *self.connection).await?)
    }

    /// How many rows were changed so far.
    pub(crate) const fn touched(&self) -> u64 {
        self.touched
    }
}
