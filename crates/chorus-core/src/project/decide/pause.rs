//! Pausing and resuming.
//!
//! The bus may deliver two of these commands in either order, for one that was lost is sent again. Their
//! ids grow with time, so the command with the highest id holds, whenever it comes.

use super::super::decision::{Interrupt, Refusal};
use super::super::decision_builder::DecisionBuilder;
use super::super::{HistoryEvent, Task, TaskState};

/// Cancels the attempts under way. A task keeps the id of its attempt, for one that ended a moment before
/// still counts.
pub(super) fn pause(builder: &mut DecisionBuilder<'_>) -> Result<(), Interrupt> {
    refuse_overtaken(builder)?;
    if !builder.is_paused() {
        builder.cancel_attempts();
        builder.pause()?;
        builder.push_event(HistoryEvent::Paused);
    }
    Ok(())
}

/// Gives every ready task a fresh attempt of the same number. The shell has folded all attempts that ended
/// before the pause, so none of the old ones can have a result any more.
pub(super) fn resume(builder: &mut DecisionBuilder<'_>) -> Result<(), Interrupt> {
    refuse_overtaken(builder)?;
    if !builder.is_paused() {
        return Ok(());
    }
    builder.resume()?;
    builder.push_event(HistoryEvent::Resumed);
    for id in builder.ids(|task| matches!(task.state, TaskState::Ready(_))) {
        if let Some(current) = builder.task(id).and_then(Task::current_attempt).cloned() {
            builder.queue(id, current.number, current.feedback, "resumed")?;
        }
    }
    Ok(())
}

fn refuse_overtaken(builder: &mut DecisionBuilder<'_>) -> Result<(), Refusal> {
    let event = builder.event();
    if builder.head.switched.is_some_and(|latest| latest > event) {
        return Err(Refusal::Overtaken);
    }
    builder.head.switched = Some(event);
    Ok(())
}
