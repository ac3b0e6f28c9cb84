//! Checks the providers' own [`Count`] of every limit.

use chorus_bench::cluster::providers::Count;
use chorus_provider_sim::engine::journal::Entry;

use super::Check;

/// Maximum difference in travel time between two calls, in milliseconds. A call that is early by at
/// most this was sent in time; neither the ledger nor a header knows the travel time of a request.
const TRAVEL_MS: u64 = 150;
/// Maximum number of such early calls, in 1,000.
const EARLY_PERMILLE: usize = 2;

/// Checks that no call was refused for a limit, except the few that were overtaken in transit.
pub(crate) fn limits(counts: &[Count], journal: &[Entry]) -> Check {
    let (mut faults, fullest) = peaks(counts);
    let refused: Vec<&Entry> = journal
        .iter()
        .filter(|entry| entry.passed.is_some())
        .collect();
    let (early, passed): (Vec<&Entry>, Vec<&Entry>) = refused
        .iter()
        .partition(|entry| entry.early_ms.is_some_and(|early| early <= TRAVEL_MS));
    faults.extend(passed.iter().map(|entry| {
        format!(
            "{} refused a call for its {:?}, too early by {:?} ms",
            entry.organisation, entry.passed, entry.early_ms
        )
    }));
    if early.len() * 1_000 > journal.len() * EARLY_PERMILLE {
        faults.push(format!(
            "{} of {} calls came a little too early",
            early.len(),
            journal.len()
        ));
    }
    if refused.len() as u64 != counts.iter().map(|count| count.refused).sum::<u64>() {
        faults.push("the journal and the counts disagree about refusals".to_owned());
    }
    if counts.is_empty() {
        faults.push("the providers counted nothing".to_owned());
    }
    let admitted: u64 = counts.iter().map(|count| count.admitted).sum();
    let saw = format!(
        "{admitted} calls admitted by {} organisations, the fullest limit at {:.0} %; {} calls came at most {TRAVEL_MS} ms too early",
        counts.len(),
        fullest * 100.0,
        early.len()
    );
    Check::new(
        "by the providers' own count no limit was passed",
        saw,
        faults,
    )
}

/// Faults of limits that were exceeded, and the share of the fullest limit.
fn peaks(counts: &[Count]) -> (Vec<String>, f64) {
    let mut faults = Vec::new();
    let mut fullest = 0.0_f64;
    for count in counts {
        for peak in &count.limits {
            fullest = fullest.max(peak.peak as f64 / peak.limit.max(1) as f64);
            if peak.peak > peak.limit {
                faults.push(format!(
                    "{} of {} {} of {} were used at once",
                    peak.peak, peak.limit, peak.counted, count.organisation
                ));
            }
        }
    }
    (faults, fullest)
}
