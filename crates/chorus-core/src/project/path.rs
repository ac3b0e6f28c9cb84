//! Longest remaining paths through a plan.
//!
//! The dispatcher starts tasks on the longest path first, because the end of the project waits for them.

use std::collections::BTreeMap;

use crate::id::TaskKey;
use crate::plan::Plan;
use crate::time::Millis;

/// Milliseconds of a call before the first token.
const FIRST_TOKEN_MS: u64 = 1_000;
/// Milliseconds between two tokens, about seventy a second. Only proportions between tasks matter.
const TOKEN_MS: u64 = 14;

/// Returns the time from the start of each task to the plan's end, in the order of [`Plan::tasks`].
pub(super) fn longest_paths(plan: &Plan) -> Vec<Millis> {
    let mut after: BTreeMap<&TaskKey, u64> = BTreeMap::new();
    let mut paths = vec![Millis::ZERO; plan.tasks.len()];
    for (at, task) in plan.tasks.iter().enumerate().rev() {
        let own = FIRST_TOKEN_MS + TOKEN_MS * u64::from(task.output_tokens);
        let path = own + after.get(&task.key).copied().unwrap_or(0);
        paths[at] = Millis(path);
        for parent in &task.parents {
            let longest = after.entry(parent).or_default();
            *longest = path.max(*longest);
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ParentPolicy::All;
    use crate::project::tests::fixture::{plan_of, planned_task};

    #[test]
    fn the_path_of_a_task_is_its_own_time_and_the_longest_of_its_readers() {
        let mut tasks = vec![
            planned_task("a", &[], All),
            planned_task("b", &["a"], All),
            planned_task("c", &["a"], All),
            planned_task("alone", &[], All),
        ];
        tasks[2].output_tokens = 1_000;
        let paths = longest_paths(&plan_of(tasks).plan);
        assert_eq!(
            paths,
            [Millis(17_400), Millis(2_400), Millis(15_000), Millis(2_400)],
            "100 tokens take 2.4 s, 1,000 tokens take 15 s"
        );
    }
}
