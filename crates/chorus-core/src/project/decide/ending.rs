//! Ends of a project, and winding down when the budget is used up.

use super::super::decision::{Decision, Effect, Inconsistency};
use super::super::decision_builder::DecisionBuilder;
use super::super::{Best, HistoryEvent, Project, State, Task, TaskState};
use crate::artifact::ArtifactHash;
use crate::id::TaskId;
use crate::task_kind::TaskKind;

const BUDGET: &str = "the budget was used up";

/// Starts nothing new, as the client wants: attempts that are paid for may still end, tasks that would need
/// another call are dropped. Held tasks are ended by the caller.
pub(super) fn out_of_budget(builder: &mut DecisionBuilder<'_>) -> Result<(), Inconsistency> {
    if builder.head.out_of_budget {
        return Ok(());
    }
    builder.head.out_of_budget = true;
    builder.push_event(HistoryEvent::BudgetExhausted);
    let not_begun = |task: &Task| {
        matches!(
            task.state,
            TaskState::Pending { .. } | TaskState::Asking { .. }
        )
    };
    for id in builder.ids(not_begun) {
        builder.drop_task(id)?;
    }
    for id in builder.ids(|task| task.kind == TaskKind::Answer) {
        builder.drop_task(id)?;
    }
    builder.head.open.clear();
    Ok(())
}

/// Withdraws the question of an asking task, with the task that would have answered it.
pub(super) fn withdraw_question(
    builder: &mut DecisionBuilder<'_>,
    asking: TaskId,
) -> Result<(), Inconsistency> {
    let Some(TaskState::Asking { answerer, .. }) = builder.task(asking).map(|task| &task.state)
    else {
        return Ok(());
    };
    let answerer = *answerer;
    builder.head.open.retain(|open| open.task != Some(asking));
    answerer.map_or(Ok(()), |answerer| builder.drop_task(answerer))
}

pub(super) fn cancel(builder: &mut DecisionBuilder<'_>) -> Result<(), Inconsistency> {
    drop_all(builder)?;
    builder.push_event(HistoryEvent::Cancelled);
    builder.enter(State::Cancelled)?;
    Ok(())
}

pub(super) fn fail(builder: &mut DecisionBuilder<'_>, why: String) -> Result<(), Inconsistency> {
    drop_all(builder)?;
    builder.push_event(HistoryEvent::Failed { why: why.clone() });
    builder.enter(State::Failed { why })?;
    Ok(())
}

/// Fails a project that has nothing to deliver because the budget is used up.
pub(super) fn fail_for_money(builder: &mut DecisionBuilder<'_>) -> Result<(), Inconsistency> {
    fail(builder, format!("{BUDGET} before any part was made"))
}

pub(super) fn done(
    builder: &mut DecisionBuilder<'_>,
    deliverable: ArtifactHash,
) -> Result<(), Inconsistency> {
    builder.push_event(HistoryEvent::Done { deliverable });
    builder.enter(State::Done { deliverable })?;
    Ok(())
}

pub(super) fn deliver(
    builder: &mut DecisionBuilder<'_>,
    deliverable: ArtifactHash,
    defects: Vec<String>,
) -> Result<(), Inconsistency> {
    drop_all(builder)?;
    builder.push_event(HistoryEvent::Partial {
        deliverable,
        defects: defects.clone(),
    });
    builder.enter(State::Partial {
        deliverable,
        defects,
    })?;
    Ok(())
}

/// Delivers the best deliverable so far with its defects.
pub(super) fn deliver_best(
    builder: &mut DecisionBuilder<'_>,
    best: Best,
) -> Result<(), Inconsistency> {
    let mut defects = best.defects;
    if builder.head.out_of_budget && !defects.iter().any(|defect| defect.starts_with(BUDGET)) {
        defects.push(format!("{BUDGET} before these were mended"));
    }
    deliver(builder, best.deliverable, defects)
}

/// Fails a project with rows that contradict each other. This reads no counter and needs no row but the ones
/// it changes, so that it cannot itself meet the contradiction: every live state of a project may fail, and
/// every live task may be cancelled.
pub(in crate::project) fn stop_inconsistent(
    project: &Project,
    inconsistency: Inconsistency,
) -> Decision {
    let why = format!("{}: {inconsistency}", inconsistency.code());
    let mut head = project.head.clone();
    head.state = State::Failed { why: why.clone() };
    head.open.clear();
    (head.unfinished, head.ready, head.held) = (0, 0, 0);
    (head.halt, head.outage, head.wait) = (None, None, None);
    let live = || {
        project
            .tasks
            .values()
            .filter(|task| !task.state.is_terminal())
    };
    let cancelled = |task: &Task| Task {
        state: TaskState::Cancelled,
        ..task.clone()
    };
    Decision {
        head,
        tasks: live().map(cancelled).collect(),
        history: vec![HistoryEvent::Failed { why }],
        effects: live()
            .filter_map(Task::current_attempt)
            .map(|current| Effect::Cancel(current.attempt))
            .collect(),
        inconsistency: Some(inconsistency),
    }
}

fn drop_all(builder: &mut DecisionBuilder<'_>) -> Result<(), Inconsistency> {
    let head = &mut builder.head;
    (head.halt, head.outage, head.wait) = (None, None, None);
    for id in builder.ids(|task| !task.state.is_terminal()) {
        builder.drop_task(id)?;
    }
    builder.head.open.clear();
    Ok(())
}
