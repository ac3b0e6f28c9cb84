//! Commands of clients.

use super::super::draft::Draft;
use super::super::{Command, HistoryEvent, TaskState};
use super::{REMEMBERED, Refusal, ask, begin, plan, stop};
use crate::id::EventId;

/// Each client command is folded once, whatever its effect.
pub(super) fn remember(draft: &mut Draft<'_>, event: EventId) -> Result<(), Refusal> {
    if !draft.head.folded.insert(event) {
        return Err(Refusal::Repeated);
    }
    while draft.head.folded.len() > REMEMBERED {
        draft.head.folded.pop_first();
    }
    Ok(())
}

pub(super) fn fold(draft: &mut Draft<'_>, event: EventId, command: Command) -> Result<(), Refusal> {
    match command {
        Command::Submit { outline } => begin::submit(draft, outline),
        Command::Answer {
            answers,
            assume_rest,
        } => ask::answer(draft, &answers, assume_rest),
        Command::Approve { plan } => plan::approve(draft, &plan),
        Command::Reject { reason } => plan::reject(draft, reason),
        Command::Pause => switch(draft, event, pause),
        Command::Resume => switch(draft, event, resume),
        Command::Cancel => {
            stop::cancel(draft);
            Ok(())
        }
        Command::Finished { .. } | Command::Merged(_) | Command::Lost { .. } => {
            Err(not_now(draft, "no client's command"))
        }
    }
}

pub(super) fn not_now(draft: &Draft<'_>, command: &'static str) -> Refusal {
    let state = if draft.paused() {
        "paused"
    } else {
        draft.head.state_word()
    };
    Refusal::NotNow { command, state }
}

/// The bus keeps no order between a command that it lost and was sent again and those after it, so the order in which
/// clients spoke is told by the ids of their words, which grow with time: the latest word holds, whenever it comes.
fn switch(draft: &mut Draft<'_>, event: EventId, fold: fn(&mut Draft<'_>)) -> Result<(), Refusal> {
    if draft.head.switched.is_some_and(|latest| latest > event) {
        return Err(Refusal::Overtaken);
    }
    draft.head.switched = Some(event);
    fold(draft);
    Ok(())
}

/// Attempts under way are cancelled; a task keeps the name of its attempt, for one that ended a moment
/// before still counts.
fn pause(draft: &mut Draft<'_>) {
    if draft.paused() {
        return;
    }
    draft.cancel_ready();
    draft.pause(true);
    draft.record(HistoryEvent::Paused);
}

/// Every task that was under way gets a fresh attempt of the same number. The shell has folded all attempts
/// that ended before the pause, so none of them can have a result any more.
fn resume(draft: &mut Draft<'_>) {
    if !draft.paused() {
        return;
    }
    draft.pause(false);
    draft.record(HistoryEvent::Resumed);
    for id in draft.ids(|task| matches!(task.state, TaskState::Ready(_))) {
        let Some(doing) = draft.task(id).and_then(|task| task.doing()).cloned() else {
            continue;
        };
        draft.queue(id, doing.number, doing.feedback, "resumed");
    }
}
