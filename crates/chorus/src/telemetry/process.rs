//! Memory and processor time of this process, read for each scrape. Only Linux has these figures.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Clock ticks a second and bytes a page, as Linux has them on all machines that it is common on.
const TICKS: f64 = 100.0;
const PAGE: u64 = 4096;

/// Reads `/proc/self`.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        if let Some(bytes) = resident() {
            let gauge = ConstGauge::new(bytes);
            let family = encoder.encode_descriptor(
                "process_resident_memory",
                "Resident memory",
                Some(&Unit::Bytes),
                gauge.metric_type(),
            )?;
            gauge.encode(family)?;
        }
        if let Some(seconds) = processor_seconds() {
            let counter = ConstCounter::new(seconds);
            let family = encoder.encode_descriptor(
                "process_cpu",
                "Processor time, user and system",
                Some(&Unit::Seconds),
                counter.metric_type(),
            )?;
            counter.encode(family)?;
        }
        Ok(())
    }
}

fn resident() -> Option<i64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    i64::try_from(pages * PAGE).ok()
}

fn processor_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    ticks(&text).map(|ticks| f64::from(ticks) / TICKS)
}

/// User and system ticks; the name before them may hold anything, a parenthesis too.
fn ticks(stat: &str) -> Option<u32> {
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace().skip(11);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found_behind_any_name() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 700 80 0 0 20 0 4 0 1 2 3";
        assert_eq!(ticks(stat), Some(780));
        assert_eq!(ticks("nonsense"), None);
    }
}
