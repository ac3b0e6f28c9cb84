//! Rework: named tasks are done again with feedback, and the tasks that read their results with them.
//!
//! A task in a final state is never reopened; a new one of the next plan version replaces it. A reader whose
//! parents come to the results that it read before keeps its own result, and so do its readers.

use std::collections::{BTreeMap, BTreeSet};

use super::super::decision::Inconsistency;
use super::super::decision_builder::DecisionBuilder;
use super::super::{HistoryEvent, Rework, State, Task, TaskRef, TaskState};
use super::{ending, work};
use crate::id::{TaskId, TaskKey};
use crate::task_kind::TaskKind;

/// Begins a round of rework. Returns false if none of the named tasks exists.
pub(super) fn begin(
    builder: &mut DecisionBuilder<'_>,
    redo: &BTreeMap<TaskKey, String>,
) -> Result<bool, Inconsistency> {
    let begun = redo_tasks(builder, redo)?;
    if begun {
        builder.enter(State::Running)?;
    }
    Ok(begun)
}

/// Replaces the named tasks in any state, with the parents that they lack, and begins those that wait for
/// nothing.
pub(in crate::project) fn redo_tasks(
    builder: &mut DecisionBuilder<'_>,
    redo: &BTreeMap<TaskKey, String>,
) -> Result<bool, Inconsistency> {
    let named = builder.ids(|task| task.kind == TaskKind::Work && redo.contains_key(&task.key));
    let Some(plan) = builder.head.plan.as_mut().filter(|_| !named.is_empty()) else {
        return Ok(false);
    };
    plan.version = plan.version.saturating_add(1);
    let version = plan.version;
    builder.head.round = builder.head.round.saturating_add(1);
    let feedback = with_lacking_parents(builder, named)
        .into_iter()
        .filter_map(|id| builder.task(id))
        .map(|task| (task.id, redo.get(&task.key).cloned().unwrap_or_default()))
        .collect();
    let tasks = replace(builder, &feedback)?;
    builder.push_event(HistoryEvent::Reworked {
        round: builder.head.round,
        version,
        tasks: tasks.clone(),
    });
    for (task, _) in tasks {
        work::begin_or_skip(builder, task.id)?;
    }
    Ok(true)
}

/// Replaces tasks in a final state without a round of rework, and begins those that wait for nothing.
pub(super) fn replace_tasks(
    builder: &mut DecisionBuilder<'_>,
    feedback: &BTreeMap<TaskId, String>,
) -> Result<(), Inconsistency> {
    if let Some(plan) = builder.head.plan.as_mut().filter(|_| !feedback.is_empty()) {
        plan.version = plan.version.saturating_add(1);
    }
    for (task, _) in replace(builder, feedback)? {
        work::begin_or_skip(builder, task.id)?;
    }
    Ok(())
}

/// The named tasks with all tasks, transitively, whose results they or their readers lack because these
/// ended without one: done again without them, a task would be skipped again.
fn with_lacking_parents(builder: &DecisionBuilder<'_>, named: Vec<TaskId>) -> BTreeSet<TaskId> {
    let mut redone: BTreeSet<TaskId> = named.into_iter().collect();
    loop {
        let cone = readers_of(builder, redone.clone());
        let parents = cone
            .iter()
            .filter_map(|id| builder.task(*id))
            .flat_map(|task| task.parents.clone());
        let lacking: Vec<TaskId> = parents
            .filter_map(|id| builder.task(id))
            .filter(|parent| parent.state.is_terminal() && parent.result().is_none())
            .map(|parent| parent.id)
            .filter(|id| !redone.contains(id))
            .collect();
        if lacking.is_empty() {
            return redone;
        }
        redone.extend(lacking);
    }
}

/// Replaces the tasks and all that read their results, transitively. A reader that has not begun is only
/// pointed to its new parents. Returns the new tasks with their feedback, parents before children.
fn replace(
    builder: &mut DecisionBuilder<'_>,
    feedback: &BTreeMap<TaskId, String>,
) -> Result<Vec<(TaskRef, String)>, Inconsistency> {
    let order = readers_of(builder, feedback.keys().copied().collect());
    let mut successors: BTreeMap<TaskId, TaskId> = BTreeMap::new();
    for id in &order {
        let pending = matches!(builder.known_task(*id)?.state, TaskState::Pending { .. });
        let next = if pending {
            *id
        } else {
            TaskId::new(builder.draw_number())
        };
        successors.insert(*id, next);
    }
    let mut made = Vec::new();
    for old in order {
        let new = successor(&successors, old);
        point_parents(builder, old, new)?;
        if new == old {
            repoint(builder, old, &successors)?;
        } else {
            let task = replacement(builder, old, &successors, feedback.get(&old))?;
            made.push((
                task.reference(),
                feedback.get(&old).cloned().unwrap_or_default(),
            ));
            supersede(builder, old, new)?;
            builder.add(task)?;
        }
    }
    Ok(made)
}

