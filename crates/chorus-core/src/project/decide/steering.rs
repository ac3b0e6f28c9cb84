//! Steering tasks: the ones that clarify, plan, answer, resolve and judge.
//!
//! This module asks again while tries are left. After that the topic decides: the project goes on without the
//! answer, or the task is [held](hold) until a person decides.

use super::super::decision::Inconsistency;
use super::super::decision_builder::{DecisionBuilder, Try};
use super::super::{CurrentAttempt, State, Subject, Task, TaskState};
use super::work;
use crate::attempt::{FailureCause, Outcome};
use crate::id::{TaskId, TaskKey};
use crate::plan::ParentPolicy;
use crate::task_kind::TaskKind;
use crate::time::Millis;

/// Expected tokens of a steering task's answer.
const OUTPUT_TOKENS: u32 = 1_000;
/// Unreadable answers of the judge before the programmatic checks decide alone.
const TRIES_OF_JUDGE: u32 = 2;

/// An ended attempt with the task that waited for it.
pub(super) struct Ended {
    pub(super) task: Task,
    pub(super) attempt: CurrentAttempt,
    pub(super) outcome: Outcome,
}

/// End of one attempt at a steering task.
pub(super) enum Conclusion<T> {
    /// Another attempt is queued.
    Retried,
    /// The task succeeded with this answer.
    Answered(T),
    /// No try is left: the topic [holds](hold) the task or [gives it up](give_up).
    Failed(FailureCause),
}

/// Adds a steering task and queues its first attempt.
pub(super) fn begin(
    builder: &mut DecisionBuilder<'_>,
    kind: TaskKind,
    key: TaskKey,
    title: &str,
    about: Subject,
) -> Result<TaskId, Inconsistency> {
    let id = TaskId::new(builder.draw_number());
    builder.add(Task {
        id,
        key,
        kind,
        plan_version: builder.head.plan_version(),
        title: title.to_owned(),
        parents: Vec::new(),
        children: Vec::new(),
        policy: ParentPolicy::All,
        output_tokens: OUTPUT_TOKENS,
        path: builder.head.plan.map_or(Millis::ZERO, |plan| plan.path),
        about,
        answers: Vec::new(),
        rework: None,
        superseded_by: None,
        state: TaskState::NEW,
    })?;
    builder.queue(id, Try::FIRST, "")?;
    Ok(id)
}

/// Folds an ended attempt. `read` is the answer as the shell read it, or its faults; `None` if there was
/// nothing to read.
pub(super) fn conclude<T>(
    builder: &mut DecisionBuilder<'_>,
    ended: &Ended,
    read: Option<Result<T, Vec<String>>>,
) -> Result<Conclusion<T>, Inconsistency> {
    let Ended {
        task,
        attempt,
        outcome,
    } = ended;
    let faults = match (outcome, read) {
        (Outcome::Succeeded { result }, Some(Ok(answer))) => {
            work::record_success(builder, task, attempt.attempt, *result)?;
            return Ok(Conclusion::Answered(answer));
        }
        (Outcome::Failed { cause }, _) => {
            if work::retry(builder, task, attempt, cause)? {
                return Ok(Conclusion::Retried);
            }
            return Ok(Conclusion::Failed(cause.clone()));
        }
        (_, Some(Err(faults))) => faults,
        (_, _) => vec!["The last answer cannot be used.".to_owned()],
    };
    let message = format!("no readable answer: {}", faults.join("; "));
    let cause = FailureCause::Refused { message };
    let tries = if task.kind == TaskKind::Judge {
        TRIES_OF_JUDGE
    } else {
        work::TRIES
    };
    if work::counted(attempt) < tries && !builder.head.out_of_budget {
        work::record_failure(builder, task, cause)?;
        let id = replace(builder, task)?;
        let why = faults.join("; ");
        let next = Try {
            number: attempt.number + 1,
            uncounted: attempt.uncounted,
            feedback: faults,
            ..Try::FIRST
        };
        builder.queue(id, next, &why)?;
        return Ok(Conclusion::Retried);
    }
    Ok(Conclusion::Failed(cause))
}

/// Ends the task; the project goes on without its answer.
pub(super) fn give_up(
    builder: &mut DecisionBuilder<'_>,
    ended: &Ended,
    cause: FailureCause,
) -> Result<(), Inconsistency> {
    work::record_failure(builder, &ended.task, cause)
}

/// Lets the task wait for a person. One that last succeeded with an answer that cannot be used is
/// replaced by a task that waits.
pub(super) fn hold(
    builder: &mut DecisionBuilder<'_>,
    ended: &Ended,
    cause: FailureCause,
) -> Result<(), Inconsistency> {
    let Ended {
        task,
        attempt,
        outcome,
    } = ended;
    if matches!(outcome, Outcome::Failed { .. }) {
        return work::hold(builder, task, attempt.number, cause);
    }
    work::record_failure(builder, task, cause.clone())?;
    let waiting = Task {
        id: replace(builder, task)?,
        ..task.clone()
    };
    work::hold(builder, &waiting, attempt.number, cause)
}

/// Ends a held task without a result, with the cause that held it.
pub(super) fn end_held(builder: &mut DecisionBuilder<'_>, id: TaskId) -> Result<(), Inconsistency> {
    let task = builder.known_task(id)?.clone();
    match task.state.clone() {
        TaskState::Held { cause, .. } => work::record_failure(builder, &task, cause),
        _ => Ok(()),
    }
}

/// Asks the same in a task of its own: the attempt that gave the unreadable answer succeeded, and no task
/// has two attempts that did.
fn replace(builder: &mut DecisionBuilder<'_>, task: &Task) -> Result<TaskId, Inconsistency> {
    let id = TaskId::new(builder.draw_number());
    builder.add(Task {
        id,
        state: TaskState::NEW,
        ..task.clone()
    })?;
    builder.change(task.id, |task| task.superseded_by = Some(id))?;
    match builder.state() {
        State::Clarifying { .. } => builder.enter(State::Clarifying { task: id })?,
        State::Planning { .. } => builder.enter(State::Planning { task: id })?,
        State::Merging { .. } => builder.enter(State::Merging { resolve: id })?,
        _ => {}
    }
    if let Subject::Question { task: asking, text } = &task.about
        && let Some(TaskState::Asking {
            number, uncounted, ..
        }) = builder.task(*asking).map(|task| &task.state)
    {
        let asking_again = TaskState::Asking {
            question: text.clone(),
            answerer: Some(id),
            number: *number,
            uncounted: *uncounted,
        };
        builder.set(*asking, asking_again)?;
    }
    Ok(id)
}
