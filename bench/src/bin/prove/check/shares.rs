//! Checks the share of work of each worker.

use std::collections::BTreeMap;

use super::Check;
use crate::census::Census;
use crate::runs::Run;

/// Minimum work of a worker in a run without kills, in per cent of an even share of the deliveries of its pool. How
/// much a pool gets depends on the room of its accounts.
const LEAST: usize = 40;

/// Checks that each of `workers` workers did its share of a run's deliveries.
pub(crate) fn shares(census: &Census, run: &Run, workers: usize) -> Check {
    let pools = by_pool(census, run);
    let busy: usize = pools.values().map(BTreeMap::len).sum();
    let mut faults = Vec::new();
    if busy != workers {
        faults.push(format!("{busy} workers did something, there are {workers}"));
    }
    for (pool, counts) in &pools {
        let all: usize = counts.values().sum();
        let little = counts
            .values()
            .filter(|own| **own * counts.len() * 100 < all * LEAST);
        faults.extend(little.map(|own| {
            format!("a worker did only {own} of the {all} deliveries of the pool {pool}")
        }));
    }
    let shown: Vec<String> = pools
        .iter()
        .map(|(pool, counts)| format!("{pool} {:?}", counts.values().collect::<Vec<_>>()))
        .collect();
    Check::new(
        "every worker did its share when none was killed",
        format!("deliveries of each: {}", shown.join(", ")),
        faults,
    )
}

/// Number of a run's deliveries that each worker held, by pool.
fn by_pool<'a>(census: &'a Census, run: &Run) -> BTreeMap<&'a str, BTreeMap<&'a str, usize>> {
    let of_run = census
        .deliveries
        .iter()
        .filter(|row| run.projects.values().any(|id| *id == row.project));
    let mut pools: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for row in of_run {
        if let Some(holder) = row.holder.as_deref() {
            let worker = holder.split('.').next().unwrap_or(holder);
            let counts = pools.entry(&row.pool).or_default();
            *counts.entry(worker).or_default() += 1;
        }
    }
    pools
}
