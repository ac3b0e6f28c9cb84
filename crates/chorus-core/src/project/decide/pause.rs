//! Pausing and resuming.
//!
//! The bus may deliver two of these commands in either order, for one that was lost is sent again. Each
//! carries the time of its acceptance, and the one with the latest time holds, whenever it comes.

use super::super::decision::{Inconsistency, Interrupt, Refusal};
use super::super::decision_builder::{DecisionBuilder, Try};
use super::super::{HistoryEvent, Task, TaskState};
use crate::time::Timestamp;

/// Cancels the attempts under way. A task keeps the id of its attempt, for one that ended a moment before
/// still counts.
pub(super) fn pause(
    builder: &mut DecisionBuilder<'_>,
    at: Option<Timestamp>,
) -> Result<(), Interrupt> {
    refuse_overtaken(builder, at)?;
    if !builder.is_paused() {
        builder.cancel_attempts();
        builder.pause()?;
        builder.push_event(HistoryEvent::Paused);
    }
    Ok(())
}

/// Gives every ready task a fresh attempt of the same number. The shell has folded all attempts that ended
/// before the pause, so none of the old ones can have a result any more.
pub(super) fn resume(
    builder: &mut DecisionBuilder<'_>,
    at: Option<Timestamp>,
) -> Result<(), Interrupt> {
    refuse_overtaken(builder, at)?;
    if !builder.is_paused() {
        return Ok(());
    }
    builder.resume()?;
    builder.push_event(HistoryEvent::Resumed);
    queue_again(builder, "resumed")?;
    Ok(())
}

/// Gives every ready task a fresh attempt, after a pause or a halt.
pub(super) fn queue_again(
    builder: &mut DecisionBuilder<'_>,
    why: &str,
) -> Result<(), Inconsistency> {
    for id in builder.ids(|task| matches!(task.state, TaskState::Ready(_))) {
        if let Some(current) = builder.task(id).and_then(Task::current_attempt).cloned() {
            builder.queue(id, Try::again(current), why)?;
        }
    }
    Ok(())
}

fn refuse_overtaken(
    builder: &mut DecisionBuilder<'_>,
    at: Option<Timestamp>,
) -> Result<(), Refusal> {
    let Some(at) = at else {
        return Ok(());
    };
    if builder.head.switched_at.is_some_and(|latest| latest > at) {
        return Err(Refusal::Overtaken);
    }
    builder.head.switched_at = Some(at);
    Ok(())
}
