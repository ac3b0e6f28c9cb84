//! The dispatch commit: the same statement with the same leases until it answers.
//!
//! A lost reply may hide a commit that was done. Only the answer `Lost` (zero rows, and the row carries
//! something else) proves that a lease is not in the row; whoever released it on less would hand a worker a
//! lease that gave everything back.

use chorus_core::attempt::{
    Assignment, AttemptDone, Dispatch, DispatchDecision, Dispatched, FailureCause, Outcome,
    QueuedAttempt,
};
use chorus_core::money::MicroUsd;
use chorus_core::record;
use chorus_pool::Grant;

use crate::context::Context;

/// A queued row and what is to become of it.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) row: QueuedAttempt,
    pub(crate) fate: Fate,
}

/// What becomes of a queued row.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It goes to a worker.
    Send(Box<Grant>),
    /// It will not run.
    Refuse(FailureCause),
}

/// Commits and publishes; returns the rows that went to workers, with their grants.
pub(crate) async fn commit(
    context: &Context,
    decided: Vec<Decided>,
) -> Vec<(QueuedAttempt, Grant)> {
    let mut sent = Vec::new();
    let mut round = decided;
    while !round.is_empty() {
        let batch: Vec<Dispatch> = round
            .iter()
            .map(|decided| statement(context, decided))
            .collect();
        let answers = context
            .until_ok("commit dispatches", || {
                context.attempts.dispatch(batch.clone())
            })
            .await;
        let mut records = Vec::new();
        let mut next = Vec::new();
        for ((Decided { row, fate }, dispatch), answer) in round.into_iter().zip(batch).zip(answers)
        {
            match (fate, answer) {
                (fate, Dispatched::Done) => {
                    records.push(dispatch.record);
                    if let Fate::Send(grant) = fate {
                        sent.push((row, *grant));
                    }
                }
                (Fate::Send(grant), Dispatched::Conflict) => {
                    context.end_unused(grant.lease.id).await
                }
                (Fate::Send(grant), Dispatched::OverBudget) => {
                    context.end_unused(grant.lease.id).await;
                    if !may_suffice_later(context, &row, &grant).await {
                        next.push(Decided {
                            row,
                            fate: Fate::Refuse(FailureCause::OverBudget),
                        });
                    }
                }
                (Fate::Refuse(_), Dispatched::Conflict | Dispatched::OverBudget) => {}
            }
        }
        context.publish(records).await;
        round = next;
    }
    sent
}

/// Whether the budget would cover the call if calls under way cost nothing: then the row stays queued and is tried
/// again with the next reading, because calls mostly cost less than what is set aside for them.
async fn may_suffice_later(context: &Context, row: &QueuedAttempt, grant: &Grant) -> bool {
    let read = context.statement(
        "read a project's money",
        context.deliveries.money(row.attempt.project),
    );
    match read.await {
        Ok(Some(money)) => {
            money.reserved > MicroUsd::ZERO && money.spent + grant.estimate.cost <= money.budget
        }
        Ok(None) => false,
        Err(_) => true,
    }
}

fn statement(context: &Context, Decided { row, fate }: &Decided) -> Dispatch {
    let (attempt, epoch) = (&row.attempt, row.epoch);
    let (decision, record) = match fate {
        Fate::Send(grant) => {
            let record = record::task_dispatch(
                context.event_id(),
                &grant.pool,
                attempt,
                epoch,
                grant.lease.not_after,
            );
            (DispatchDecision::Send(Box::new(assignment(grant))), record)
        }
        Fate::Refuse(cause) => {
            let outcome = Outcome::Failed {
                cause: cause.clone(),
            };
            let done = AttemptDone {
                attempt: attempt.id,
                task: attempt.task,
                outcome,
            };
            (
                DispatchDecision::Refuse(cause.clone()),
                record::task_done(context.event_id(), attempt, epoch, &done),
            )
        }
    };
    Dispatch {
        attempt: attempt.id,
        epoch,
        term: context.term,
        decision,
        record,
    }
}

fn assignment(grant: &Grant) -> Assignment {
    Assignment {
        lease: grant.lease.clone(),
        account: grant.account,
        provider: grant.provider.clone(),
        model: grant.model.clone(),
        pool: grant.pool.clone(),
        estimate: grant.estimate.cost,
    }
}
