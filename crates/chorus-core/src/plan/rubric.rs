//! The rubric of a plan: every [`Requirement`] is covered by a task, and there is at least one.

use std::collections::BTreeSet;

use super::notes::Notes;
use super::{Plan, PlannedTask, Requirement};

/// Maximum number of requirements that are made from acceptance lines.
const MOST: usize = 40;

/// Returns the acceptance line of a task that came without one.
pub(super) fn acceptance(title: &str) -> String {
    format!("The part does all that its instructions ask: {title}")
}

/// Drops unknown covers, makes requirements from acceptance lines when there are none, and gives
/// uncovered ones to tasks.
pub(super) fn complete(plan: &mut Plan, notes: &mut Notes) {
    if plan.requirements.is_empty() {
        from_acceptance(plan);
    }
    let known: BTreeSet<String> = plan
        .requirements
        .iter()
        .map(|requirement| requirement.id.clone())
        .collect();
    for task in &mut plan.tasks {
        let mut seen = BTreeSet::new();
        for id in task.covers.iter().filter(|id| !known.contains(*id)) {
            notes.warn(format!(
                "task {} covers {id:?}, which is no requirement; left out",
                task.key
            ));
        }
        task.covers
            .retain(|id| known.contains(id) && seen.insert(id.clone()));
    }
    for requirement in plan.requirements.clone() {
        if plan
            .tasks
            .iter()
            .all(|task| !task.covers.contains(&requirement.id))
        {
            map(plan, &requirement, notes);
        }
    }
}

fn from_acceptance(plan: &mut Plan) {
    for task in &mut plan.tasks {
        task.covers.clear();
        for line in &task.acceptance {
            let known = plan
                .requirements
                .iter()
                .find(|requirement| requirement.text == *line)
                .map(|requirement| requirement.id.clone());
            let id = known.or_else(|| {
                let id = format!("r{}", plan.requirements.len() + 1);
                let room = plan.requirements.len() < MOST;
                room.then(|| {
                    plan.requirements.push(Requirement {
                        id: id.clone(),
                        text: line.clone(),
                    });
                })
                .map(|()| id)
            });
            task.covers.extend(id);
        }
    }
}

/// Gives a requirement to the tasks that share most words with it, among those that make parts.
fn map(plan: &mut Plan, requirement: &Requirement, notes: &mut Notes) {
    let wanted = words(&requirement.text);
    let parts = plan.part_tasks();
    let common = |task: &PlannedTask| {
        words(&format!("{} {}", task.title, task.instructions))
            .intersection(&wanted)
            .count()
    };
    let most = plan
        .tasks
        .iter()
        .filter(|task| parts.contains(&task.key))
        .map(common)
        .max()
        .unwrap_or(0);
    let mut keys = Vec::new();
    for task in plan
        .tasks
        .iter_mut()
        .filter(|task| parts.contains(&task.key))
    {
        if common(task) == most {
            task.covers.push(requirement.id.clone());
            keys.push(task.key.to_string());
        }
    }
    notes.warn(format!(
        "no task covers {}; given to {}",
        requirement.id,
        keys.join(", ")
    ));
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text
        .split(|letter: char| !letter.is_alphanumeric())
        .map(str::to_lowercase);
    words.filter(|word| word.chars().count() > 3).collect()
}
