//! Results that a task keeps in a [`rework`](super::rework) because it would read the same again.

use super::super::decision_builder::DecisionBuilder;
use super::super::{Task, TaskState};
use crate::artifact::ArtifactHash;
use crate::id::{AttemptId, TaskId};
use crate::plan::ParentPolicy;

/// Attempt and result that a task keeps: those of the task that it replaces only because a parent was
/// replaced, if each parent has the result that was read then.
pub(super) fn unchanged(
    builder: &DecisionBuilder<'_>,
    task: &Task,
) -> Option<(AttemptId, ArtifactHash)> {
    let rework = task.rework.as_ref().filter(|rework| rework.is_reader)?;
    let replaced = builder.task(rework.replaces)?;
    let TaskState::Succeeded { attempt, result } = replaced.state else {
        return None;
    };
    let result_of = |id: &TaskId| builder.task(*id).and_then(Task::result);
    let is_same = |(then, now): (&TaskId, &TaskId)| {
        then == now || result_of(now).is_some_and(|now| result_of(then) == Some(now))
    };
    // Under other policies a task begins before all its parents have ended.
    let has_read_all = matches!(task.policy, ParentPolicy::All | ParentPolicy::Settled);
    let is_kept = has_read_all
        && replaced.parents.len() == task.parents.len()
        && replaced.answers == task.answers
        && replaced.parents.iter().zip(&task.parents).all(is_same);
    is_kept.then_some((attempt, result))
}
