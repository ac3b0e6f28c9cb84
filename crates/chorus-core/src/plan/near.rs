//! Detection of tasks that ask for the same work in the same words. [`read`](super::read()) joins
//! them.
//!
//! Tasks that differ in one word are different: planners repeat in each of them what parallel tasks
//! share.

use std::collections::BTreeMap;

use super::PlannedTask;
use crate::id::TaskKey;

/// Returns for each task that repeats an earlier one the earlier one: same title, instructions,
/// acceptance, sections, parents and policy, spaces aside.
pub(super) fn repeats(tasks: &[PlannedTask]) -> BTreeMap<TaskKey, TaskKey> {
    let mut first: BTreeMap<_, &TaskKey> = BTreeMap::new();
    let mut repeats = BTreeMap::new();
    for task in tasks {
        let words = [&task.title, &task.instructions]
            .into_iter()
            .chain(&task.acceptance)
            .map(|text| text.split_whitespace().collect::<Vec<_>>())
            .collect::<Vec<_>>();
        let alike = (
            words,
            &task.sections,
            &task.parents,
            format!("{:?}", task.policy),
        );
        match first.get(&alike) {
            Some(earlier) => {
                repeats.insert(task.key.clone(), (*earlier).clone());
            }
            None => {
                first.insert(alike, &task.key);
            }
        }
    }
    repeats
}
