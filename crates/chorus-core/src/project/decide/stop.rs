//! The ends of a project, and winding down when the money is used up.

use super::super::draft::Draft;
use super::super::{HistoryEvent, State, TaskState};
use crate::delivery::{ArtifactHash, TaskKind};
use crate::id::TaskId;

const BUDGET: &str = "the budget was used up";

/// Nothing new is started: attempts that are paid for may still end, everything that would need another
/// call is dropped. `failed` is the task that the money did not cover; its own failure is folded next.
pub(super) fn out_of_budget(draft: &mut Draft<'_>, failed: TaskId) {
    if draft.head.out_of_budget {
        return;
    }
    draft.head.out_of_budget = true;
    draft.record(HistoryEvent::BudgetExhausted);
    for id in draft.ids(|task| {
        matches!(
            task.state,
            TaskState::Pending { .. } | TaskState::Asking { .. }
        )
    }) {
        draft.drop_task(id);
    }
    for id in draft.ids(|task| task.kind == TaskKind::Answer && task.id != failed) {
        draft.drop_task(id);
    }
    draft.head.open.clear();
}

/// A question that nobody needs answered any more, with the task that would have answered it.
pub(super) fn drop_asking(draft: &mut Draft<'_>, asking: TaskId) {
    let Some(TaskState::Asking { answerer, .. }) =
        draft.task(asking).map(|task| task.state.clone())
    else {
        return;
    };
    draft.head.open.retain(|open| open.task != Some(asking));
    if let Some(answerer) = answerer {
        draft.drop_task(answerer);
    }
}

pub(super) fn cancel(draft: &mut Draft<'_>) {
    drop_all(draft);
    draft.record(HistoryEvent::Cancelled);
    draft.enter(State::Cancelled);
}

pub(super) fn fail(draft: &mut Draft<'_>, why: String) {
    drop_all(draft);
    draft.record(HistoryEvent::Failed { why: why.clone() });
    draft.enter(State::Failed { why });
}

/// Fails a project that has nothing to deliver because the money is used up.
pub(super) fn fail_for_money(draft: &mut Draft<'_>) {
    fail(draft, format!("{BUDGET} before any part was made"));
}

pub(super) fn done(draft: &mut Draft<'_>, deliverable: ArtifactHash) {
    draft.record(HistoryEvent::Done { deliverable });
    draft.enter(State::Done { deliverable });
}

pub(super) fn deliver(draft: &mut Draft<'_>, deliverable: ArtifactHash, defects: Vec<String>) {
    drop_all(draft);
    draft.record(HistoryEvent::Partial {
        deliverable,
        defects: defects.clone(),
    });
    draft.enter(State::Partial {
        deliverable,
        defects,
    });
}

/// Delivers the best so far with its defects.
pub(super) fn deliver_best(draft: &mut Draft<'_>) {
    let best = draft
        .head
        .best
        .clone()
        .expect("called when a deliverable was judged");
    let mut defects = best.defects;
    if draft.head.out_of_budget && !defects.iter().any(|defect| defect.starts_with(BUDGET)) {
        defects.push(format!("{BUDGET} before these were mended"));
    }
    deliver(draft, best.deliverable, defects);
}

fn drop_all(draft: &mut Draft<'_>) {
    for id in draft.ids(|task| !task.state.over()) {
        draft.drop_task(id);
    }
    draft.head.open.clear();
}
