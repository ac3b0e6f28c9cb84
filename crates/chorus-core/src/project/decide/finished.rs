//! A finished attempt: folded by task and attempt, whatever the plan's version is by now.

use super::super::decision_builder::DecisionBuilder;
use super::super::{CurrentAttempt, HistoryEvent, Reading, State, Subject, Task, TaskState};
use super::{Effect, READINGS_OF_JUDGE, Refusal, TRIES, begin, judge, plan, question, stop, work};
use crate::artifact::ArtifactHash;
use crate::attempt::{AttemptDone, FailureCause, Outcome};
use crate::brief::Clarification;
use crate::id::TaskId;
use crate::task_kind::TaskKind;

pub(super) fn fold(
    builder: &mut DecisionBuilder<'_>,
    done: AttemptDone,
    reading: Reading,
) -> Result<(), Refusal> {
    let task = builder.task(done.task).ok_or(Refusal::Stale)?.clone();
    let doing = task
        .current_attempt()
        .filter(|doing| doing.attempt == done.attempt)
        .ok_or(Refusal::Stale)?
        .clone();
    if matches!(
        &done.outcome,
        Outcome::Failed {
            cause: FailureCause::OverBudget
        }
    ) {
        stop::out_of_budget(builder, task.id);
    }
    let try_ = Try {
        task,
        doing,
        outcome: done.outcome,
    };
    match try_.task.kind {
        TaskKind::Work => worked(builder, try_, reading),
        TaskKind::Clarify => clarified(builder, &try_, reading),
        TaskKind::Plan => planned(builder, &try_, reading),
        TaskKind::Answer => answered(builder, &try_, reading),
        TaskKind::Resolve => resolved(builder, &try_, reading),
        TaskKind::Judge => judged(builder, &try_, reading),
    }
    Ok(())
}

/// An attempt that ended, with the task that waited for it.
struct Try {
    task: Task,
    doing: CurrentAttempt,
    outcome: Outcome,
}

fn worked(builder: &mut DecisionBuilder<'_>, ended: Try, reading: Reading) {
    let Try {
        task,
        doing,
        outcome,
    } = ended;
    match (outcome, reading) {
        (Outcome::Asked { .. }, Reading::Question(text)) => {
            work::asks(builder, &task, &doing, text);
        }
        (Outcome::Succeeded { result }, _) => work::succeed(builder, &task, &doing, result),
        (Outcome::Failed { cause }, _) => work::came_back(builder, &task, &doing, cause),
        (Outcome::Asked { .. } | Outcome::Requeue { .. }, _) => {
            work::came_back(builder, &task, &doing, FailureCause::Empty)
        }
    }
}

fn clarified(builder: &mut DecisionBuilder<'_>, ended: &Try, reading: Reading) {
    let read = match reading {
        Reading::Clarification(read) => Some(read),
        _ => None,
    };
    match steered(builder, ended, read) {
        Steered::Tries => {}
        Steered::Says(clarification) => begin::clarified(builder, clarification),
        Steered::GaveUp => begin::clarified(builder, Clarification::default()),
    }
}

fn planned(builder: &mut DecisionBuilder<'_>, ended: &Try, reading: Reading) {
    let Reading::Plan { read, fallback } = reading else {
        return stop::fail(builder, "the plan was not read".to_owned());
    };
    match steered(builder, ended, Some(read)) {
        Steered::Tries => {}
        Steered::Says(planned) => plan::planned(builder, planned, false),
        Steered::GaveUp => match fallback {
            Some(fallback) => plan::planned(builder, fallback, true),
            None => stop::fail(builder, "there is no plan".to_owned()),
        },
    }
}

fn answered(builder: &mut DecisionBuilder<'_>, ended: &Try, reading: Reading) {
    let Subject::Question { task: asking, .. } = ended.task.about else {
        return;
    };
    let read = match reading {
        Reading::Answer(read) => Some(read),
        _ => None,
    };
    match steered(builder, ended, read) {
        Steered::Tries => {}
        Steered::Says(answer) => question::planner_said(builder, asking, Some(answer)),
        Steered::GaveUp => question::planner_said(builder, asking, None),
    }
}

fn resolved(builder: &mut DecisionBuilder<'_>, ended: &Try, reading: Reading) {
    let read = match reading {
        Reading::Resolutions(read) => Some(read),
        _ => None,
    };
    match steered(builder, ended, read) {
        Steered::Tries => {}
        Steered::Says(resolutions) => builder.ask(Effect::Merge {
            resolutions,
            ask_model: false,
        }),
        Steered::GaveUp => builder.ask(Effect::Merge {
            resolutions: Vec::new(),
            ask_model: false,
        }),
    }
}

fn judged(builder: &mut DecisionBuilder<'_>, ended: &Try, reading: Reading) {
    let read = match reading {
        Reading::Verdict(read) => Some(read),
        _ => None,
    };
    match steered(builder, ended, read) {
        Steered::Tries => {}
        Steered::Says(verdict) => judge::heard(builder, ended.task.id, Some(verdict)),
        Steered::GaveUp => judge::heard(builder, ended.task.id, None),
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
    builder: &mut DecisionBuilder<'_>,
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
            succeed(builder, task, doing, *result);
            return Steered::Says(value);
        }
        (Outcome::Failed { cause }, _) => {
            if work::again(builder, task, doing, cause) {
                return Steered::Tries;
            }
            fail(builder, task, cause.clone());
            return Steered::GaveUp;
        }
        (_, Some(Err(wrong))) => wrong,
        (_, _) => vec!["The last answer cannot be used.".to_owned()],
    };
    fail(
        builder,
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
    if doing.number < tries && !builder.head.out_of_budget {
        ask_again(builder, task, doing.number + 1, wrong);
        return Steered::Tries;
    }
    Steered::GaveUp
}

/// Asks the same in a task of its own: the attempt that gave the unreadable answer succeeded, and no task has two
/// attempts that did.
fn ask_again(builder: &mut DecisionBuilder<'_>, task: &Task, number: u32, wrong: Vec<String>) {
    let id = TaskId::new(builder.number());
    builder.add(Task {
        id,
        state: TaskState::Pending {
            succeeded: 0,
            over: 0,
        },
        ..task.clone()
    });
    builder.change(task.id, |task| task.superseded_by = Some(id));
    let why = wrong.join("; ");
    builder.queue(id, number, wrong, &why);
    match builder.head.state {
        State::Clarifying { .. } => builder.enter(State::Clarifying { task: id }),
        State::Planning { .. } => builder.enter(State::Planning { task: id }),
        State::Merging { .. } => builder.enter(State::Merging { resolve: id }),
        _ => {}
    }
    if let Subject::Question { task: asking, text } = &task.about
        && let Some(TaskState::Asking { number, .. }) =
            builder.task(*asking).map(|task| task.state.clone())
    {
        builder.set(
            *asking,
            TaskState::Asking {
                question: text.clone(),
                answerer: Some(id),
                number,
            },
        );
    }
}

fn succeed(
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
}

fn fail(builder: &mut DecisionBuilder<'_>, task: &Task, cause: FailureCause) {
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
}
