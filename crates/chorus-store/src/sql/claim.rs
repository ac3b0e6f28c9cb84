//! `Dispatched -> Running` at the record's epoch, before the lease's `not_after` by the database's clock.

use async_trait::async_trait;
use chorus_core::attempt::{Claim, Delivery};

use super::attempts::Current;
use super::fault::Fault;
use super::tx::{Deed, Tx, Verdict};

pub(super) struct Take(pub(super) Claim);

#[async_trait]
impl Deed for Take {
    type Answer = Option<Box<Delivery>>;

    async fn carry_out(&self, tx: &mut Tx<'_>) -> Result<Verdict<Self::Answer>, Fault> {
        let Self(claim) = self;
        let Some(current) = tx.current(claim.attempt).await? else {
            return Ok(Verdict::Keep(None));
        };
        if let Some(delivery) = self.take(tx, &current).await? {
            return Ok(Verdict::Keep(Some(Box::new(delivery))));
        }
        // An earlier call of this very claim may hold it.
        let held = tx.current(claim.attempt).await?;
        let held = held.filter(|current| current.row.is_held_by(claim.epoch, &claim.holder));
        Ok(Verdict::Keep(held.and_then(delivery).map(Box::new)))
    }
}

impl Take {
    /// The delivery, if it could be claimed and this call claimed it.
    async fn take(&self, tx: &mut Tx<'_>, current: &Current) -> Result<Option<Delivery>, Fault> {
        let Self(claim) = self;
        let lease = current
            .assignment
            .as_ref()
            .map(|assignment| &assignment.lease);
        if lease.is_none_or(|lease| tx.now > lease.not_after) {
            return Ok(None);
        }
        let Some(next) = current.row.claim(claim, tx.now) else {
            return Ok(None);
        };
        if !tx.save(&current.row, &next).await? {
            return Ok(None);
        }
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
        Ok(delivery(Current {
            row: next,
            assignment: current.assignment.clone(),
        }))
    }
}

/// The delivery under way, as its worker receives it.
fn delivery(current: Current) -> Option<Delivery> {
    let Current { row, assignment } = current;
    Some(Delivery {
        attempt: row.attempt,
        epoch: row.epoch,
        assignment: assignment?,
        retries: row.retries,
        continues: row.continues,
    })
}
