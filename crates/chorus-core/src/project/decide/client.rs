//! Commands of clients.

use super::super::decision_builder::DecisionBuilder;
use super::super::{Command, HistoryEvent, TaskState};
use super::{REMEMBERED, Refusal, ask, begin, plan, stop};
use crate::id::EventId;

/// Each client command is folded once, whatever its effect.
pub(super) fn remember(builder: &mut DecisionBuilder<'_>, event: EventId) -> Result<(), Refusal> {
    if !builder.head.folded.insert(event) {
        return Err(Refusal::Repeated);
    }
    while builder.head.folded.len() > REMEMBERED {
        builder.head.folded.pop_first();
    }
    Ok(())
}

pub(super) fn fold(
    builder: &mut DecisionBuilder<'_>,
    event: EventId,
    command: Command,
) -> Result<(), Refusal> {
    match command {
        Command::Submit { outline } => begin::submit(builder, outline),
        Command::Answer {
            answers,
            assume_rest,
        } => ask::answer(builder, &answers, assume_rest),
        Command::Approve { plan } => plan::approve(builder, &plan),
        Command::Reject { reason } => plan::reject(builder, reason),
        Command::Pause => switch(builder, event, pause),
        Command::Resume => switch(builder, event, resume),
        Command::Cancel => {
            stop::cancel(builder);
            Ok(())
        }
        Command::Finished { .. } | Command::Merged(_) | Command::ArtifactMissing { .. } => {
            Err(not_now(builder, "no client's command"))
        }
    }
}

pub(super) fn not_now(builder: &DecisionBuilder<'_>, command: &'static str) -> Refusal {
    let state = if builder.paused() {
        "paused"
    } else {
        builder.head.state.as_str()
    };
    Refusal::NotNow { command, state }
}

/// The bus keeps no order between a command that it lost and was sent again and those after it, so the order in which
/// clients spoke is told by the ids of their words, which grow with time: the latest word holds, whenever it comes.
fn switch(
    builder: &mut DecisionBuilder<'_>,
    event: EventId,
    fold: fn(&mut DecisionBuilder<'_>),
) -> Result<(), Refusal> {
    if builder.head.switched.is_some_and(|latest| latest > event) {
        return Err(Refusal::Overtaken);
    }
    builder.head.switched = Some(event);
    fold(builder);
    Ok(())
}

/// Attempts under way are cancelled; a task keeps the name of its attempt, for one that ended a moment
/// before still counts.
fn pause(builder: &mut DecisionBuilder<'_>) {
    if builder.paused() {
        return;
    }
    builder.cancel_ready();
    builder.pause(true);
    builder.record(HistoryEvent::Paused);
}

/// Every task that was under way gets a fresh attempt of the same number. The shell has folded all attempts
/// that ended before the pause, so none of them can have a result any more.
fn resume(builder: &mut DecisionBuilder<'_>) {
    if !builder.paused() {
        return;
    }
    builder.pause(false);
    builder.record(HistoryEvent::Resumed);
    for id in builder.ids(|task| matches!(task.state, TaskState::Ready(_))) {
        let Some(doing) = builder
            .task(id)
            .and_then(|task| task.current_attempt())
            .cloned()
        else {
            continue;
        };
        builder.queue(id, doing.number, doing.feedback, "resumed");
    }
}
