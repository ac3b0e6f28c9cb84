//! Claims: [`AttemptTrigger::Claimed`](chorus_core::attempt::AttemptTrigger::Claimed) at the record's epoch, until
//! the lease's `not_after`.

use async_trait::async_trait;
use chorus_core::attempt::{Claim, Delivery};

use super::attempt_rows::Current;
use super::fault::Fault;
use super::tx::{Operation, Outcome, Tx};

pub(super) struct ClaimAttempt(pub(super) Claim);

#[async_trait]
impl Operation for ClaimAttempt {
    type Output = Option<Box<Delivery>>;

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<Self::Output>, Fault> {
        let Self(claim) = self;
        let Some(current) = tx.current(claim.attempt).await? else {
            return Ok(Outcome::Commit(None));
        };
        if let Some(delivery) = self.take(tx, &current).await? {
            return Ok(Outcome::Commit(Some(Box::new(delivery))));
        }
        // An earlier call of this very claim may hold it.
        let held = tx.current(claim.attempt).await?;
        let held = held.filter(|current| current.row.is_held_by(claim.epoch, &claim.holder));
        Ok(Outcome::Commit(held.and_then(delivery).map(Box::new)))
    }
}

impl ClaimAttempt {
    /// Claims the attempt; none when it cannot be claimed or another claim was faster.
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
