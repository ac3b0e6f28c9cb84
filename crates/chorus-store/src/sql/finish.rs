//! `Running -> Succeeded | Asked | Failed | Queued`: row, story, money and record in one transaction, guarded by
//! epoch and holder.

use async_trait::async_trait;
use chorus_core::attempt::{AttemptState, Finish, Holding};

use super::attempts::attempt;
use super::cells::{Cells, json, word};
use super::deliveries::delivery;
use super::fault::Fault;
use super::tx::{Deed, Tx, Verdict};
use crate::rows::money::Movement;
use crate::rows::{AttemptRow, KeptDelivery};

pub(super) struct LastWord(pub(super) Finish);

#[async_trait]
impl Deed for LastWord {
    type Answer = bool;

    async fn carry_out(&self, tx: &mut Tx<'_>) -> Result<Verdict<bool>, Fault> {
        let Self(finish) = self;
        let Holding {
            attempt,
            epoch,
            holder,
        } = &finish.holding;
        let Some(kept) = self.delivery(tx).await? else {
            return Ok(Verdict::Keep(false));
        };
        let holds = tx.standing(*attempt).await?.is_some_and(|standing| {
            standing.state == AttemptState::Running
                && standing.epoch == *epoch
                && standing.holder.as_ref() == Some(holder)
        });
        if holds {
            let estimate = kept.story.assignment.estimate;
            tx.pay(
                kept.project,
                Movement::finished(estimate, finish.cost, &finish.outcome),
            )
            .await?;
            if self.moved(tx, &kept).await? {
                self.tell(tx).await?;
                return Ok(Verdict::Keep(true));
            }
        }
        // The row has moved on; perhaps by this very word, whose answer was lost.
        let done = self
            .delivery(tx)
            .await?
            .is_some_and(|kept| kept.was_finished_by(holder));
        Ok(Verdict::Undo(done))
    }
}

impl LastWord {
    async fn delivery(&self, tx: &mut Tx<'_>) -> Result<Option<KeptDelivery>, Fault> {
        let Holding { attempt, epoch, .. } = &self.0.holding;
        let statement = sqlx::query("SELECT * FROM deliveries WHERE attempt = $1 AND epoch = $2");
        let row = tx
            .row(statement.bind(attempt.to_string()).bind(i64::from(epoch.0)))
            .await?;
        row.map(|row| delivery(&row)).transpose()
    }

    /// The guarded arrow; false when the row has moved on.
    async fn moved(&self, tx: &mut Tx<'_>, kept: &KeptDelivery) -> Result<bool, Fault> {
        let Self(finish) = self;
        let row = tx
            .row(
                sqlx::query("SELECT * FROM attempts WHERE id = $1")
                    .bind(finish.holding.attempt.to_string()),
            )
            .await?;
        let Some(row) = row else { return Ok(false) };
        let mut row = attempt(&row)?;
        row.finish(&finish.outcome, kept.story.assignment.account, tx.now);
        let AttemptRow {
            attempt,
            state,
            epoch,
            queued_at,
            retries,
            continues,
            refused_by,
            ..
        } = row;
        let statement = sqlx::query(
            "UPDATE attempts SET state = $1, epoch = $2, queued_at = $3, retries = $4, continues = $5, refused_by = $6, \
             work_order = $7, not_before = $8, holder = NULL, beat_at = NULL \
             WHERE id = $9 AND epoch = $10 AND holder = $11 AND state = 'running'",
        );
        let statement = statement
            .bind(word(&state)?)
            .bind(i64::from(epoch.0))
            .bind(queued_at.0)
            .bind(i64::from(retries))
            .bind(i64::from(continues))
            .bind(refused_by.map(|account| account.to_string()))
            .bind(attempt.order.to_string())
            .bind(attempt.not_before.0)
            .bind(finish.holding.attempt.to_string())
            .bind(i64::from(finish.holding.epoch.0))
            .bind(finish.holding.holder.as_str().to_owned());
        Ok(tx.change(statement).await? == 1)
    }

    /// The delivery's story and the record.
    async fn tell(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
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

/// The end of a delivery as its columns say it.
pub(super) fn end(cells: &Cells<'_>) -> Result<Option<chorus_core::attempt::DeliveryEnd>, Fault> {
    use chorus_core::attempt::DeliveryEnd;
    let Some(word) = cells.text_or_none("end_word")? else {
        return Ok(None);
    };
    Ok(Some(match word.as_str() {
        "finished" => DeliveryEnd::Finished {
            outcome: cells.json("outcome")?,
        },
        "unclaimed" => DeliveryEnd::Unclaimed,
        "lost_worker" => DeliveryEnd::WorkerLost,
        "cancelled" => DeliveryEnd::Cancelled,
        other => {
            return Err(cells.unreadable("end_word", &format!("{other:?} is no end of a delivery")));
        }
    }))
}
