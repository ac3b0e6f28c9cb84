//! The attention that follows from a project's facts, brought up to date after every decision.
//!
//! A halt comes first, for nothing runs beside it; then held tasks, calls that keep failing, and waits that
//! the dispatcher found.

use super::super::decision::Inconsistency;
use super::super::decision_builder::DecisionBuilder;
use super::super::{Attention, Task, TaskState};
use crate::attempt::FailureCause;
use crate::id::TaskId;
use crate::task_kind::TaskKind;

/// Makes the state say what the project waits for a person for, or that it does not.
pub(super) fn update(builder: &mut DecisionBuilder<'_>) -> Result<(), Inconsistency> {
    forget_ended_outage(builder);
    let why = reason(builder);
    builder.set_attention(why)?;
    Ok(())
}

/// An outage ends with its task, however that ended.
fn forget_ended_outage(builder: &mut DecisionBuilder<'_>) {
    let is_open = |id: TaskId| builder.task(id).and_then(Task::current_attempt).is_some();
    let task = builder.head.outage.as_ref().map(|outage| outage.task);
    if task.is_some_and(|task| !is_open(task)) {
        builder.head.outage = None;
    }
}

fn reason(builder: &DecisionBuilder<'_>) -> Option<Attention> {
    let head = &builder.head;
    if let Some(halt) = &head.halt {
        return Some(halt.clone().into());
    }
    if head.held > 0 {
        let held = held(builder);
        if let Some(first) = held.first() {
            return Some(of_held(builder, first, &held));
        }
    }
    if let Some(outage) = &head.outage {
        let message = outage.message.clone();
        return Some(Attention::ProviderAway { message });
    }
    let wait = head.wait.clone()?;
    Some(Attention::Waiting { wait })
}

/// Held tasks, those that keep the whole project first.
fn held(builder: &DecisionBuilder<'_>) -> Vec<Task> {
    let mut held: Vec<Task> = builder
        .active()
        .filter(|task| matches!(task.state, TaskState::Held { .. }))
        .cloned()
        .collect();
    held.sort_by_key(|task| (task.kind == TaskKind::Work, task.id));
    held
}

fn of_held(builder: &DecisionBuilder<'_>, first: &Task, held: &[Task]) -> Attention {
    let TaskState::Held { cause, .. } = &first.state else {
        unreachable!("only held tasks are listed")
    };
    let message = cause.to_string();
    match (cause, first.kind) {
        (
            FailureCause::OverBudget {
                needs,
                spent,
                budget,
            },
            _,
        ) => Attention::Budget {
            needs: *needs,
            spent: *spent,
            budget: *budget,
            tasks: u32::try_from(held.iter().filter(|task| is_over_budget(task)).count())
                .unwrap_or(u32::MAX),
        },
        (FailureCause::NoAccount { message }, _) => Attention::NoAccount {
            message: message.clone(),
        },
        (FailureCause::MissingArtifact { message }, _) => Attention::ArtifactMissing {
            what: message.clone(),
        },
        (_, TaskKind::Clarify) => Attention::ClarificationFailed { message },
        (_, TaskKind::Plan) => Attention::NoPlan {
            message,
            offer: builder.head.offer.clone(),
        },
        (_, TaskKind::Judge) => Attention::JudgeUnread { message },
        (_, TaskKind::Work | TaskKind::Answer | TaskKind::Resolve) => {
            Attention::NoResult { message }
        }
    }
}

/// Returns true if the task waits for money.
pub(super) const fn is_over_budget(task: &Task) -> bool {
    matches!(
        task.state,
        TaskState::Held {
            cause: FailureCause::OverBudget { .. },
            ..
        }
    )
}
