//! Longest remaining paths through a plan.
//!
//! The dispatcher starts tasks on the longest path first, because the end of the project waits for them.

use std::collections::BTreeMap;

use crate::brief::count_tokens;
use crate::id::TaskKey;
use crate::plan::Plan;
use crate::time::Millis;

/// Milliseconds of a call before the first token.
const FIRST_TOKEN_MS: u64 = 1_000;
/// Milliseconds between two tokens, about seventy a second.
const TOKEN_MS: u64 = 14;
/// Tokens of a prompt that are read in a millisecond.
const READ_A_MS: u64 = 5;
/// Tokens of a prompt that stand in every one: the brief and the frame.
const FRAME: u64 = 1_000;

/// Milliseconds for each produced token of a task of middle size, the wait for the first one included. Paths that
/// follow from the plan are scaled by the measured pace and this one.
pub const PLANNED_PACE: f64 = 16.0;

/// Returns the time from the start of each task to the plan's end, in the order of [`Plan::tasks`].
pub(super) fn longest_paths(plan: &Plan) -> Vec<Millis> {
    let mut after: BTreeMap<&TaskKey, u64> = BTreeMap::new();
    let mut paths = vec![Millis::ZERO; plan.tasks.len()];
    let outputs: BTreeMap<&TaskKey, u64> = plan
        .tasks
        .iter()
        .map(|task| (&task.key, u64::from(task.output_tokens)))
        .collect();
    for (at, task) in plan.tasks.iter().enumerate().rev() {
        // The results of the parents stand in the prompt.
        let parents = task.parents.iter().filter_map(|parent| outputs.get(parent));
        let prompt = FRAME + count_tokens(&task.instructions) + parents.sum::<u64>();
        let own = FIRST_TOKEN_MS + prompt / READ_A_MS + TOKEN_MS * u64::from(task.output_tokens);
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
            [Millis(17_820), Millis(2_620), Millis(15_220), Millis(2_600)],
            "100 tokens take 2.4 s, 1,000 tokens take 15 s, 1,000 read ones 0.2 s"
        );
    }

    #[test]
    fn a_task_that_reads_the_results_of_many_has_a_longer_path_than_one_that_reads_none() {
        let mut tasks: Vec<_> = ["a", "b", "c"]
            .map(|key| planned_task(key, &[], All))
            .into();
        for task in &mut tasks {
            task.output_tokens = 10_000;
        }
        tasks.push(planned_task("sum", &["a", "b", "c"], All));
        tasks.push(planned_task("alone", &[], All));
        let paths = longest_paths(&plan_of(tasks).plan);
        assert_eq!(
            paths[3].0 - paths[4].0,
            6_000,
            "30,000 tokens are read in 6 s"
        );
    }
}
