//! Tasks becoming ready, having results, failing, and what that means for the tasks that read them.

use super::super::draft::Draft;
use super::super::{Doing, HistoryEvent, Task, TaskState};
use super::{TRIES, question};
use crate::delivery::{ArtifactHash, FailureCause};
use crate::id::TaskId;
use crate::plan::ParentPolicy;

/// What a policy says of a task whose parents are not all over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outlook {
    Holds,
    Open,
    Never,
}

fn outlook(policy: ParentPolicy, succeeded: u32, over: u32, parents: u32) -> Outlook {
    let needed = match policy {
        ParentPolicy::All => parents,
        ParentPolicy::Any => 1.min(parents),
        ParentPolicy::AtLeast(least) => least.min(parents),
        ParentPolicy::Settled => {
            return if over == parents {
                Outlook::Holds
            } else {
                Outlook::Open
            };
        }
    };
    if succeeded >= needed {
        Outlook::Holds
    } else if succeeded + (parents - over) >= needed {
        Outlook::Open
    } else {
        Outlook::Never
    }
}

/// Begins a pending task whose policy holds, skips one whose policy can never hold.
pub(super) fn look(draft: &mut Draft<'_>, id: TaskId) {
    let mut waiting = vec![id];
    while let Some(id) = waiting.pop() {
        let Some(task) = draft.task(id) else { continue };
        let TaskState::Pending { succeeded, over } = task.state else {
            continue;
        };
        let parents = u32::try_from(task.parents.len()).expect("a plan has fewer than 2^32 tasks");
        match outlook(task.policy, succeeded, over, parents) {
            Outlook::Open => {}
            Outlook::Holds => draft.queue(id, 1, Vec::new(), ""),
            Outlook::Never => {
                let (reference, children) = (task.reference(), task.children.clone());
                draft.set(id, TaskState::Skipped);
                draft.record(HistoryEvent::TaskSkipped { task: reference });
                for child in children.into_iter().rev() {
                    note(draft, child, false);
                    waiting.push(child);
                }
            }
        }
    }
}

/// Tells the tasks that read this one that it is over.
fn tell_children(draft: &mut Draft<'_>, task: &Task, success: bool) {
    for child in &task.children {
        note(draft, *child, success);
        look(draft, *child);
    }
}

fn note(draft: &mut Draft<'_>, child: TaskId, success: bool) {
    let Some(TaskState::Pending { succeeded, over }) = draft.task(child).map(|task| &task.state)
    else {
        return;
    };
    let state = TaskState::Pending {
        succeeded: succeeded + u32::from(success),
        over: over + 1,
    };
    draft.set(child, state);
}

pub(super) fn succeed(draft: &mut Draft<'_>, task: &Task, doing: &Doing, result: ArtifactHash) {
    draft.set(
        task.id,
        TaskState::Succeeded {
            attempt: doing.attempt,
            result,
        },
    );
    draft.record(HistoryEvent::TaskSucceeded {
        task: task.reference(),
        attempt: doing.attempt,
        result,
    });
    tell_children(draft, task, true);
}

pub(super) fn fail(draft: &mut Draft<'_>, task: &Task, cause: FailureCause) {
    draft.set(
        task.id,
        TaskState::Failed {
            cause: cause.clone(),
        },
    );
    draft.record(HistoryEvent::TaskFailed {
        task: task.reference(),
        cause,
    });
    tell_children(draft, task, false);
}

/// A work task's attempt came back without a result.
pub(super) fn came_back(draft: &mut Draft<'_>, task: &Task, doing: &Doing, cause: FailureCause) {
    if !again(draft, task, doing, &cause) {
        fail(draft, task, cause);
    }
}

/// A work task's result is a question; one that asks too often has used up a try.
pub(super) fn asks(draft: &mut Draft<'_>, task: &Task, doing: &Doing, text: String) {
    if !question::ask(draft, task, doing, text) {
        let message = "kept asking instead of going on with an assumption".to_owned();
        came_back(draft, task, doing, FailureCause::Refused { message });
    }
}

/// Queues the next try of a task, unless no try would help.
pub(super) fn again(
    draft: &mut Draft<'_>,
    task: &Task,
    doing: &Doing,
    cause: &FailureCause,
) -> bool {
    let Some(why) = worth_a_try(cause) else {
        return false;
    };
    retry(draft, task, doing, vec![why])
}

/// Queues the next try of a task with what was wrong, unless its tries or the money are used up.
pub(super) fn retry(draft: &mut Draft<'_>, task: &Task, doing: &Doing, wrong: Vec<String>) -> bool {
    if doing.number >= TRIES || draft.head.out_of_budget {
        return false;
    }
    let why = wrong.join("; ");
    draft.queue(task.id, doing.number + 1, wrong, &why);
    true
}

/// What the next try is told, if another try can end differently.
fn worth_a_try(cause: &FailureCause) -> Option<String> {
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
