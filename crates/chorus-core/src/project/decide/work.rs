//! Work tasks becoming ready, succeeding, failing, and the consequences for the tasks that read them.

use super::super::decision::Inconsistency;
use super::super::decision_builder::{DecisionBuilder, Try};
use super::super::{CurrentAttempt, HistoryEvent, Outage, Task, TaskState};
use super::kept_result;
use crate::artifact::ArtifactHash;
use crate::attempt::FailureCause;
use crate::id::{AttemptId, TaskId};
use crate::plan::ParentPolicy;
use crate::time::Millis;

/// Tries of one task before it fails.
pub(super) const TRIES: u32 = 3;

/// Time before the first try after an outage; doubles with each further one.
const OUTAGE_WAIT: Millis = Millis::from_secs(10);
/// Longest time before the next try during an outage.
const LONGEST_OUTAGE_WAIT: Millis = Millis::from_secs(60);

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

/// Begins a pending task when its policy holds, unless all that it reads is unchanged; skips it when its policy
/// can never hold. Looks at the tasks that read it once it has ended.
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
            Outlook::Holds => match kept_result::unchanged(builder, task) {
                None => builder.queue(id, Try::FIRST, "")?,
                Some((attempt, result)) => {
                    let task = task.clone();
                    record_success(builder, &task, attempt, result)?;
                    for child in task.children.into_iter().rev() {
                        count_parent(builder, child, true)?;
                        waiting.push(child);
                    }
                }
            },
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
pub(super) fn update_readers(
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
    attempt: AttemptId,
    result: ArtifactHash,
) -> Result<(), Inconsistency> {
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
    record_success(builder, task, attempt.attempt, result)?;
    update_readers(builder, task, true)
}

/// Folds an attempt that ended without a result: the next try, or the failure of the task.
pub(super) fn retry_or_fail(
    builder: &mut DecisionBuilder<'_>,
    task: &Task,
    attempt: &CurrentAttempt,
    cause: FailureCause,
) -> Result<(), Inconsistency> {
    if retry(builder, task, attempt, &cause)? {
        return Ok(());
    }
    if waits_for_person(builder, &cause) {
        return hold(builder, task, attempt.number, cause);
    }
    record_failure(builder, task, cause)?;
    update_readers(builder, task, false)
}

/// Returns true if a person can put right what made a task of any kind fail.
pub(super) const fn waits_for_person(builder: &DecisionBuilder<'_>, cause: &FailureCause) -> bool {
    match cause {
        FailureCause::NoAccount { .. }
        | FailureCause::OverBudget { .. }
        | FailureCause::MissingArtifact { .. } => !builder.head.out_of_budget,
        FailureCause::Request { .. }
        | FailureCause::Upstream { .. }
        | FailureCause::Empty
        | FailureCause::Refused { .. }
        | FailureCause::Endless
        | FailureCause::KillsWorkers => false,
    }
}

/// Lets a ready task wait until a person or the end of a condition puts it right.
pub(super) fn hold(
    builder: &mut DecisionBuilder<'_>,
    task: &Task,
    number: u32,
    cause: FailureCause,
) -> Result<(), Inconsistency> {
    builder.push_event(HistoryEvent::TaskHeld {
        task: task.reference(),
        cause: cause.clone(),
    });
    builder.set(task.id, TaskState::Held { cause, number })
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
    if builder.head.out_of_budget {
        return Ok(false);
    }
    if let FailureCause::Upstream { .. } = cause {
        builder.queue(task.id, during_outage(attempt, why.clone()), &why)?;
        builder.head.outage = Some(Outage {
            task: task.id,
            message: cause.to_string(),
        });
        return Ok(true);
    }
    if counted(attempt) >= TRIES {
        return Ok(false);
    }
    let next = Try {
        number: attempt.number + 1,
        uncounted: attempt.uncounted,
        feedback: vec![why.clone()],
        delay: Millis::ZERO,
    };
    builder.queue(task.id, next, &why)?;
    Ok(true)
}

/// Number of tries up to this one that count.
pub(super) const fn counted(attempt: &CurrentAttempt) -> u32 {
    attempt.number.saturating_sub(attempt.uncounted)
}

/// The next try after calls that kept failing for a reason that passes: an outage burns no try, and the
/// distance to the next one grows.
fn during_outage(attempt: &CurrentAttempt, why: String) -> Try {
    let doubled = OUTAGE_WAIT.0 << attempt.uncounted.min(8);
    Try {
        number: attempt.number + 1,
        uncounted: attempt.uncounted + 1,
        feedback: vec![why],
        delay: Millis(doubled).min(LONGEST_OUTAGE_WAIT),
    }
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
        | FailureCause::OverBudget { .. }
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
