//! Conditions that hold a project up: a missing artifact, a wait that the dispatcher found, and the budget.

use super::super::decision::{Effect, Inconsistency, Interrupt, Refusal};
use super::super::decision_builder::DecisionBuilder;
use super::super::{Halt, HistoryEvent, LongWait, Task, TaskState};
use super::{attention, retry};
use crate::attempt::FailureCause;
use crate::money::MicroUsd;
use crate::time::Timestamp;

/// Stops the project until a person has restored the artifact and retries.
pub(super) fn halt(builder: &mut DecisionBuilder<'_>, what: String) {
    builder.cancel_attempts();
    builder.head.halt = Some(Halt::ArtifactMissing { what });
}

/// Takes the dispatcher's finding on a wait of the whole project. When a wait ends, tasks without an account
/// are tried again too.
pub(super) fn found(
    builder: &mut DecisionBuilder<'_>,
    at: Timestamp,
    wait: Option<LongWait>,
) -> Result<(), Interrupt> {
    if builder.head.wait_at.is_some_and(|latest| latest > at) {
        return Err(Refusal::Overtaken.into());
    }
    let is_over = wait.is_none();
    builder.head.wait_at = Some(at);
    builder.head.wait = wait;
    if is_over {
        retry_held(builder, is_without_account, "an account can serve it")?;
    }
    Ok(())
}

/// Raises the budget and tries again what waits for money.
pub(super) fn raise_budget(
    builder: &mut DecisionBuilder<'_>,
    budget: MicroUsd,
) -> Result<(), Interrupt> {
    if builder.head.out_of_budget {
        return Err(builder.not_now("raise_budget").into());
    }
    builder.push_effect(Effect::RaiseBudget(budget));
    builder.push_event(HistoryEvent::BudgetRaised { budget });
    retry_held(builder, attention::is_over_budget, "the budget was raised")?;
    Ok(())
}

fn retry_held(
    builder: &mut DecisionBuilder<'_>,
    filter: impl Fn(&Task) -> bool,
    why: &str,
) -> Result<(), Inconsistency> {
    if builder.head.held == 0 {
        return Ok(());
    }
    for id in builder.ids(filter) {
        retry::retry_held(builder, id, why)?;
    }
    Ok(())
}

const fn is_without_account(task: &Task) -> bool {
    matches!(
        task.state,
        TaskState::Held {
            cause: FailureCause::NoAccount { .. },
            ..
        }
    )
}
