//! Lower bound of a makespan: no schedule of the jobs ends earlier.
//!
//! Three closed forms, each valid alone: the critical path, the supply of rates for any set of jobs, and the supply
//! of slots. The joint certificate (the prices of a linear programme) is stronger and is not computed here.
//! Benchmarks compare real runs with [`Bound`].

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::limit::{Dimension, Limit, ReserveRule, Window};
use chorus_core::time::Millis;

/// One call, with the calls that it waited for.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Indices of the jobs that it waited for; each is lower than its own.
    pub parents: Vec<usize>,
    /// Minimum service time, without queueing.
    pub service: Millis,
    /// Minimum use of each dimension.
    pub used: BTreeMap<Dimension, u64>,
    /// Indices of the stations that it could run on.
    pub eligible: BTreeSet<usize>,
}

/// One quota group at the start of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct Station {
    /// Limits of the group.
    pub limits: Vec<Limit>,
    /// Amount left of each rate at the start; a rate that is not listed is full.
    pub levels: BTreeMap<Dimension, u64>,
}

/// Lower bound with its parts, each in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bound {
    /// Bound by the longest chain of jobs.
    pub critical_path: Millis,
    /// Bound by the rates.
    pub rate: Millis,
    /// Bound by the slots.
    pub slots: Millis,
}

impl Bound {
    /// Largest of the parts: no schedule ends earlier.
    pub fn makespan(&self) -> Millis {
        self.critical_path.max(self.rate).max(self.slots)
    }
}

/// Number of thresholds on heads and on tails that are tried.
const THRESHOLDS: usize = 12;

/// Computes the lower bound of the makespan of these jobs on these stations.
pub fn bound(jobs: &[Job], stations: &[Station]) -> Bound {
    let spans = spans(jobs);
    let critical_path = spans
        .iter()
        .map(|span| span.head + span.tail)
        .fold(0.0, f64::max);
    let (mut rate, mut slots) = (0.0_f64, 0.0_f64);
    let classes: BTreeSet<&BTreeSet<usize>> = jobs.iter().map(|job| &job.eligible).collect();
    let all: BTreeSet<usize> = jobs
        .iter()
        .flat_map(|job| job.eligible.iter().copied())
        .collect();
    for class in classes.into_iter().chain(std::iter::once(&all)) {
        let inside: Vec<usize> = (0..jobs.len())
            .filter(|job| jobs[*job].eligible.is_subset(class))
            .collect();
        for head in thresholds(inside.iter().map(|job| spans[*job].head)) {
            for tail in thresholds(inside.iter().map(|job| spans[*job].tail)) {
                let chosen = inside
                    .iter()
                    .copied()
                    .filter(|job| spans[*job].head >= head && spans[*job].tail >= tail);
                let set = Set::of(&chosen.collect::<Vec<_>>(), jobs, &spans, class, stations);
                rate = rate.max(set.by_rate());
                slots = slots.max(set.by_slots());
            }
        }
    }
    let millis = |seconds: f64| Millis((seconds * 1000.0) as u64);
    Bound {
        critical_path: millis(critical_path),
        rate: millis(rate),
        slots: millis(slots),
    }
}

/// Length of the longest chain before each job, and of the longest that begins with it, in seconds.
#[derive(Debug, Clone, Copy)]
struct Span {
    head: f64,
    tail: f64,
}

fn spans(jobs: &[Job]) -> Vec<Span> {
    let service = |job: usize| jobs[job].service.as_secs_f64();
    let mut spans: Vec<Span> = (0..jobs.len())
        .map(|job| Span {
            head: 0.0,
            tail: service(job),
        })
        .collect();
    for job in 0..jobs.len() {
        let ends = jobs[job]
            .parents
            .iter()
            .filter(|parent| **parent < job)
            .map(|parent| spans[*parent].head + service(*parent));
        spans[job].head = ends.fold(0.0, f64::max);
    }
    for job in (0..jobs.len()).rev() {
        for parent in jobs[job]
            .parents
            .iter()
            .copied()
            .filter(|parent| *parent < job)
        {
            spans[parent].tail = spans[parent].tail.max(service(parent) + spans[job].tail);
        }
    }
    spans
}

/// Sample of the values, evenly spread over their order, the smallest included.
fn thresholds(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let step = values.len().div_ceil(THRESHOLDS).max(1);
    values.into_iter().step_by(step).collect()
}

/// A set of jobs and all stations that at least one of them may use.
struct Set<'a> {
    jobs: Vec<&'a Job>,
    stations: Vec<&'a Station>,
    head: f64,
    tail: f64,
    after: f64,
}

