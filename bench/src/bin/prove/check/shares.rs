//! Checks the share of work of each worker.

use std::collections::BTreeMap;

use super::Check;
use crate::census::Census;
use crate::runs::Run;

/// Minimum share of a worker in a run without kills, in per cent. Pools get unequal parts of the work, as accounts have
/// room, and their workers share those.
const LEAST: usize = 2;

/// Checks that each of `workers` workers did its share of a run's deliveries.
pub(crate) fn shares(census: &Census, run: &Run, workers: usize) -> Check {
    let shares = by_worker(census, run);
    let all: usize = shares.values().sum();
    let per_cent: Vec<usize> = shares.values().map(|own| own * 100 / all.max(1)).collect();
    let mut faults = Vec::new();
    if shares.len() != workers {
        faults.push(format!(
            "{} workers did something, there are {workers}",
            shares.len()
        ));
    }
    faults.extend(
        per_cent
            .iter()
            .filter(|share| **share < LEAST)
            .map(|share| format!("a worker did only {share} % of the work")),
    );
    Check::new(
        "every worker did its share when none was killed",
        format!("{per_cent:?} per cent of {all} deliveries"),
        faults,
    )
}

/// Number of a run's deliveries that each worker held.
fn by_worker<'a>(census: &'a Census, run: &Run) -> BTreeMap<&'a str, usize> {
    let of_run = census
        .deliveries
        .iter()
        .filter(|row| run.projects.values().any(|id| *id == row.project));
    let mut shares: BTreeMap<&str, usize> = BTreeMap::new();
    for holder in of_run.filter_map(|row| row.holder.as_deref()) {
        *shares
            .entry(holder.split('.').next().unwrap_or(holder))
            .or_default() += 1;
    }
    shares
}
