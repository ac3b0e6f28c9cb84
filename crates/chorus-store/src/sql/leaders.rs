//! Leadership terms: rows with an end, not locks.

use async_trait::async_trait;
use chorus_core::id::{BootId, Term};
use chorus_core::port::{Leaders, StoreError};
use chorus_core::time::Millis;

use super::Store;
use super::cells::{Cells, stored};
use super::fault::Fault;
use super::tx::{Operation, Outcome, Tx};

#[async_trait]
impl Leaders for Store {
    async fn acquire(
        &self,
        name: &str,
        boot: BootId,
        lasts: Millis,
    ) -> Result<Option<Term>, StoreError> {
        self.execute(AcquireTerm {
            name: name.to_owned(),
            boot,
            lasts,
        })
        .await
    }

    async fn renew(&self, name: &str, term: Term, lasts: Millis) -> Result<bool, StoreError> {
        self.execute(ExtendTerm {
            name: name.to_owned(),
            term,
            lasts,
        })
        .await
    }

    async fn resign(&self, name: &str, term: Term) -> Result<(), StoreError> {
        self.execute(ExtendTerm {
            name: name.to_owned(),
            term,
            lasts: Millis::ZERO,
        })
        .await
        .map(drop)
    }
}

struct AcquireTerm {
    name: String,
    boot: BootId,
    lasts: Millis,
}

#[async_trait]
impl Operation for AcquireTerm {
    type Output = Option<Term>;

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<Option<Term>>, Fault> {
        let statement = sqlx::query(
            "INSERT INTO leaders (name, term, boot, until) VALUES ($1, 1, $2, $3) ON CONFLICT (name) DO UPDATE SET \
             term = CASE WHEN leaders.until > $4 THEN leaders.term ELSE leaders.term + 1 END, boot = excluded.boot, until = excluded.until \
             WHERE leaders.until <= $4 OR leaders.boot = excluded.boot RETURNING name, term",
        );
        let until = tx.now + self.lasts;
        let row = tx
            .row(
                statement
                    .bind(self.name.clone())
                    .bind(self.boot.to_string())
                    .bind(until.0)
                    .bind(tx.now.0),
            )
            .await?;
        let term = row
            .map(|row| Cells::new("leaders", "name", &row).count("term").map(Term))
            .transpose()?;
        Ok(Outcome::Commit(term))
    }
}

/// Sets the end of a current term; zero length ends it at once.
struct ExtendTerm {
    name: String,
    term: Term,
    lasts: Millis,
}

#[async_trait]
impl Operation for ExtendTerm {
    type Output = bool;

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<bool>, Fault> {
        let statement = sqlx::query(
            "UPDATE leaders SET until = $1 WHERE name = $2 AND term = $3 AND until > $4",
        );
        let until = tx.now + self.lasts;
        let statement = statement
            .bind(until.0)
            .bind(self.name.clone())
            .bind(stored(self.term.0)?)
            .bind(tx.now.0);
        Ok(Outcome::Commit(tx.change(statement).await? == 1))
    }
}