impl<'a> Set<'a> {
    fn of(
        chosen: &[usize],
        jobs: &'a [Job],
        spans: &[Span],
        class: &BTreeSet<usize>,
        stations: &'a [Station],
    ) -> Self {
        let least = |value: fn(&Job, Span) -> f64| {
            chosen
                .iter()
                .map(|job| value(&jobs[*job], spans[*job]))
                .fold(f64::INFINITY, f64::min)
        };
        Self {
            head: least(|_, span| span.head),
            tail: least(|_, span| span.tail),
            after: least(|job, span| span.tail - job.service.as_secs_f64()),
            stations: class
                .iter()
                .filter_map(|station| stations.get(*station))
                .collect(),
            jobs: chosen.iter().map(|job| &jobs[*job]).collect(),
        }
    }

    /// Bound by one dimension. No job of the set is admitted before its head, nor later than its tail before the end;
    /// between the two, the set can draw the amount left at the head, at most a burst, and the refill.
    fn by_rate(&self) -> f64 {
        let dimensions = [
            Dimension::Requests,
            Dimension::InputTokens,
            Dimension::OutputTokens,
            Dimension::TotalTokens,
        ];
        dimensions
            .into_iter()
            .filter_map(|dimension| self.by_rate_of(dimension))
            .fold(0.0, f64::max)
    }

    fn by_rate_of(&self, dimension: Dimension) -> Option<f64> {
        if self.jobs.is_empty() || self.stations.is_empty() {
            return None;
        }
        let (mut start, mut per_second) = (0.0, 0.0);
        for station in &self.stations {
            let (burst, level, rate) = rate_of(station, dimension)?;
            start += (level + rate * self.head).min(burst) + self.overdraft(station, dimension)?;
            per_second += rate;
        }
        let needed: f64 = self
            .jobs
            .iter()
            .map(|job| job.used.get(&dimension).copied().unwrap_or(0) as f64)
            .sum();
        (per_second > 0.0).then(|| self.head + self.tail + (needed - start).max(0.0) / per_second)
    }

    /// Debt that a rate may have. Produced tokens are estimated at admission, so each slot can overdraw by one call;
    /// without slots the debt has no bound.
    fn overdraft(&self, station: &Station, dimension: Dimension) -> Option<f64> {
        let guessed = |limit: &Limit| {
            matches!(
                limit.reserve,
                ReserveRule::Estimate | ReserveRule::AsProduced
            )
        };
        let output = matches!(dimension, Dimension::OutputTokens | Dimension::TotalTokens);
        if !output
            || !station
                .limits
                .iter()
                .any(|limit| limit.dimension == dimension && guessed(limit))
        {
            return Some(0.0);
        }
        let largest = self
            .jobs
            .iter()
            .filter_map(|job| job.used.get(&dimension))
            .max()
            .copied()
            .unwrap_or(0);
        slots_of(station).map(|slots| slots as f64 * largest as f64)
    }

    fn by_slots(&self) -> f64 {
        let slots: Option<u64> = self.stations.iter().map(|station| slots_of(station)).sum();
        match slots.filter(|slots| *slots > 0 && !self.jobs.is_empty()) {
            Some(slots) => {
                self.head
                    + self.after
                    + self
                        .jobs
                        .iter()
                        .map(|job| job.service.as_secs_f64())
                        .sum::<f64>()
                        / slots as f64
            }
            None => 0.0,
        }
    }
}

/// Burst, level at the start and refill per second of a rate of a [`Station`]; none if it has no such rate.
fn rate_of(station: &Station, dimension: Dimension) -> Option<(f64, f64, f64)> {
    let rates = station
        .limits
        .iter()
        .filter(|limit| limit.dimension == dimension)
        .filter_map(|limit| match limit.window {
            Window::Bucket { per_ms } | Window::Sliding { per_ms } => {
                Some((limit, limit.amount as f64 * 1000.0 / per_ms.max(1) as f64))
            }
            Window::Day { .. } | Window::Month | Window::Held => None,
        });
    let (limit, rate) = rates.min_by(|one, other| one.1.total_cmp(&other.1))?;
    let burst = limit.capacity() as f64;
    Some((
        burst,
        station
            .levels
            .get(&dimension)
            .map_or(burst, |level| *level as f64)
            .min(burst),
        rate,
    ))
}

fn slots_of(station: &Station) -> Option<u64> {
    station
        .limits
        .iter()
        .filter(|limit| limit.dimension == Dimension::Concurrency)
        .map(|limit| limit.amount)
        .min()
}

#[cfg(test)]
mod tests;
