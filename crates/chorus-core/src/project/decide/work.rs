//! Tasks becoming ready, having results, failing, and what that means for the tasks that read them.

use super::super::decision_builder::DecisionBuilder;
use super::super::{CurrentAttempt, HistoryEvent, Task, TaskState};
use super::{TRIES, question};
use crate::artifact::ArtifactHash;
use crate::attempt::FailureCause;
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
pub(super) fn look(builder: &mut DecisionBuilder<'_>, id: TaskId) {
    let mut waiting = vec![id];
    while let Some(id) = waiting.pop() {
        let Some(task) = builder.task(id) else {
            continue;
        };
        let TaskState::Pending { succeeded, over } = task.state else {
            continue;
        };
        let parents = u32::try_from(task.parents.len()).expect("a plan has fewer than 2^32 tasks");
        match outlook(task.policy, succeeded, over, parents) {
            Outlook::Open => {}
            Outlook::Holds => builder.queue(id, 1, Vec::new(), ""),
            Outlook::Never => {
                let (reference, children) = (task.reference(), task.children.clone());
                builder.set(id, TaskState::Skipped);
                builder.record(HistoryEvent::TaskSkipped { task: reference });
                for child in children.into_iter().rev() {
                    note(builder, child, false);
                    waiting.push(child);
                }
            }
        }
    }
}

/// Tells the tasks that read this one that it is over.
fn tell_children(builder: &mut DecisionBuilder<'_>, task: &Task, success: bool) {
    for child in &task.children {
        note(builder, *child, success);
        look(builder, *child);
    }
}

fn note(builder: &mut DecisionBuilder<'_>, child: TaskId, success: bool) {
    let Some(TaskState::Pending { succeeded, over }) = builder.task(child).map(|task| &task.state)
    else {
        return;
    };
    let state = TaskState::Pending {
        succeeded: succeeded + u32::from(success),
        over: over + 1,
    };
    builder.set(child, state);
}

pub(super) fn succeed(
    builder: &mut DecisionBuilder<'_>,
    task: &Task,
    doing: &CurrentAttempt,
    result: ArtifactHash,
) {
    builder.set(
        task.id,
        TaskState::Succeeded {
            attempt: doing.attempt,
            result,
        },
    );
    builder.record(HistoryEvent::TaskSucceeded {
        task: task.reference(),
        attempt: doing.attempt,
        result,
    });
    tell_children(builder, task, true);
}

pub(super) fn fail(builder: &mut DecisionBuilder<'_>, task: &Task, cause: FailureCause) {
    builder.set(
        task.id,
        TaskState::Failed {
            cause: cause.clone(),
        },
    );
    builder.record(HistoryEvent::TaskFailed {
        task: task.reference(),
        cause,
    });
    tell_children(builder, task, false);
}

/// A work task's attempt came back without a result.
pub(super) fn came_back(
    builder: &mut DecisionBuilder<'_>,
    task: &Task,
    doing: &CurrentAttempt,
    cause: FailureCause,
) {
    if !again(builder, task, doing, &cause) {
        fail(builder, task, cause);
    }
}

/// A work task's result is a question; one that asks too often has used up a try.
pub(super) fn asks(
    builder: &mut DecisionBuilder<'_>,
    task: &Task,
    doing: &CurrentAttempt,
    text: String,
) {
    if !question::ask(builder, task, doing, text) {
        let message = "kept asking instead of going on with an assumption".to_owned();
        came_back(builder, task, doing, FailureCause::Refused { message });
    }
}

/// Queues the next try of a task, unless no try would help.
pub(super) fn again(
    builder: &mut DecisionBuilder<'_>,
    task: &Task,
    doing: &CurrentAttempt,
    cause: &FailureCause,
) -> bool {
    let Some(why) = worth_a_try(cause) else {
        return false;
    };
    retry(builder, task, doing, vec![why])
}

/// Queues the next try of a task with what was wrong, unless its tries or the money are used up.
pub(super) fn retry(
    builder: &mut DecisionBuilder<'_>,
    task: &Task,
    doing: &CurrentAttempt,
    wrong: Vec<String>,
) -> bool {
    if doing.number >= TRIES || builder.head.out_of_budget {
        return false;
    }
    let why = wrong.join("; ");
    builder.queue(task.id, doing.number + 1, wrong, &why);
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
