//! `Dispatched -> Running` at the record's epoch, before the lease's `not_after` by the database's clock.

use async_trait::async_trait;
use chorus_core::attempt::{Claim, Delivery};

use super::cells::Cells;
use super::fault::Fault;
use super::tx::{Deed, Tx, Verdict};

pub(super) struct Take(pub(super) Claim);

#[async_trait]
impl Deed for Take {
    type Answer = Option<Box<Delivery>>;

    async fn carry_out(&self, tx: &mut Tx<'_>) -> Result<Verdict<Self::Answer>, Fault> {
        let Self(claim) = self;
        let statement = sqlx::query(
            "UPDATE attempts SET state = 'running', holder = $1, beat_at = $2 WHERE id = $3 AND epoch = $4 AND state = 'dispatched' \
             AND EXISTS (SELECT 1 FROM deliveries d WHERE d.attempt = $3 AND d.epoch = $4 AND d.not_after >= $2)",
        );
        let statement = statement
            .bind(claim.holder.as_str().to_owned())
            .bind(tx.now.0)
            .bind(claim.attempt.to_string())
            .bind(i64::from(claim.epoch.0));
        if tx.change(statement).await? == 1 {
            let statement = sqlx::query(
                "UPDATE deliveries SET holder = $1, claimed_at = $2, deadline = $3 WHERE attempt = $4 AND epoch = $5",
            );
            let statement = statement
                .bind(claim.holder.as_str().to_owned())
                .bind(tx.now.0)
                .bind(claim.deadline.0)
                .bind(claim.attempt.to_string())
                .bind(i64::from(claim.epoch.0));
            tx.change(statement).await?;
        }
        Ok(Verdict::Keep(self.held(tx).await?.map(Box::new)))
    }
}

impl Take {
    /// The delivery, if this very holder runs it.
    async fn held(&self, tx: &mut Tx<'_>) -> Result<Option<Delivery>, Fault> {
        let Self(claim) = self;
        let statement = sqlx::query(
            "SELECT a.*, d.assignment FROM attempts a JOIN deliveries d ON d.attempt = a.id AND d.epoch = a.epoch \
             WHERE a.id = $1 AND a.epoch = $2 AND a.holder = $3 AND a.state = 'running'",
        );
        let statement = statement
            .bind(claim.attempt.to_string())
            .bind(i64::from(claim.epoch.0))
            .bind(claim.holder.as_str().to_owned());
        let Some(row) = tx.row(statement).await? else {
            return Ok(None);
        };
        let kept = super::attempts::attempt(&row)?;
        Ok(Some(Delivery {
            attempt: kept.attempt,
            epoch: kept.epoch,
            assignment: Cells::new("deliveries", "id", &row).json("assignment")?,
            retries: kept.retries,
            continues: kept.continues,
        }))
    }
}
