//! The providers' own count of every limit.

use chorus_bench::stage::providers::Count;

use super::Check;

/// No call was refused for a limit, and no limit was passed.
pub(crate) fn limits(counts: &[Count]) -> Check {
    let mut faults = Vec::new();
    let mut fullest = 0.0_f64;
    for count in counts {
        let who = format!("{} of {}", count.organisation, count.provider);
        if count.refused > 0 {
            faults.push(format!("{who} refused {} calls for a limit", count.refused));
        }
        for peak in &count.limits {
            fullest = fullest.max(peak.peak as f64 / peak.limit.max(1) as f64);
            if peak.peak > peak.limit {
                faults.push(format!("{who}: {} of {} {} were used at once", peak.peak, peak.limit, peak.counted));
            }
        }
    }
    if counts.is_empty() {
        faults.push("the providers counted nothing".to_owned());
    }
    let admitted: u64 = counts.iter().map(|count| count.admitted).sum();
    let saw = format!("{admitted} calls admitted by {} organisations, the fullest limit at {:.0} %", counts.len(), fullest * 100.0);
    Check::new("by the providers' own count no limit was passed", saw, faults)
}
