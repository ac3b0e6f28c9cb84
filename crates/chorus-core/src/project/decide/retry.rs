//! Retries by the client: held tasks are queued again, ended ones are replaced, and a halt ends.

use std::collections::{BTreeMap, BTreeSet};

use super::super::decision::{Effect, Inconsistency, Interrupt, Refusal};
use super::super::decision_builder::{DecisionBuilder, Try};
use super::super::{Halt, State, Task, TaskState};
use super::{pause, rework};
use crate::id::TaskId;
use crate::task_kind::TaskKind;

/// Reason of the new attempts, for people.
const RETRIED: &str = "the client retries it";

/// Tries again the named task, or everything that waits for a retry.
pub(super) fn retry(
    builder: &mut DecisionBuilder<'_>,
    named: Option<&str>,
) -> Result<(), Interrupt> {
    if let Some(name) = named {
        return retry_named(builder, name);
    }
    let halt = builder.head.halt.take();
    let held = builder.ids(|task| matches!(task.state, TaskState::Held { .. }));
    if halt.is_none() && held.is_empty() {
        return Err(builder.not_now("retry").into());
    }
    match halt {
        Some(Halt::ArtifactMissing { .. }) => go_on(builder)?,
        Some(Halt::NoResult { .. }) => {
            let ended = builder.ids(is_without_result);
            replace(builder, ended)?;
        }
        None => {}
    }
    for id in held {
        retry_held(builder, id, RETRIED)?;
    }
    Ok(())
}

fn retry_named(builder: &mut DecisionBuilder<'_>, name: &str) -> Result<(), Interrupt> {
    let id = find(builder, name)?;
    let task = builder.known_task(id)?;
    if matches!(task.state, TaskState::Held { .. }) {
        retry_held(builder, id, RETRIED)?;
        return Ok(());
    }
    if !is_without_result(task) || *builder.state() != State::Running {
        return Err(Refusal::NoSuchTask(name.to_owned()).into());
    }
    if matches!(builder.head.halt, Some(Halt::NoResult { .. })) {
        builder.head.halt = None;
    }
    replace(builder, vec![id])?;
    Ok(())
}

/// Queues the next try of a held task; does nothing to any other task.
pub(super) fn retry_held(
    builder: &mut DecisionBuilder<'_>,
    id: TaskId,
    why: &str,
) -> Result<(), Inconsistency> {
    let TaskState::Held { number, .. } = builder.known_task(id)?.state else {
        return Ok(());
    };
    if builder.known_task(id)?.kind == TaskKind::Plan {
        builder.head.offer = None;
    }
    builder.queue(id, Try::after(number), why)
}

/// Replaces ended tasks as [`replace_with`] does, without feedback.
fn replace(builder: &mut DecisionBuilder<'_>, ids: Vec<TaskId>) -> Result<(), Inconsistency> {
    let ids = ids.into_iter().map(|id| (id, String::new()));
    replace_with(builder, ids.collect())
}

/// Replaces tasks, their parents without a result, and all that read them, by new ones with this feedback.
/// The round of rework does not grow.
pub(super) fn replace_with(
    builder: &mut DecisionBuilder<'_>,
    mut waiting: Vec<(TaskId, String)>,
) -> Result<(), Inconsistency> {
    let mut named: BTreeMap<TaskId, String> = BTreeMap::new();
    while let Some((id, feedback)) = waiting.pop() {
        if named.contains_key(&id) {
            continue;
        }
        for parent in builder.known_task(id)?.parents.clone() {
            if builder.task(parent).is_some_and(is_without_result) {
                waiting.push((parent, String::new()));
            }
        }
        named.insert(id, feedback);
    }
    rework::replace_tasks(builder, &named)
}

/// Goes on after a halt: every ready task gets a fresh attempt, and a merge that failed is asked for again.
fn go_on(builder: &mut DecisionBuilder<'_>) -> Result<(), Inconsistency> {
    if !builder.is_paused() {
        pause::queue_again(builder, RETRIED)?;
    }
    let resolve = match builder.state() {
        State::Merging { resolve } => Some(*resolve),
        _ => None,
    };
    let is_merge_due = resolve
        .and_then(|resolve| builder.task(resolve))
        .is_some_and(|task| task.state.is_terminal());
    if is_merge_due {
        builder.push_effect(Effect::Merge {
            resolutions: Vec::new(),
            ask_model: !builder.head.out_of_budget,
        });
    }
    Ok(())
}

/// Active task of this key or id.
pub(super) fn find(builder: &DecisionBuilder<'_>, name: &str) -> Result<TaskId, Refusal> {
    let matches = |task: &Task| task.key.as_str() == name || task.id.to_string() == name;
    let found: BTreeSet<TaskId> = builder
        .active()
        .filter(|task| matches(task))
        .map(|task| task.id)
        .collect();
    found
        .last()
        .copied()
        .ok_or_else(|| Refusal::NoSuchTask(name.to_owned()))
}

/// Returns true for a work task that ended without a result.
pub(super) fn is_without_result(task: &Task) -> bool {
    task.kind == TaskKind::Work
        && task.state.is_terminal()
        && !matches!(task.state, TaskState::Succeeded { .. })
}
