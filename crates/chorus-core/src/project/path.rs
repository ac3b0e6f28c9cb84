//! Longest remaining paths, so that the dispatcher can start first what the end waits for.

use std::collections::BTreeMap;

use crate::id::TaskKey;
use crate::plan::Plan;
use crate::time::Millis;

/// Time a call takes before its first token.
const FIRST_TOKEN_MS: u64 = 1_000;
/// Time a token takes: about seventy a second. Only the proportions between tasks matter.
const TOKEN_MS: u64 = 14;

/// For each task of the plan, in its order, the time from its start to the end along the longest path.
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
