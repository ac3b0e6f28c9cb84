//! Steering tasks: the ones that clarify, plan, answer, resolve and judge.
//!
//! A work task fails for good when its tries are used up. The project goes on without the answer of a
//! steering task, so this module ends the task and leaves the consequence to the topic.

use super::super::decision::Inconsistency;
use super::super::decision_builder::DecisionBuilder;
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
    /// The task failed; the project goes on without its answer.
    Failed,
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
    builder.queue(id, 1, Vec::new(), "")?;
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
            work::record_success(builder, task, attempt, *result)?;
            return Ok(Conclusion::Answered(answer));
        }
        (Outcome::Failed { cause }, _) => {
            if work::retry(builder, task, attempt, cause)? {
                return Ok(Conclusion::Retried);
            }
            work::record_failure(builder, task, cause.clone())?;
            return Ok(Conclusion::Failed);
        }
        (_, Some(Err(faults))) => faults,
        (_, _) => vec!["The last answer cannot be used.".to_owned()],
    };
    let message = format!("no readable answer: {}", faults.join("; "));
    work::record_failure(builder, task, FailureCause::Refused { message })?;
    let tries = if task.kind == TaskKind::Judge {
        TRIES_OF_JUDGE
    } else {
        work::TRIES
    };
    if attempt.number < tries && !builder.head.out_of_budget {
        ask_again(builder, task, attempt.number + 1, faults)?;
        return Ok(Conclusion::Retried);
    }
    Ok(Conclusion::Failed)
}

/// Asks the same in a task of its own: the attempt that gave the unreadable answer succeeded, and no task
/// has two attempts that did.
fn ask_again(
    builder: &mut DecisionBuilder<'_>,
    task: &Task,
    number: u32,
    faults: Vec<String>,
) -> Result<(), Inconsistency> {
    let id = TaskId::new(builder.draw_number());
    builder.add(Task {
        id,
        state: TaskState::NEW,
        ..task.clone()
    })?;
    builder.change(task.id, |task| task.superseded_by = Some(id))?;
    let why = faults.join("; ");
    builder.queue(id, number, faults, &why)?;
    match builder.state() {
        State::Clarifying { .. } => builder.enter(State::Clarifying { task: id })?,
        State::Planning { .. } => builder.enter(State::Planning { task: id })?,
        State::Merging { .. } => builder.enter(State::Merging { resolve: id })?,
        _ => {}
    }
    if let Subject::Question { task: asking, text } = &task.about
        && let Some(TaskState::Asking { number, .. }) =
            builder.task(*asking).map(|task| &task.state)
    {
        let asking_again = TaskState::Asking {
            question: text.clone(),
            answerer: Some(id),
            number: *number,
        };
        builder.set(*asking, asking_again)?;
    }
    Ok(())
}
