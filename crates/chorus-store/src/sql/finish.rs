//! Finishes: step, delivery, money and record in one transaction, guarded by epoch and holder.

use async_trait::async_trait;
use chorus_core::attempt::{Finish, Holding};

use super::attempt_rows::Current;
use super::cells::json;
use super::delivery_rows::delivery;
use super::fault::Fault;
use super::tx::{Operation, Outcome, Tx};
use crate::rows::StoredDelivery;
use crate::rows::money::Movement;

pub(super) struct FinishDelivery(pub(super) Finish);

#[async_trait]
impl Operation for FinishDelivery {
    type Output = bool;

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<bool>, Fault> {
        let Self(finish) = self;
        let Some(kept) = self.delivery(tx).await? else {
            return Ok(Outcome::Commit(false));
        };
        let assignment = &kept.delivery.assignment;
        let current = tx.current(finish.holding.attempt).await?;
        let step = current.and_then(|Current { row, .. }| {
            let next = row.finish(finish, assignment, tx.now)?;
            Some((row, next))
        });
        if let Some((row, next)) = step {
            tx.pay(
                kept.project,
                Movement::finished(assignment.estimate, finish.cost, &finish.outcome),
            )
            .await?;
            if tx.save(&row, &next).await? {
                self.end_delivery(tx).await?;
                return Ok(Outcome::Commit(true));
            }
        }
        // The row has moved on, perhaps by an earlier call of the same finish.
        let done = self
            .delivery(tx)
            .await?
            .is_some_and(|kept| kept.was_finished_by(&finish.holding.holder));
        Ok(Outcome::RollBack(done))
    }
}

impl FinishDelivery {
    async fn delivery(&self, tx: &mut Tx<'_>) -> Result<Option<StoredDelivery>, Fault> {
        let Holding { attempt, epoch, .. } = &self.0.holding;
        let statement = sqlx::query("SELECT * FROM deliveries WHERE attempt = $1 AND epoch = $2");
        let row = tx
            .row(statement.bind(attempt.to_string()).bind(i64::from(epoch.0)))
            .await?;
        row.map(|row| delivery(&row)).transpose()
    }

    /// Ends the delivery and puts the record into the outbox.
    async fn end_delivery(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        let Self(finish) = self;
        let statement = sqlx::query(
            "UPDATE deliveries SET ended_at = $1, end_word = 'finished', outcome = $2, usage = $3, cost = $4 WHERE attempt = $5 AND epoch = $6",
        );
        let statement = statement
            .bind(tx.now.0)
            .bind(json(&finish.outcome)?)
            .bind(finish.usage.as_ref().map(json).transpose()?)
            .bind(finish.cost.0)
            .bind(finish.holding.attempt.to_string())
            .bind(i64::from(finish.holding.epoch.0));
        tx.change(statement).await?;
        tx.put_record(&finish.record).await
    }
}
