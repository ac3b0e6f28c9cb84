//! A finished attempt: folded by task and attempt, whatever the plan's version is by now.

use super::super::draft::Draft;
use super::super::{About, Doing, HistoryEvent, Reading, State, Task, TaskState};
use super::{Effect, READINGS_OF_JUDGE, Refusal, TRIES, begin, judge, plan, question, stop, work};
use crate::brief::Clarification;
use crate::delivery::{ArtifactHash, AttemptDone, FailureCause, Outcome, TaskKind};
use crate::id::TaskId;

pub(super) fn fold(
    draft: &mut Draft<'_>,
    done: AttemptDone,
    reading: Reading,
) -> Result<(), Refusal> {
    let task = draft.task(done.task).ok_or(Refusal::Stale)?.clone();
    let doing = task
        .doing()
        .filter(|doing| doing.attempt == done.attempt)
        .ok_or(Refusal::Stale)?
        .clone();
    if matches!(
        &done.outcome,
        Outcome::Failed {
            cause: FailureCause::OverBudget
        }
    ) {
        stop::out_of_budget(draft, task.id);
    }
    let try_ = Try {
        task,
        doing,
        outcome: done.outcome,
    };
    match try_.task.kind {
        TaskKind::Work => worked(draft, try_, reading),
        TaskKind::Clarify => clarified(draft, &try_, reading),
        TaskKind::Plan => planned(draft, &try_, reading),
        TaskKind::Answer => answered(draft, &try_, reading),
        TaskKind::Settle => settled(draft, &try_, reading),
        TaskKind::Judge => judged(draft, &try_, reading),
    }
    Ok(())
}

/// An attempt that ended, with the task that waited for it.
struct Try {
    task: Task,
    doing: Doing,
    outcome: Outcome,
}

fn worked(draft: &mut Draft<'_>, ended: Try, reading: Reading) {
    let Try {
        task,
        doing,
        outcome,
    } = ended;
    match (outcome, reading) {
        (Outcome::Asked { .. }, Reading::Question(text)) => {
            work::asks(draft, &task, &doing, text);
        }
        (Outcome::Succeeded { result }, _) => work::succeed(draft, &task, &doing, result),
        (Outcome::Failed { cause }, _) => work::came_back(draft, &task, &doing, cause),
        (Outcome::Asked { .. } | Outcome::Requeue { .. }, _) => {
            work::came_back(draft, &task, &doing, FailureCause::Empty)
        }
    }
}

fn clarified(draft: &mut Draft<'_>, ended: &Try, reading: Reading) {
    let read = match reading {
        Reading::Clarification(read) => Some(read),
        _ => None,
    };
    match steered(draft, ended, read) {
        Steered::Tries => {}
        Steered::Says(clarification) => begin::clarified(draft, clarification),
        Steered::GaveUp => begin::clarified(draft, Clarification::default()),
    }
}

fn planned(draft: &mut Draft<'_>, ended: &Try, reading: Reading) {
    let Reading::Plan { read, fallback } = reading else {
        return stop::fail(draft, "the plan was not read".to_owned());
    };
    match steered(draft, ended, Some(read)) {
        Steered::Tries => {}
        Steered::Says(planned) => plan::planned(draft, planned, false),
        Steered::GaveUp => match fallback {
            Some(fallback) => plan::planned(draft, fallback, true),
            None => stop::fail(draft, "there is no plan".to_owned()),
        },
    }
}

fn answered(draft: &mut Draft<'_>, ended: &Try, reading: Reading) {
    let About::Question { task: asking, .. } = ended.task.about else {
        return;
    };
    let read = match reading {
        Reading::Answer(read) => Some(read),
        _ => None,
    };
    match steered(draft, ended, read) {
        Steered::Tries => {}
        Steered::Says(answer) => question::planner_said(draft, asking, Some(answer)),
        Steered::GaveUp => question::planner_said(draft, asking, None),
    }
}

fn settled(draft: &mut Draft<'_>, ended: &Try, reading: Reading) {
    let read = match reading {
        Reading::Settlements(read) => Some(read),
        _ => None,
    };
    match steered(draft, ended, read) {
        Steered::Tries => {}
        Steered::Says(settlements) => draft.ask(Effect::Merge {
            settlements,
            ask_model: false,
        }),
        Steered::GaveUp => draft.ask(Effect::Merge {
            settlements: Vec::new(),
            ask_model: false,
        }),
    }
}

fn judged(draft: &mut Draft<'_>, ended: &Try, reading: Reading) {
    let read = match reading {
        Reading::Verdict(read) => Some(read),
        _ => None,
    };
    match steered(draft, ended, read) {
        Steered::Tries => {}
        Steered::Says(verdict) => judge::heard(draft, ended.task.id, Some(verdict)),
        Steered::GaveUp => judge::heard(draft, ended.task.id, None),
    }
}

/// What became of a steering task.
enum Steered<T> {
    /// It is tried again.
    Tries,
    /// Its answer.
    Says(T),
    /// It failed; the project goes on without its answer.
    GaveUp,
}

fn steered<T>(
    draft: &mut Draft<'_>,
    ended: &Try,
    read: Option<Result<T, Vec<String>>>,
) -> Steered<T> {
    let Try {
        task,
        doing,
        outcome,
    } = ended;
    let wrong = match (outcome, read) {
        (Outcome::Succeeded { result }, Some(Ok(value))) => {
            succeed(draft, task, doing, *result);
            return Steered::Says(value);
        }
        (Outcome::Failed { cause }, _) => {
            if work::again(draft, task, doing, cause) {
                return Steered::Tries;
            }
            fail(draft, task, cause.clone());
            return Steered::GaveUp;
        }
        (_, Some(Err(wrong))) => wrong,
        (_, _) => vec!["The last answer cannot be used.".to_owned()],
    };
    fail(
        draft,
        task,
        FailureCause::Refused {
            message: format!("no readable answer: {}", wrong.join("; ")),
        },
    );
    let tries = if task.kind == TaskKind::Judge {
        READINGS_OF_JUDGE
    } else {
        TRIES
    };
    if doing.number < tries && !draft.head.out_of_budget {
        ask_again(draft, task, doing.number + 1, wrong);
        return Steered::Tries;
    }
    Steered::GaveUp
}

/// Asks the same in a task of its own: the attempt that gave the unreadable answer succeeded, and no task has two
/// attempts that did.
fn ask_again(draft: &mut Draft<'_>, task: &Task, number: u32, wrong: Vec<String>) {
    let id = TaskId::new(draft.number());
    draft.add(Task {
        id,
        state: TaskState::Pending {
            succeeded: 0,
            over: 0,
        },
        ..task.clone()
    });
    draft.change(task.id, |task| task.superseded_by = Some(id));
    let why = wrong.join("; ");
    draft.queue(id, number, wrong, &why);
    match draft.head.state {
        State::Clarifying { .. } => draft.enter(State::Clarifying { task: id }),
        State::Planning { .. } => draft.enter(State::Planning { task: id }),
        State::Merging { .. } => draft.enter(State::Merging { settle: id }),
        _ => {}
    }
    if let About::Question { task: asking, text } = &task.about
        && let Some(TaskState::Asking { number, .. }) =
            draft.task(*asking).map(|task| task.state.clone())
    {
        draft.set(
            *asking,
            TaskState::Asking {
                question: text.clone(),
                answerer: Some(id),
                number,
            },
        );
    }
}

fn succeed(draft: &mut Draft<'_>, task: &Task, doing: &Doing, result: ArtifactHash) {
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
}

fn fail(draft: &mut Draft<'_>, task: &Task, cause: FailureCause) {
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
}
