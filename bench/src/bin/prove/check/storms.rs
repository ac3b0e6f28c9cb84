//! Checks that accounts that fail every call are left alone.

use std::collections::{BTreeMap, VecDeque};

use chorus_bench::cluster::providers::is_sick;
use chorus_provider_sim::engine::journal::Entry;

use super::Check;

/// Time in which failed calls are counted, in milliseconds.
const WINDOW_MS: u64 = 60_000;
/// Maximum number of failed calls of one sick account in [`WINDOW_MS`]: those in flight at its first failure, and
/// one trial after each doubled rest, with restarts of the dispatcher that forget it.
const MOST: usize = 60;

/// Checks that no sick account met a storm of calls, and that sick accounts were called at all.
pub(crate) fn storms(journal: &[Entry]) -> Check {
    let mut most: BTreeMap<&str, usize> = BTreeMap::new();
    let mut recent: BTreeMap<&str, VecDeque<u64>> = BTreeMap::new();
    for entry in journal.iter().filter(|entry| is_sick(&entry.organisation)) {
        let times = recent.entry(&entry.organisation).or_default();
        times.push_back(entry.started_ms);
        while times
            .front()
            .is_some_and(|first| first + WINDOW_MS < entry.started_ms)
        {
            times.pop_front();
        }
        let seen = most.entry(&entry.organisation).or_default();
        *seen = (*seen).max(times.len());
    }
    let faults = most
        .iter()
        .filter(|(_, calls)| **calls > MOST)
        .map(|(organisation, calls)| format!("{organisation} met {calls} calls in a minute"))
        .collect();
    let saw = format!("most failed calls in a minute: {most:?}");
    Check::new("accounts whose calls all fail are left alone", saw, faults)
}
