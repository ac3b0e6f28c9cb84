//! Compares the providers' journal with the delivery rows, call by call.

use std::collections::BTreeMap;

use chorus_bench::cluster::rows::DeliveryRow;
use chorus_provider_sim::engine::journal::Entry;

use super::Check;

/// Result of the comparison, with sums.
pub(crate) struct Accounting {
    pub(crate) check: Check,
    /// Answered calls without a used result: the worker was lost, or the attempt was cancelled.
    pub(crate) wasted: usize,
    /// Deliveries with more than one call.
    pub(crate) doubled: usize,
}

/// Checks that each call belongs to one delivery, that each delivery with usage has its call, and
/// that a delivery without a call was lost, cancelled or never sent.
pub(crate) fn accounting(journal: &[Entry], rows: &[DeliveryRow]) -> Accounting {
    let mut faults = Vec::new();
    let mut calls: BTreeMap<String, Vec<&Entry>> = BTreeMap::new();
    for entry in journal {
        match &entry.client_request {
            Some(name) => calls.entry(name.clone()).or_default().push(entry),
            None => faults.push(format!("call {} names no delivery", entry.sequence.0)),
        }
    }
    let mut sums = Sums::default();
    for row in rows {
        let name = format!("{}.{}", row.attempt, row.epoch);
        let seen = calls.remove(&name).unwrap_or_default();
        if let Some(fault) = fault(row, seen.len()) {
            faults.push(format!("{name}: {fault}"));
        }
        sums.add(row, &seen);
    }
    let Sums {
        paid,
        refused,
        wasted,
        doubled,
    } = sums;
    faults.extend(
        calls
            .keys()
            .map(|name| format!("{name}: a call that no delivery accounts for")),
    );
    let ends = |word: &str| rows.iter().filter(|row| is(row, word)).count();
    let saw = format!(
        "{} calls = {paid} paid and used + {wasted} wasted + {refused} refused or failed; {} deliveries = {} finished + {} never claimed + {} lost with their worker + {} cancelled",
        journal.len(),
        rows.len(),
        ends("finished"),
        ends("unclaimed"),
        ends("lost_worker"),
        ends("cancelled"),
    );
    if journal.len() != paid + wasted + refused {
        faults.push(format!(
            "{} calls, but {} are accounted for",
            journal.len(),
            paid + wasted + refused
        ));
    }
    Accounting {
        check: Check::new("the providers' journal equals the rows", saw, faults),
        wasted,
        doubled,
    }
}

#[derive(Default)]
struct Sums {
    paid: usize,
    refused: usize,
    wasted: usize,
    doubled: usize,
}

impl Sums {
    fn add(&mut self, row: &DeliveryRow, calls: &[&Entry]) {
        self.doubled += usize::from(calls.len() > 1);
        match calls.first() {
            Some(call) if call.status != 200 || call.fault.is_some() => self.refused += 1,
            Some(_) if row.usage.is_some() && is(row, "finished") => self.paid += 1,
            Some(_) => self.wasted += 1,
            None => {}
        }
    }
}

fn fault(row: &DeliveryRow, calls: usize) -> Option<String> {
    let wrong = match row.end_word.as_deref() {
        None => Some("is still open"),
        Some("finished") if row.usage.is_some() => (calls != 1).then_some("finished with a usage"),
        Some("unclaimed") => (calls != 0).then_some("was never claimed"),
        Some(_) if calls > 1 => Some("was called more than once"),
        Some("lost_worker") if calls == 1 && row.cost == 0 => {
            Some("was lost after its call, and does not show as waste")
        }
        Some(_) => None,
    };
    wrong.map(|wrong| format!("{wrong}, the providers saw {calls} calls"))
}

fn is(row: &DeliveryRow, word: &str) -> bool {
    row.end_word.as_deref() == Some(word)
}
