//! Rework: named tasks are done again with feedback, and whatever reads their results with them. A task that
//! is over is never reopened; a new one of the next plan version stands in its place.

use std::collections::{BTreeMap, BTreeSet};

use super::super::draft::Draft;
use super::super::{HistoryEvent, Rework, State, Task, TaskState};
use super::{stop, work};
use crate::delivery::TaskKind;
use crate::id::{TaskId, TaskKey};

/// Begins a round; false when none of the named tasks exists.
pub(in crate::project) fn begin(draft: &mut Draft<'_>, redo: &BTreeMap<TaskKey, String>) -> bool {
    let named = draft.ids(|task| task.kind == TaskKind::Work && redo.contains_key(&task.key));
    let Some(plan) = draft.head.plan.as_mut().filter(|_| !named.is_empty()) else {
        return false;
    };
    plan.version += 1;
    let version = plan.version;
    draft.head.round += 1;
    draft.enter(State::Running);
    let feedback = named
        .iter()
        .filter_map(|id| draft.task(*id))
        .map(|task| (task.id, redo[&task.key].clone()))
        .collect();
    let tasks = replace(draft, &feedback);
    draft.record(HistoryEvent::Reworked {
        round: draft.head.round,
        version,
        tasks: tasks.clone(),
    });
    for (task, _) in tasks {
        work::look(draft, task.id);
    }
    true
}

/// Replaces the tasks and all that read their results, transitively. A reader that has not begun is only
/// pointed to its new parents. Returns the new tasks with their feedback, parents before children.
fn replace(
    draft: &mut Draft<'_>,
    feedback: &BTreeMap<TaskId, String>,
) -> Vec<(super::super::TaskRef, String)> {
    let order = readers_of(draft, feedback.keys().copied().collect());
    let mut successor: BTreeMap<TaskId, TaskId> = BTreeMap::new();
    for id in &order {
        let pending = matches!(
            draft.task(*id).map(|task| &task.state),
            Some(TaskState::Pending { .. })
        );
        let next = if pending {
            *id
        } else {
            TaskId::new(draft.number())
        };
        successor.insert(*id, next);
    }
    let mut made = Vec::new();
    for old in order {
        let new = successor[&old];
        point_parents(draft, old, new);
        if new == old {
            repoint(draft, old, &successor);
        } else {
            let feedback = feedback.get(&old).cloned().unwrap_or_default();
            let task = stand_in(draft, old, &successor, feedback.clone());
            made.push((task.reference(), feedback));
            supersede(draft, old, new);
            draft.add(task);
        }
    }
    made
}

/// These tasks and everything that reads their results, parents before children.
fn readers_of(draft: &Draft<'_>, named: BTreeSet<TaskId>) -> Vec<TaskId> {
    let mut order = Vec::new();
    let mut seen = BTreeSet::new();
    let mut stack: Vec<(TaskId, bool)> = named.into_iter().map(|id| (id, false)).collect();
    while let Some((id, children_done)) = stack.pop() {
        if children_done {
            order.push(id);
        } else if seen.insert(id) {
            stack.push((id, true));
            let children = draft
                .task(id)
                .map(|task| task.children.clone())
                .unwrap_or_default();
            stack.extend(children.into_iter().map(|child| (child, false)));
        }
    }
    order.reverse();
    order
}

fn stand_in(
    draft: &Draft<'_>,
    old: TaskId,
    successor: &BTreeMap<TaskId, TaskId>,
    feedback: String,
) -> Task {
    let replaced = draft
        .task(old)
        .expect("a task is replaced after it was made");
    let next = |id: &TaskId| successor.get(id).copied().unwrap_or(*id);
    let parents: Vec<_> = replaced.parents.iter().map(next).collect();
    Task {
        id: successor[&old],
        plan_version: draft.head.plan_version(),
        children: replaced.children.iter().map(next).collect(),
        state: counted(draft, &parents),
        parents,
        rework: Some(Rework {
            replaces: old,
            feedback,
            previous: replaced.result(),
        }),
        superseded_by: None,
        ..replaced.clone()
    }
}

/// The state of a task that waits for these parents as they are now.
fn counted(draft: &Draft<'_>, parents: &[TaskId]) -> TaskState {
    let states = || {
        parents
            .iter()
            .filter_map(|parent| draft.task(*parent))
            .map(|task| &task.state)
    };
    let count = |wanted: fn(&TaskState) -> bool| {
        u32::try_from(states().filter(|state| wanted(state)).count()).unwrap_or(u32::MAX)
    };
    TaskState::Pending {
        succeeded: count(|state| matches!(state, TaskState::Succeeded { .. })),
        over: count(TaskState::over),
    }
}

/// Parents that stay learn who reads them now.
fn point_parents(draft: &mut Draft<'_>, old: TaskId, new: TaskId) {
    let parents = draft
        .task(old)
        .map(|task| task.parents.clone())
        .unwrap_or_default();
    for parent in parents {
        draft.change(parent, |parent| {
            parent
                .children
                .iter_mut()
                .filter(|child| **child == old)
                .for_each(|child| *child = new)
        });
    }
}

fn repoint(draft: &mut Draft<'_>, id: TaskId, successor: &BTreeMap<TaskId, TaskId>) {
    let next = |id: &TaskId| successor.get(id).copied().unwrap_or(*id);
    draft.change(id, |task| {
        task.parents = task.parents.iter().map(next).collect();
        task.children = task.children.iter().map(next).collect();
    });
    let parents = draft
        .task(id)
        .map(|task| task.parents.clone())
        .unwrap_or_default();
    let state = counted(draft, &parents);
    draft.set(id, state);
}

/// Ends the old task, if it is live, with its question, and says who stands in its place.
fn supersede(draft: &mut Draft<'_>, old: TaskId, new: TaskId) {
    stop::drop_asking(draft, old);
    draft.drop_task(old);
    draft.change(old, |task| task.superseded_by = Some(new));
}
