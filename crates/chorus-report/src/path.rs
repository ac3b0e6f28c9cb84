//! Order of a project's tasks: stages that follow each other, levels within the graph, and the critical path.
//!
//! Time and memory are linear in tasks and parents: a stage keeps one figure for all who wait for it.

use std::collections::{BTreeMap, VecDeque};

use chorus_core::id::TaskId;
use chorus_core::project::Task;
use chorus_core::task_kind::TaskKind;

/// Tasks in an order in which everything comes after what it waited for.
pub(super) struct Order<'a> {
    tasks: Vec<Placed<'a>>,
}

/// One task with its stage.
struct Placed<'a> {
    task: &'a Task,
    stage: u32,
    is_first: bool,
}

/// Place of a task in the drawing of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// Number of the stage, from 0.
    pub(super) stage: u32,
    /// Length of the longest chain of waiting above the task.
    pub(super) level: u32,
    /// True if the task waited for all tasks of the stage before.
    pub(super) is_first: bool,
}

/// Stage of the project that a [`Task`] belongs to, ordered by plan version.
const fn stage(task: &Task) -> (u32, u32) {
    match task.kind {
        TaskKind::Clarify => (0, 0),
        TaskKind::Plan => (0, 1),
        TaskKind::Work | TaskKind::Answer => (task.plan_version, 2),
        TaskKind::Resolve => (task.plan_version, 3),
        TaskKind::Judge => (task.plan_version, 4),
    }
}

/// Returns true if a task begins its stage.
const fn is_first(task: &Task) -> bool {
    task.parents.is_empty() || task.rework.is_some() || !matches!(task.kind, TaskKind::Work)
}

impl<'a> Order<'a> {
    pub(super) fn of(tasks: &'a BTreeMap<TaskId, Task>) -> Self {
        let depth = depths(tasks);
        let mut order: Vec<&Task> = tasks.values().collect();
        order.sort_by_key(|task| (stage(task), depth.get(&task.id).copied(), task.id));
        let mut placed: Vec<Placed<'a>> = Vec::with_capacity(order.len());
        let mut number = 0;
        for task in order {
            if let Some(last) = placed.last() {
                number += u32::from(stage(last.task) != stage(task));
            }
            placed.push(Placed {
                task,
                stage: number,
                is_first: is_first(task),
            });
        }
        Self { tasks: placed }
    }

    /// Place of each task.
    pub(super) fn places(&self) -> BTreeMap<TaskId, Place> {
        let mut places: BTreeMap<TaskId, Place> = BTreeMap::new();
        let mut barrier = Barrier::new();
        for placed in &self.tasks {
            let before = barrier.before(placed.stage, placed.is_first);
            let parents = placed.task.parents.iter();
            let above = parents
                .filter_map(|id| places.get(id).map(|place| place.level))
                .chain(before)
                .max();
            let level = above.map_or(0, |level| level + 1);
            barrier.enter(level);
            let place = Place {
                stage: placed.stage,
                level,
                is_first: placed.is_first,
            };
            places.insert(placed.task.id, place);
        }
        places
    }

    /// Tasks of the longest chain, first to last, and its length in milliseconds.
    pub(super) fn critical(&self, took: &BTreeMap<TaskId, u64>) -> (Vec<TaskId>, u64) {
        let mut ends: BTreeMap<TaskId, (u64, Option<TaskId>)> = BTreeMap::new();
        let mut barrier = Barrier::new();
        for placed in &self.tasks {
            let before = barrier.before(placed.stage, placed.is_first);
            let parents = placed.task.parents.iter();
            let latest = parents
                .filter_map(|id| ends.get(id).map(|(end, _)| (*end, *id)))
                .chain(before)
                .max();
            let (start, from) = latest.map_or((0, None), |(end, id)| (end, Some(id)));
            let end = start + took.get(&placed.task.id).copied().unwrap_or(0);
            ends.insert(placed.task.id, (end, from));
            barrier.enter((end, placed.task.id));
        }
        chain(&ends)
    }
}

/// The chain that ends last.
fn chain(ends: &BTreeMap<TaskId, (u64, Option<TaskId>)>) -> (Vec<TaskId>, u64) {
    let last = ends
        .iter()
        .max_by_key(|(id, (end, _))| (*end, std::cmp::Reverse(**id)));
    let Some((last, (length, _))) = last else {
        return (Vec::new(), 0);
    };
    let before = |id: &TaskId| ends.get(id).and_then(|(_, from)| *from);
    let mut chain: Vec<TaskId> = std::iter::successors(Some(*last), before).collect();
    chain.reverse();
    (chain, *length)
}

/// Greatest figure of the stage before, for the tasks that waited for all of it.
struct Barrier<T> {
    stage: u32,
    present: Option<T>,
    before: Option<T>,
}

impl<T: Copy + Ord> Barrier<T> {
    const fn new() -> Self {
        Self {
            stage: 0,
            present: None,
            before: None,
        }
    }

    /// Moves to a stage; the figure of the one before counts for its first tasks.
    fn before(&mut self, stage: u32, is_first: bool) -> Option<T> {
        if stage != self.stage {
            (self.stage, self.before) = (stage, self.present.take());
        }
        self.before.filter(|_| is_first)
    }

    fn enter(&mut self, figure: T) {
        self.present = self.present.max(Some(figure));
    }
}

/// Length of the longest chain of parents above each task. Tasks of a circle have none.
fn depths(tasks: &BTreeMap<TaskId, Task>) -> BTreeMap<TaskId, u32> {
    let known = |task: &Task| {
        let parents = task.parents.iter();
        parents.filter(|id| tasks.contains_key(id)).count()
    };
    let mut children: BTreeMap<TaskId, Vec<TaskId>> = BTreeMap::new();
    let mut open: BTreeMap<TaskId, usize> = BTreeMap::new();
    for task in tasks.values() {
        open.insert(task.id, known(task));
        for parent in &task.parents {
            children.entry(*parent).or_default().push(task.id);
        }
    }
    let free = open.iter().filter(|(_, parents)| **parents == 0);
    let mut queue: VecDeque<(TaskId, u32)> = free.map(|(id, _)| (*id, 0)).collect();
    let mut depths = BTreeMap::new();
    while let Some((id, depth)) = queue.pop_front() {
        depths.insert(id, depth);
        for child in children.get(&id).into_iter().flatten() {
            if let Some(parents) = open.get_mut(child) {
                *parents = parents.saturating_sub(1);
                if *parents == 0 {
                    queue.push_back((*child, depth + 1));
                }
            }
        }
    }
    depths
}