/// The task that replaces this one, or the task itself.
fn successor(successors: &BTreeMap<TaskId, TaskId>, id: TaskId) -> TaskId {
    successors.get(&id).copied().unwrap_or(id)
}

/// The named tasks and all tasks that read their results, parents before children.
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

fn replacement(
    builder: &DecisionBuilder<'_>,
    old: TaskId,
    successors: &BTreeMap<TaskId, TaskId>,
    feedback: Option<&String>,
) -> Result<Task, Inconsistency> {
    let replaced = builder.known_task(old)?;
    let next = |id: &TaskId| successor(successors, *id);
    let parents: Vec<_> = replaced.parents.iter().map(next).collect();
    Ok(Task {
        id: successor(successors, old),
        plan_version: builder.head.plan_version(),
        children: replaced.children.iter().map(next).collect(),
        state: counted(builder, &parents),
        parents,
        rework: Some(Rework {
            replaces: old,
            is_reader: feedback.is_none(),
            feedback: feedback.cloned().unwrap_or_default(),
            earlier: earlier_feedback(replaced),
            previous: replaced
                .result()
                .or_else(|| replaced.rework.as_ref().and_then(|rework| rework.previous)),
        }),
        superseded_by: None,
        ..replaced.clone()
    })
}

/// All feedback that the judge gave to a task so far, oldest first.
fn earlier_feedback(replaced: &Task) -> Vec<String> {
    let Some(rework) = &replaced.rework else {
        return Vec::new();
    };
    let mut all = rework.earlier.clone();
    if !rework.feedback.is_empty() && !all.contains(&rework.feedback) {
        all.push(rework.feedback.clone());
    }
    all
}

/// The state of a task that waits for these parents as they are now.
fn counted(builder: &DecisionBuilder<'_>, parents: &[TaskId]) -> TaskState {
    let states = || {
        parents
            .iter()
            .filter_map(|parent| builder.task(*parent))
            .map(|task| &task.state)
    };
    let count = |filter: fn(&TaskState) -> bool| {
        u32::try_from(states().filter(|state| filter(state)).count()).unwrap_or(u32::MAX)
    };
    TaskState::Pending {
        succeeded: count(|state| matches!(state, TaskState::Succeeded { .. })),
        ended: count(TaskState::is_terminal),
    }
}

/// Replaces a reader in the rows of the parents that stay.
fn point_parents(
    builder: &mut DecisionBuilder<'_>,
    old: TaskId,
    new: TaskId,
) -> Result<(), Inconsistency> {
    for parent in builder.known_task(old)?.parents.clone() {
        builder.change(parent, |parent| {
            let readers = parent.children.iter_mut();
            readers
                .filter(|child| **child == old)
                .for_each(|child| *child = new);
        })?;
    }
    Ok(())
}

/// Replaces parents and readers in the row of a task that stays.
fn repoint(
    builder: &mut DecisionBuilder<'_>,
    id: TaskId,
    successors: &BTreeMap<TaskId, TaskId>,
) -> Result<(), Inconsistency> {
    let next = |id: &TaskId| successor(successors, *id);
    builder.change(id, |task| {
        task.parents = task.parents.iter().map(next).collect();
        task.children = task.children.iter().map(next).collect();
    })?;
    let parents = builder.known_task(id)?.parents.clone();
    let state = counted(builder, &parents);
    builder.set(id, state)
}

/// Ends the old task, if it is live, with its question, and records its replacement.
fn supersede(
    builder: &mut DecisionBuilder<'_>,
    old: TaskId,
    new: TaskId,
) -> Result<(), Inconsistency> {
    ending::withdraw_question(builder, old)?;
    builder.drop_task(old)?;
    builder.change(old, |task| task.superseded_by = Some(new))
}
