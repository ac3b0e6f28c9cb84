//! Critical path of a project: the longest chain of tasks that waited for each other, by the time of their calls.

use std::collections::BTreeMap;

use chorus_core::id::TaskId;
use chorus_core::project::Task;
use chorus_core::task_kind::TaskKind;

/// Tasks of the longest chain, first to last, and its length in milliseconds.
pub(super) fn critical(
    tasks: &BTreeMap<TaskId, Task>,
    took: &BTreeMap<TaskId, u64>,
) -> (Vec<TaskId>, u64) {
    let mut ends: BTreeMap<TaskId, (u64, Option<TaskId>)> = BTreeMap::new();
    for task in in_order(tasks) {
        let before = waits_for(tasks, task)
            .filter_map(|id| ends.get(&id).map(|(end, _)| (*end, id)))
            .max();
        let (start, from) = before.map_or((0, None), |(end, id)| (end, Some(id)));
        ends.insert(
            task.id,
            (start + took.get(&task.id).copied().unwrap_or(0), from),
        );
    }
    let Some((last, (length, _))) = ends
        .iter()
        .max_by_key(|(id, (end, _))| (*end, std::cmp::Reverse(**id)))
    else {
        return (Vec::new(), 0);
    };
    let mut chain = vec![*last];
    while let Some(before) = chain
        .last()
        .and_then(|id| ends.get(id))
        .and_then(|(_, from)| *from)
    {
        chain.push(before);
    }
    chain.reverse();
    (chain, *length)
}

/// Length of the longest chain of parents above each task; 0 for a task without parents.
pub(super) fn levels(tasks: &BTreeMap<TaskId, Task>) -> BTreeMap<TaskId, u32> {
    let mut levels = BTreeMap::new();
    for task in in_order(tasks) {
        let level = waits_for(tasks, task)
            .filter_map(|id| levels.get(&id))
            .max()
            .map_or(0, |level: &u32| level + 1);
        levels.insert(task.id, level);
    }
    levels
}

/// Stage of the project that a [`Task`] belongs to, ordered by plan version; stages follow each other.
const fn stage(task: &Task) -> (u32, u32) {
    match task.kind {
        TaskKind::Clarify => (0, 0),
        TaskKind::Plan => (0, 1),
        TaskKind::Work | TaskKind::Answer => (task.plan_version, 2),
        TaskKind::Resolve => (task.plan_version, 3),
        TaskKind::Judge => (task.plan_version, 4),
    }
}

/// Tasks, each after all its parents and earlier stages.
fn in_order(tasks: &BTreeMap<TaskId, Task>) -> Vec<&Task> {
    let mut depth: BTreeMap<TaskId, u32> = BTreeMap::new();
    for _ in 0..tasks.len() {
        let mut changed = false;
        for task in tasks.values() {
            let level = task
                .parents
                .iter()
                .filter_map(|parent| depth.get(parent))
                .max()
                .map_or(0, |level| level + 1);
            changed |= depth.insert(task.id, level) != Some(level);
        }
        if !changed {
            break;
        }
    }
    let mut order: Vec<&Task> = tasks.values().collect();
    order.sort_by_key(|task| (stage(task), depth.get(&task.id).copied(), task.id));
    order
}

/// Tasks that a task waited for: its parents, and for the first tasks of a stage all tasks of the stage before.
fn waits_for<'a>(
    tasks: &'a BTreeMap<TaskId, Task>,
    task: &'a Task,
) -> impl Iterator<Item = TaskId> + 'a {
    let own = stage(task);
    let root =
        task.parents.is_empty() || task.rework.is_some() || !matches!(task.kind, TaskKind::Work);
    let before = tasks.values().map(stage).filter(|stage| *stage < own).max();
    let stage_before = tasks
        .values()
        .filter(move |other| root && Some(stage(other)) == before)
        .map(|other| other.id);
    task.parents.iter().copied().chain(stage_before)
}
