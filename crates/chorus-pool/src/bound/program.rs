//! Jobs and stations as rows of numbers, in seconds and units.

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::limit::Dimension;
use chorus_core::time::Millis;

use super::spans::{Span, spans};
use super::supply::Supply;
use super::{Job, Station};

/// Dimensions that come back by time, in the order of all rows.
pub(super) const RATES: [Dimension; 5] = [
    Dimension::Requests,
    Dimension::InputTokens,
    Dimension::OutputTokens,
    Dimension::TotalTokens,
    Dimension::Spend,
];

/// Amounts of all rates, in the order of [`RATES`].
pub(super) type Amounts = [f64; RATES.len()];

/// Jobs and stations of one run.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) jobs: Vec<JobRow>,
    pub(super) spans: Vec<Span>,
    pub(super) stations: Vec<StationRow>,
    /// Sets of stations that jobs may use; a [`JobRow`] names one by its index.
    pub(super) classes: Vec<Vec<usize>>,
}

/// One job.
#[derive(Debug, Clone, Copy)]
pub(super) struct JobRow {
    pub(super) used: Amounts,
    pub(super) service: f64,
    pub(super) count: f64,
    pub(super) class: usize,
}

/// Equal stations.
#[derive(Debug)]
pub(super) struct StationRow {
    pub(super) count: f64,
    /// Slots of one of them; none without a limit.
    pub(super) slots: Option<f64>,
    /// Rates of one of them.
    pub(super) supplies: [Option<Supply>; RATES.len()],
}

impl Program {
    /// Rows of these jobs and stations. Jobs that no station may run are left to the critical path.
    pub(super) fn of(jobs: &[Job], stations: &[Station]) -> Self {
        let mut classes: BTreeMap<&BTreeSet<usize>, usize> = BTreeMap::new();
        let mut lists = Vec::new();
        let mut rows = Vec::with_capacity(jobs.len());
        for job in jobs {
            let class = *classes.entry(&job.eligible).or_insert_with(|| {
                let known = job.eligible.iter().copied();
                lists.push(known.filter(|station| *station < stations.len()).collect());
                lists.len() - 1
            });
            rows.push(JobRow {
                used: RATES.map(|rate| job.used.get(&rate).copied().unwrap_or(0) as f64),
                service: job.service.as_secs_f64(),
                count: job.count.max(1) as f64,
                class,
            });
        }
        Self {
            spans: spans(jobs),
            stations: stations
                .iter()
                .map(|station| StationRow::of(station, &rows))
                .collect(),
            jobs: rows,
            classes: lists,
        }
    }
}

impl StationRow {
    fn of(station: &Station, jobs: &[JobRow]) -> Self {
        let slots = station
            .limits
            .iter()
            .filter(|limit| limit.dimension == Dimension::Concurrency)
            .map(|limit| limit.amount as f64)
            .min_by(f64::total_cmp);
        let supplies = std::array::from_fn(|place| {
            let dimension = RATES[place];
            let overdraft = if station.overdrawn.contains(&dimension) {
                largest(jobs.iter().map(|job| job.used[place]), slots?)
            } else {
                0.0
            };
            Supply::of(station, dimension, overdraft)
        });
        Self {
            count: station.count.max(1) as f64,
            slots,
            supplies,
        }
    }
}

/// Sum of the largest amounts: as many calls as there are slots may be under way when a rate runs out.
fn largest(amounts: impl Iterator<Item = f64>, slots: f64) -> f64 {
    let mut amounts: Vec<f64> = amounts.collect();
    amounts.sort_by(|one, other| other.total_cmp(one));
    amounts.into_iter().take(slots as usize).sum()
}

/// Seconds as milliseconds, rounded down but for the rounding of sums.
pub(super) fn millis(seconds: f64) -> Millis {
    Millis((seconds * 1000.0 + 1e-3) as u64)
}
