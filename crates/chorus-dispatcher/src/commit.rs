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

use crate::context::Context;

/// A queued row and what is to become of it.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) row: QueuedAttempt,
    pub(crate) decision: DispatchDecision,
}

/// Commits and publishes; returns the rows that went to workers, with their assignments.
pub(crate) async fn commit(
    context: &Context,
    decided: Vec<Decided>,
) -> Vec<(QueuedAttempt, Assignment)> {
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
        for ((Decided { row, decision }, dispatch), answer) in
            round.into_iter().zip(batch).zip(answers)
        {
            match (decision, answer) {
                (decision, Dispatched::Done) => {
                    records.push(dispatch.record);
                    if let DispatchDecision::Send(assignment) = decision {
                        sent.push((row, *assignment));
                    }
                }
                (DispatchDecision::Send(assignment), Dispatched::Conflict) => {
                    context.end_unused(assignment.lease.id).await
                }
                (DispatchDecision::Send(assignment), Dispatched::OverBudget) => {
                    context.end_unused(assignment.lease.id).await;
                    if !may_suffice_later(context, &row, &assignment).await {
                        next.push(Decided {
                            row,
                            decision: DispatchDecision::Refuse(FailureCause::OverBudget),
                        });
                    }
                }
                (DispatchDecision::Refuse(_), Dispatched::Conflict | Dispatched::OverBudget) => {}
            }
        }
        context.publish(records).await;
        round = next;
    }
    sent
}

/// Whether the budget would cover the call if calls under way cost nothing: then the row stays queued and is tried
/// again with the next reading, because calls mostly cost less than what is set aside for them.
async fn may_suffice_later(
    context: &Context,
    row: &QueuedAttempt,
    assignment: &Assignment,
) -> bool {
    let read = context.statement(
        "read a project's money",
        context.deliveries.money(row.attempt.project),
    );
    match read.await {
        Ok(Some(money)) => {
            money.reserved > MicroUsd::ZERO && money.spent + assignment.estimate <= money.budget
        }
        Ok(None) => false,
        Err(_) => true,
    }
}

fn statement(context: &Context, Decided { row, decision }: &Decided) -> Dispatch {
    let (attempt, epoch) = (&row.attempt, row.epoch);
    let record = match decision {
        DispatchDecision::Send(assignment) => record::task_dispatch(
            context.event_id(),
            &assignment.pool,
            attempt,
            epoch,
            assignment.lease.not_after,
        ),
        DispatchDecision::Refuse(cause) => {
            let cause = cause.clone();
            let done = AttemptDone::uncalled(attempt, Outcome::Failed { cause });
            record::task_done(context.event_id(), attempt, epoch, &done)
        }
    };
    Dispatch {
        attempt: attempt.id,
        epoch,
        term: context.term,
        decision: decision.clone(),
        record,
    }
}
