//! Going on without a task, as the client wants.

use super::super::decision::{Effect, Inconsistency, Interrupt, Refusal};
use super::super::decision_builder::DecisionBuilder;
use super::super::{HistoryEvent, Subject, Task, TaskState};
use super::{attention, clarify, ending, judge, plan, retry, steering, work, worker_question};
use crate::brief::Clarification;
use crate::id::TaskId;
use crate::task_kind::TaskKind;

/// Skips the named task, or everything that waits for a person. When that is money, what is there is
/// delivered.
pub(super) fn skip(
    builder: &mut DecisionBuilder<'_>,
    named: Option<&str>,
) -> Result<(), Interrupt> {
    if let Some(name) = named {
        let id = retry::find(builder, name)?;
        return skip_task(builder, id, name);
    }
    let held = builder.ids(|task| matches!(task.state, TaskState::Held { .. }));
    if held.is_empty() {
        return Err(builder.not_now("skip").into());
    }
    let is_short_of_money = held
        .iter()
        .filter_map(|id| builder.task(*id))
        .any(attention::is_over_budget);
    if is_short_of_money {
        ending::out_of_budget(builder)?;
    }
    let is_plan = |id: &TaskId| {
        builder
            .task(*id)
            .is_some_and(|task| task.kind == TaskKind::Plan)
    };
    if !is_short_of_money && held.iter().any(is_plan) {
        return Err(builder.not_now("skip").into());
    }
    for id in held {
        if !builder.head.is_terminal() {
            go_on_without(builder, id)?;
        }
    }
    Ok(())
}

fn skip_task(builder: &mut DecisionBuilder<'_>, id: TaskId, name: &str) -> Result<(), Interrupt> {
    let task = builder.known_task(id)?.clone();
    let can_be_skipped = match (&task.state, task.kind) {
        (TaskState::Held { .. }, kind) => kind != TaskKind::Plan,
        (state, TaskKind::Work) => !state.is_terminal(),
        (_, _) => false,
    };
    if !can_be_skipped {
        return Err(Refusal::NoSuchTask(name.to_owned()).into());
    }
    if matches!(task.state, TaskState::Held { .. }) {
        go_on_without(builder, id)?;
    } else {
        skip_work(builder, &task)?;
    }
    Ok(())
}

/// Ends a work task that has not ended, with its attempt or question.
fn skip_work(builder: &mut DecisionBuilder<'_>, task: &Task) -> Result<(), Inconsistency> {
    ending::withdraw_question(builder, task.id)?;
    if let Some(current) = task.current_attempt() {
        builder.push_effect(Effect::Cancel(current.attempt));
    }
    builder.set(task.id, TaskState::Skipped)?;
    builder.push_event(HistoryEvent::TaskSkipped {
        task: task.reference(),
    });
    work::update_readers(builder, task, false)
}

/// Ends a held task; the project goes on without its answer. Does nothing to any other task.
fn go_on_without(builder: &mut DecisionBuilder<'_>, id: TaskId) -> Result<(), Inconsistency> {
    let task = builder.known_task(id)?.clone();
    if !matches!(task.state, TaskState::Held { .. }) {
        return Ok(());
    }
    if task.kind == TaskKind::Work {
        return skip_work(builder, &task);
    }
    steering::end_held(builder, id)?;
    match (task.kind, &task.about) {
        (TaskKind::Clarify, _) => clarify::clarified(builder, Clarification::default()),
        (TaskKind::Plan, _) => plan::give_up(builder),
        (TaskKind::Answer, Subject::Question { task: asking, .. }) => {
            worker_question::planner_answered(builder, *asking, None)
        }
        (TaskKind::Resolve, _) => {
            builder.push_effect(Effect::Merge {
                resolutions: Vec::new(),
                ask_model: false,
            });
            Ok(())
        }
        (TaskKind::Judge, _) => judge::part_judged(builder, id, None),
        (TaskKind::Answer | TaskKind::Work, _) => Ok(()),
    }
}
