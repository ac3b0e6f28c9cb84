//! Commits dispatches: repeats the same statement with the same leases until it is answered.
//!
//! A lost reply may hide a commit that was applied. Only [`Dispatched::Conflict`] (no row changed, and the row
//! carries something else) proves that a lease is not in the row; a lease released on less could be in the hands
//! of a worker although its reservation was given back.

use chorus_core::attempt::{
    Assignment, AttemptDone, Dispatch, DispatchDecision, Dispatched, FailureCause, Outcome,
    QueuedAttempt,
};
use chorus_core::id::{AttemptId, Epoch};
use chorus_core::money::MicroUsd;
use chorus_core::record;

use crate::context::Context;

/// Number of models that refuse a request from which no other one is tried.
const UNFIT_LIMIT: usize = 3;

/// A queued row with the decision on it.
#[derive(Debug)]
pub(crate) struct DecidedRow {
    pub(crate) row: QueuedAttempt,
    pub(crate) decision: DispatchDecision,
}

impl DecidedRow {
    /// A row with its decision. Where models refused the request itself and no other one serves it, the
    /// request is the cause.
    pub(crate) fn new(row: QueuedAttempt, decision: DispatchDecision) -> Self {
        let decision = match (decision, row.unfit.last()) {
            (DispatchDecision::Refuse(FailureCause::NoAccount { .. }), Some(unfit)) => {
                let message = format!("{} says: {}", unfit.model, unfit.message);
                DispatchDecision::Refuse(FailureCause::Request { message })
            }
            (decision, _) => decision,
        };
        Self { row, decision }
    }

    /// A refusal that follows from what happened to the row; none if it may be tried again.
    pub(crate) fn given_up(row: &QueuedAttempt, lost_limit: u32) -> Option<Self> {
        let cause = if row.lost >= lost_limit {
            FailureCause::KillsWorkers
        } else if row.unfit.len() >= UNFIT_LIMIT {
            let message = row.unfit.last()?.message.clone();
            FailureCause::Request { message }
        } else {
            return None;
        };
        Some(Self {
            row: row.clone(),
            decision: DispatchDecision::Refuse(cause),
        })
    }
}

/// Rows that were granted a lease.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    /// Rows that went to workers.
    pub(crate) sent: Vec<(QueuedAttempt, Assignment)>,
    /// Assignments that were given back, because the row moved on or its budget does not suffice.
    pub(crate) unsent: Vec<Assignment>,
    /// Attempts that stay queued because their budget does not suffice now.
    pub(crate) over_budget: Vec<(AttemptId, Epoch)>,
}

/// Commits decisions and publishes their records.
pub(crate) async fn commit(context: &Context, decided: Vec<DecidedRow>) -> Committed {
    let mut committed = Committed::default();
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
        for ((DecidedRow { row, decision }, dispatch), answer) in
            round.into_iter().zip(batch).zip(answers)
        {
            match (decision, answer) {
                (decision, Dispatched::Done) => {
                    records.push(dispatch.record);
                    if let DispatchDecision::Send(assignment) = decision {
                        committed.sent.push((row, *assignment));
                    }
                }
                (DispatchDecision::Send(assignment), Dispatched::Conflict) => {
                    context.end_unused(assignment.lease.id).await;
                    committed.unsent.push(*assignment);
                }
                (DispatchDecision::Send(assignment), Dispatched::OverBudget) => {
                    context.end_unused(assignment.lease.id).await;
                    let shortage = lasting_shortage(context, &row, &assignment).await;
                    if shortage.is_none() {
                        committed.over_budget.push((row.attempt.id, row.epoch));
                    }
                    if let Some(cause) = shortage {
                        next.push(DecidedRow {
                            row,
                            decision: DispatchDecision::Refuse(cause),
                        });
                    }
                    committed.unsent.push(*assignment);
                }
                (DispatchDecision::Refuse(_), Dispatched::Conflict | Dispatched::OverBudget) => {}
            }
        }
        context.publish(records).await;
        round = next;
    }
    committed
}

/// Returns the failure of a call that the budget would not cover even once calls under way have cost nothing;
/// none if it may. Such a row stays queued until the next reading, because most calls cost less than was reserved
/// for them.
async fn lasting_shortage(
    context: &Context,
    row: &QueuedAttempt,
    assignment: &Assignment,
) -> Option<FailureCause> {
    let read = context.statement(
        "read a project's money",
        context.deliveries.money(row.attempt.project),
    );
    let money = read.await.ok()?.unwrap_or_default();
    let needs = assignment.estimate;
    let may_suffice = money.reserved > MicroUsd::ZERO && money.spent + needs <= money.budget;
    (!may_suffice).then_some(FailureCause::OverBudget {
        needs,
        spent: money.spent + money.reserved,
        budget: money.budget,
    })
}

fn statement(context: &Context, DecidedRow { row, decision }: &DecidedRow) -> Dispatch {
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
