//! Use of every task: one that neither gives a part to a file nor feeds a task that does is added
//! or dropped.

use std::collections::{BTreeMap, BTreeSet};

use super::notes::Notes;
use super::{Part, Plan, graph};
use crate::id::TaskKey;

/// Adds tasks that alone cover a requirement to the first file, and drops other tasks without use.
pub(super) fn keep(plan: &mut Plan, notes: &mut Notes) {
    let covered: BTreeSet<String> = {
        let useful = useful(plan);
        plan.tasks
            .iter()
            .filter(|task| useful.contains(&task.key))
            .flat_map(|task| task.covers.clone())
            .collect()
    };
    let known: BTreeSet<&str> = plan
        .requirements
        .iter()
        .map(|requirement| requirement.id.as_str())
        .collect();
    let mut covered = covered;
    let mut added = Vec::new();
    // Children come after parents: the last of a chain is added first, its parents are useful by then.
    for task in plan.tasks.iter().rev() {
        let alone = task
            .covers
            .iter()
            .any(|id| known.contains(id.as_str()) && !covered.contains(id));
        if alone && !useful(plan).contains(&task.key) {
            covered.extend(task.covers.iter().cloned());
            added.push(task.key.clone());
        }
    }
    for task in added.into_iter().rev() {
        if let Some(file) = plan.files.first_mut() {
            notes.warn(format!(
                "no file has the part of task {task}; added to {}",
                file.path
            ));
            let place = file
                .parts
                .iter()
                .rposition(|part| matches!(part, Part::Task { .. }))
                .map_or(0, |at| at + 1);
            file.parts.insert(place, Part::Task { task });
        }
    }
    drop_useless(plan, notes);
}

fn drop_useless(plan: &mut Plan, notes: &mut Notes) {
    let useful = useful(plan);
    for task in plan.tasks.iter().filter(|task| !useful.contains(&task.key)) {
        notes.warn(format!(
            "task {} gives no part to any file; left out",
            task.key
        ));
    }
    plan.tasks.retain(|task| useful.contains(&task.key));
}

fn useful(plan: &Plan) -> BTreeSet<TaskKey> {
    let named = plan.part_tasks();
    let places = plan
        .tasks
        .iter()
        .enumerate()
        .filter(|(_, task)| named.contains(&task.key))
        .map(|(at, _)| at);
    graph::ancestors(&plan.parents(), places)
        .into_iter()
        .map(|at| plan.tasks[at].key.clone())
        .collect()
}

/// Replaces tasks by others in all references, and drops them.
pub(super) fn rename(plan: &mut Plan, by: &BTreeMap<TaskKey, TaskKey>) {
    if by.is_empty() {
        return;
    }
    let new = |key: &TaskKey| by.get(key).unwrap_or(key).clone();
    plan.tasks.retain(|task| !by.contains_key(&task.key));
    for task in &mut plan.tasks {
        let mut seen = BTreeSet::new();
        task.parents = task
            .parents
            .iter()
            .map(new)
            .filter(|key| seen.insert(key.clone()))
            .collect();
        let count = u32::try_from(task.parents.len()).unwrap_or(u32::MAX);
        task.policy = task.policy.with_parents(count);
    }
    for file in &mut plan.files {
        let mut parts = Vec::new();
        for part in std::mem::take(&mut file.parts) {
            let part = match part {
                Part::Task { task } => Part::Task { task: new(&task) },
                other => other,
            };
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        file.parts = parts;
    }
}
