//! Dispatches: the step with delivery, money and record, or the refusal with its record.

use async_trait::async_trait;
use chorus_core::attempt::{
    Assignment, AttemptTrigger, Dispatch, DispatchDecision, Dispatched, NewAttempt,
};
use chorus_core::id::ProjectId;

use super::attempt_rows::Current;
use super::cells::{enum_text, json, stored};
use super::fault::Fault;
use super::tx::{Operation, Outcome, Tx};
use crate::rows::money::Movement;

pub(super) struct DispatchBatch(pub(super) Vec<Dispatch>);

#[async_trait]
impl Operation for DispatchBatch {
    type Output = Vec<Dispatched>;

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<Vec<Dispatched>>, Fault> {
        let mut results = Vec::with_capacity(self.0.len());
        for dispatch in &self.0 {
            results.push(one(tx, dispatch).await?);
        }
        Ok(Outcome::Commit(results))
    }
}

async fn one(tx: &mut Tx<'_>, dispatch: &Dispatch) -> Result<Dispatched, Fault> {
    let Some(Current { row, .. }) = tx.current(dispatch.attempt).await? else {
        return Ok(Dispatched::Conflict);
    };
    let trigger = match &dispatch.decision {
        DispatchDecision::Send(_) => AttemptTrigger::Admitted,
        DispatchDecision::Refuse(_) => AttemptTrigger::Refused,
    };
    let Some(next) = row.step(trigger, dispatch.epoch, tx.now) else {
        return repeated(tx, dispatch).await;
    };
    match &dispatch.decision {
        DispatchDecision::Refuse(_) => {
            if !tx.save(&row, &next).await? {
                return repeated(tx, dispatch).await;
            }
        }
        DispatchDecision::Send(assignment) => {
            let project = row.attempt.project;
            if !reserve(tx, project, assignment).await? {
                return Ok(Dispatched::OverBudget);
            }
            if !tx.save(&row, &next).await? {
                tx.pay(project, Movement::taken_back(assignment.estimate, false))
                    .await?;
                return repeated(tx, dispatch).await;
            }
            deliver(tx, dispatch, assignment, &row.attempt).await?;
        }
    }
    tx.put_record(&dispatch.record).await?;
    Ok(Dispatched::Done)
}

/// Reserves the estimate; false when the budget does not cover it.
async fn reserve(
    tx: &mut Tx<'_>,
    project: ProjectId,
    assignment: &Assignment,
) -> Result<bool, Fault> {
    let statement = sqlx::query(
        "UPDATE projects SET reserved = reserved + $1 WHERE id = $2 AND spent + reserved + $1 <= budget",
    );
    Ok(tx
        .change(
            statement
                .bind(assignment.estimate.0)
                .bind(project.to_string()),
        )
        .await?
        == 1)
}

/// Returns `Done` if an earlier call carried out the same statement: its lease, or the refusal's record, is stored.
async fn repeated(tx: &mut Tx<'_>, dispatch: &Dispatch) -> Result<Dispatched, Fault> {
    let found = match &dispatch.decision {
        DispatchDecision::Send(assignment) => {
            let statement = sqlx::query(
                "SELECT lease FROM deliveries WHERE attempt = $1 AND epoch = $2 AND lease = $3",
            );
            let statement = statement
                .bind(dispatch.attempt.to_string())
                .bind(i64::from(dispatch.epoch.0));
            tx.row(statement.bind(assignment.lease.id.to_string()))
                .await?
        }
        DispatchDecision::Refuse(_) => {
            tx.row(
                sqlx::query("SELECT id FROM outbox WHERE id = $1")
                    .bind(dispatch.record.id.to_string()),
            )
            .await?
        }
    };
    Ok(if found.is_some() {
        Dispatched::Done
    } else {
        Dispatched::Conflict
    })
}

async fn deliver(
    tx: &mut Tx<'_>,
    dispatch: &Dispatch,
    assignment: &Assignment,
    attempt: &NewAttempt,
) -> Result<(), Fault> {
    let statement = sqlx::query(
        "INSERT INTO deliveries (attempt, epoch, project, task, kind, lease, not_after, assignment, estimate, term, dispatched_at, cost, pool) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12)",
    );
    let statement = statement
        .bind(dispatch.attempt.to_string())
        .bind(i64::from(dispatch.epoch.0))
        .bind(attempt.project.to_string())
        .bind(attempt.task.to_string())
        .bind(enum_text(&attempt.kind)?)
        .bind(assignment.lease.id.to_string())
        .bind(assignment.lease.not_after.0)
        .bind(json(assignment)?)
        .bind(assignment.estimate.0)
        .bind(stored(dispatch.term.0)?)
        .bind(tx.now.0)
        .bind(assignment.pool.as_str().to_owned());
    tx.change(statement).await?;
    Ok(())
}
