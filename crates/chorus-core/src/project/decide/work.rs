//! Work tasks becoming ready, succeeding, failing, and the consequences for the tasks that read them.

use super::super::decision::Inconsistency;
use super::super::decision_builder::DecisionBuilder;
use super::super::{CurrentAttempt, HistoryEvent, Task, TaskState};
use crate::artifact::ArtifactHash;
use crate::attempt::FailureCause;
use crate::id::TaskId;
use crate::plan::ParentPolicy;

/// Tries of one task before it fails.
pub(super) const TRIES: u32 = 3;

/// Prospect of a policy while some parents have not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outlook {
    Holds,
    Open,
    Never,
}

fn outlook(policy: ParentPolicy, succeeded: u32, ended: u32, parents: u32) -> Outlook {
    let needed = match policy {
        ParentPolicy::All => parents,
        ParentPolicy::Any => 1.min(parents),
        ParentPolicy::AtLeast(least) => least.min(parents),
        ParentPolicy::Settled if ended == parents => return Outlook::Holds,
        ParentPolicy::Settled => return Outlook::Open,
    };
    if succeeded >= needed {
        Outlook::Holds
    } else if succeeded.saturating_add(parents.saturating_sub(ended)) >= needed {
        Outlook::Open
    } else {
        Outlook::Never
    }
}

/// Begins a pending task when its policy holds; skips it when its policy can never hold, and looks at the tasks
/// that read it.
pub(super) fn begin_or_skip(
    builder: &mut DecisionBuilder<'_>,
    id: TaskId,
) -> Result<(), Inconsistency> {
    let mut waiting = vec![id];
    while let Some(id) = waiting.pop() {
        let Some(task) = builder.task(id) else {
            continue;
        };
        let TaskState::Pending { succeeded, ended } = task.state else {
            continue;
        };
        let parents = u32::try_from(task.parents.len()).unwrap_or(u32::MAX);
        match outlook(task.policy, succeeded, ended, parents) {
            Outlook::Open => {}
            Outlook::Holds => builder.queue(id, 1, Vec::new(), "")?,
            Outlook::Never => {
                let (reference, children) = (task.reference(), task.children.clone());
                builder.set(id, TaskState::Skipped)?;
                builder.push_event(HistoryEvent::TaskSkipped { task: reference });
                for child in children.into_iter().rev() {
                    count_parent(builder, child, false)?;
                    waiting.push(child);
                }
            }
        }
    }
    Ok(())
}

/// Counts an ended task in the tasks that read it, and begins or skips these.
fn update_readers(
    builder: &mut DecisionBuilder<'_>,
    task: &Task,
    success: bool,
) -> Result<(), Inconsistency> {
    for child in &task.children {
        count_parent(builder, *child, success)?;
        begin_or_skip(builder, *child)?;
    }
    Ok(())
}

fn count_parent(
    builder: &mut DecisionBuilder<'_>,
    child: TaskId,
    success: bool,
) -> Result<(), Inconsistency> {
    let TaskState::Pending { succeeded, ended } = builder.known_task(child)?.state else {
        return Ok(());
    };
    let state = TaskState::Pending {
        succeeded: succeeded.saturating_add(u32::from(success)),
        ended: ended.saturating_add(1),
    };
    builder.set(child, state)
}

/// Ends a task of any kind with a result; the tasks that read it are not looked at.
pub(super) fn record_success(
    builder: &mut DecisionBuilder<'_>,
    task: &Task,
    attempt: &CurrentAttempt,
    result: ArtifactHash,
) -> Result<(), Inconsistency> {
    let attempt = attempt.attempt;
    builder.set(task.id, TaskState::Succeeded { attempt, result })?;
    builder.push_event(HistoryEvent::TaskSucceeded {
        task: task.reference(),
        attempt,
        result,
    });
    Ok(())
}

/// Ends a task of any kind without a result; the tasks that read it are not looked at.
pub(super) fn record_failure(
    builder: &mut DecisionBuilder<'_>,
    task: &Task,
    cause: FailureCause,
) -> Result<(), Inconsistency> {
    let failed = TaskState::Failed {
        cause: cause.clone(),
    };
    builder.set(task.id, failed)?;
    builder.push_event(HistoryEvent::TaskFailed {
        task: task.reference(),
        cause,
    });
    Ok(())
}

pub(super) fn succeed(
    builder: &mut DecisionBuilder<'_>,
    task: &Task,
    attempt: &CurrentAttempt,
    result: ArtifactHash,
) -> Result<(), Inconsistency> {
    record_success(builder, task, attempt, result)?;
    update_readers(builder, task, true)
}

/// Folds an attempt that ended without a result: the next try, or the failure of the task.
pub(super) fn retry_or_fail(
    builder: &mut DecisionBuilder<'_>,
    task: &Task,
    attempt: &CurrentAttempt,
    cause: FailureCause,
) -> Result<(), Inconsistency> {
    if !retry(builder, task, attempt, &cause)? {
        record_failure(builder, task, cause)?;
        update_readers(builder, task, false)?;
    }
    Ok(())
}

/// Queues the next try of a task with the fault of the last one. Returns false if no try would help, or if
/// tries or money are used up.
pub(super) fn retry(
    builder: &mut DecisionBuilder<'_>,
    task: &Task,
    attempt: &CurrentAttempt,
    cause: &FailureCause,
) -> Result<bool, Inconsistency> {
    let Some(why) = feedback_of(cause) else {
        return Ok(false);
    };
    if attempt.number >= TRIES || builder.head.out_of_budget {
        return Ok(false);
    }
    builder.queue(task.id, attempt.number + 1, vec![why.clone()], &why)?;
    Ok(true)
}

/// Feedback for the prompt of the next try; `None` if another try would end the same way.
fn feedback_of(cause: &FailureCause) -> Option<String> {
    match cause {
        FailureCause::Empty => Some("The last answer was empty.".to_owned()),
        FailureCause::Refused { message } => {
            Some(format!("The last answer declined the task: {message}"))
        }
        FailureCause::Endless => Some("The last answer never came to an end: be brief.".to_owned()),
        FailureCause::Upstream { message, .. } => Some(format!("The last call failed: {message}")),
        FailureCause::Request { .. }
        | FailureCause::KillsWorkers
        | FailureCause::NoAccount { .. }
        | FailureCause::OverBudget
        | FailureCause::MissingArtifact { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_holds_as_soon_as_enough_parents_succeeded_and_never_once_too_few_are_left() {
        use Outlook::{Holds, Never, Open};
        use ParentPolicy::{All, Any, AtLeast, Settled};
        let table = [
            (All, (0, 0, 0), Holds),
            (All, (1, 1, 2), Open),
            (All, (2, 2, 2), Holds),
            (All, (0, 1, 2), Never),
            (Any, (0, 0, 0), Holds),
            (Any, (0, 1, 2), Open),
            (Any, (1, 1, 2), Holds),
            (Any, (0, 2, 2), Never),
            (AtLeast(2), (1, 2, 3), Open),
            (AtLeast(2), (1, 3, 3), Never),
            (AtLeast(9), (2, 2, 2), Holds),
            (Settled, (0, 1, 2), Open),
            (Settled, (0, 2, 2), Holds),
            // Counters that no project has must not overflow.
            (All, (0, 3, 2), Never),
            (All, (u32::MAX, 0, u32::MAX), Holds),
        ];
        for (policy, (succeeded, ended, parents), expected) in table {
            let found = outlook(policy, succeeded, ended, parents);
            assert_eq!(
                found, expected,
                "{policy:?}: {succeeded} of {ended} ended succeeded, {parents} parents"
            );
        }
    }
}
