//! Rework: named tasks are done again with feedback, and whatever reads their results with them. A task that
//! is over is never reopened; a new one of the next plan version stands in its place.

use std::collections::{BTreeMap, BTreeSet};

use super::super::decision_builder::DecisionBuilder;
use super::super::{HistoryEvent, Rework, State, Task, TaskState};
use super::{stop, work};
use crate::id::{TaskId, TaskKey};
use crate::task_kind::TaskKind;

/// Begins a round; false when none of the named tasks exists.
pub(in crate::project) fn begin(
    builder: &mut DecisionBuilder<'_>,
    redo: &BTreeMap<TaskKey, String>,
) -> bool {
    let named = builder.ids(|task| task.kind == TaskKind::Work && redo.contains_key(&task.key));
    let Some(plan) = builder.head.plan.as_mut().filter(|_| !named.is_empty()) else {
        return false;
    };
    plan.version += 1;
    let version = plan.version;
    builder.head.round += 1;
    builder.enter(State::Running);
    let feedback = named
        .iter()
        .filter_map(|id| builder.task(*id))
        .map(|task| (task.id, redo[&task.key].clone()))
        .collect();
    let tasks = replace(builder, &feedback);
    builder.record(HistoryEvent::Reworked {
        round: builder.head.round,
        version,
        tasks: tasks.clone(),
    });
    for (task, _) in tasks {
        work::look(builder, task.id);
    }
    true
}

/// Replaces the tasks and all that read their results, transitively. A reader that has not begun is only
/// pointed to its new parents. Returns the new tasks with their feedback, parents before children.
fn replace(
    builder: &mut DecisionBuilder<'_>,
    feedback: &BTreeMap<TaskId, String>,
) -> Vec<(super::super::TaskRef, String)> {
    let order = readers_of(builder, feedback.keys().copied().collect());
    let mut successor: BTreeMap<TaskId, TaskId> = BTreeMap::new();
    for id in &order {
        let pending = matches!(
            builder.task(*id).map(|task| &task.state),
            Some(TaskState::Pending { .. })
        );
        let next = if pending {
            *id
        } else {
            TaskId::new(builder.number())
        };
        successor.insert(*id, next);
    }
    let mut made = Vec::new();
    for old in order {
        let new = successor[&old];
        point_parents(builder, old, new);
        if new == old {
            repoint(builder, old, &successor);
        } else {
            let feedback = feedback.get(&old).cloned().unwrap_or_default();
            let task = stand_in(builder, old, &successor, feedback.clone());
            made.push((task.reference(), feedback));
            supersede(builder, old, new);
            builder.add(task);
        }
    }
    made
}

/// These tasks and everything that reads their results, parents before children.
fn readers_of(builder: &DecisionBuilder<'_>, named: BTreeSet<TaskId>) -> Vec<TaskId> {
    let mut order = Vec::new();
    let mut seen = BTreeSet::new();
    let mut stack: Vec<(TaskId, bool)> = named.into_iter().map(|id| (id, false)).collect();
    while let Some((id, children_done)) = stack.pop() {
        if children_done {
            order.push(id);
        } else if seen.insert(id) {
            stack.push((id, true));
            let children = builder
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
    builder: &DecisionBuilder<'_>,
    old: TaskId,
    successor: &BTreeMap<TaskId, TaskId>,
    feedback: String,
) -> Task {
    let replaced = builder
        .task(old)
        .expect("a task is replaced after it was made");
    let next = |id: &TaskId| successor.get(id).copied().unwrap_or(*id);
    let parents: Vec<_> = replaced.parents.iter().map(next).collect();
    Task {
        id: successor[&old],
        plan_version: builder.head.plan_version(),
        children: replaced.children.iter().map(next).collect(),
        state: counted(builder, &parents),
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
fn counted(builder: &DecisionBuilder<'_>, parents: &[TaskId]) -> TaskState {
    let states = || {
        parents
            .iter()
            .filter_map(|parent| builder.task(*parent))
            .map(|task| &task.state)
    };
    let count = |wanted: fn(&TaskState) -> bool| {
        u32::try_from(states().filter(|state| wanted(state)).count()).unwrap_or(u32::MAX)
    };
    TaskState::Pending {
        succeeded: count(|state| matches!(state, TaskState::Succeeded { .. })),
        over: count(TaskState::is_terminal),
    }
}

/// Parents that stay learn who reads them now.
fn point_parents(builder: &mut DecisionBuilder<'_>, old: TaskId, new: TaskId) {
    let parents = builder
        .task(old)
        .map(|task| task.parents.clone())
        .unwrap_or_default();
    for parent in parents {
        builder.change(parent, |parent| {
            parent
                .children
                .iter_mut()
                .filter(|child| **child == old)
                .for_each(|child| *child = new)
        });
    }
}

fn repoint(builder: &mut DecisionBuilder<'_>, id: TaskId, successor: &BTreeMap<TaskId, TaskId>) {
    let next = |id: &TaskId| successor.get(id).copied().unwrap_or(*id);
    builder.change(id, |task| {
        task.parents = task.parents.iter().map(next).collect();
        task.children = task.children.iter().map(next).collect();
    });
    let parents = builder
        .task(id)
        .map(|task| task.parents.clone())
        .unwrap_or_default();
    let state = counted(builder, &parents);
    builder.set(id, state);
}

/// Ends the old task, if it is live, with its question, and says who stands in its place.
fn supersede(builder: &mut DecisionBuilder<'_>, old: TaskId, new: TaskId) {
    stop::drop_asking(builder, old);
    builder.drop_task(old);
    builder.change(old, |task| task.superseded_by = Some(new));
}
