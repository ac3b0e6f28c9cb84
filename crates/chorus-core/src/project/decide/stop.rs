//! The ends of a project, and winding down when the money is used up.

use super::super::decision_builder::DecisionBuilder;
use super::super::{HistoryEvent, State, TaskState};
use crate::artifact::ArtifactHash;
use crate::id::TaskId;
use crate::task_kind::TaskKind;

const BUDGET: &str = "the budget was used up";

/// Nothing new is started: attempts that are paid for may still end, everything that would need another
/// call is dropped. `failed` is the task that the money did not cover; its own failure is folded next.
pub(super) fn out_of_budget(builder: &mut DecisionBuilder<'_>, failed: TaskId) {
    if builder.head.out_of_budget {
        return;
    }
    builder.head.out_of_budget = true;
    builder.record(HistoryEvent::BudgetExhausted);
    for id in builder.ids(|task| {
        matches!(
            task.state,
            TaskState::Pending { .. } | TaskState::Asking { .. }
        )
    }) {
        builder.drop_task(id);
    }
    for id in builder.ids(|task| task.kind == TaskKind::Answer && task.id != failed) {
        builder.drop_task(id);
    }
    builder.head.open.clear();
}

/// A question that nobody needs answered any more, with the task that would have answered it.
pub(super) fn drop_asking(builder: &mut DecisionBuilder<'_>, asking: TaskId) {
    let Some(TaskState::Asking { answerer, .. }) =
        builder.task(asking).map(|task| task.state.clone())
    else {
        return;
    };
    builder.head.open.retain(|open| open.task != Some(asking));
    if let Some(answerer) = answerer {
        builder.drop_task(answerer);
    }
}

pub(super) fn cancel(builder: &mut DecisionBuilder<'_>) {
    drop_all(builder);
    builder.record(HistoryEvent::Cancelled);
    builder.enter(State::Cancelled);
}

pub(super) fn fail(builder: &mut DecisionBuilder<'_>, why: String) {
    drop_all(builder);
    builder.record(HistoryEvent::Failed { why: why.clone() });
    builder.enter(State::Failed { why });
}

/// Fails a project that has nothing to deliver because the money is used up.
pub(super) fn fail_for_money(builder: &mut DecisionBuilder<'_>) {
    fail(builder, format!("{BUDGET} before any part was made"));
}

pub(super) fn done(builder: &mut DecisionBuilder<'_>, deliverable: ArtifactHash) {
    builder.record(HistoryEvent::Done { deliverable });
    builder.enter(State::Done { deliverable });
}

pub(super) fn deliver(
    builder: &mut DecisionBuilder<'_>,
    deliverable: ArtifactHash,
    defects: Vec<String>,
) {
    drop_all(builder);
    builder.record(HistoryEvent::Partial {
        deliverable,
        defects: defects.clone(),
    });
    builder.enter(State::Partial {
        deliverable,
        defects,
    });
}

/// Delivers the best so far with its defects.
pub(super) fn deliver_best(builder: &mut DecisionBuilder<'_>) {
    let best = builder
        .head
        .best
        .clone()
        .expect("called when a deliverable was judged");
    let mut defects = best.defects;
    if builder.head.out_of_budget && !defects.iter().any(|defect| defect.starts_with(BUDGET)) {
        defects.push(format!("{BUDGET} before these were mended"));
    }
    deliver(builder, best.deliverable, defects);
}

fn drop_all(builder: &mut DecisionBuilder<'_>) {
    for id in builder.ids(|task| !task.state.is_terminal()) {
        builder.drop_task(id);
    }
    builder.head.open.clear();
}
