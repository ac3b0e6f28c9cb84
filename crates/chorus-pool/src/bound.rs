//! The provable lower bound of a makespan: no schedule, however clever, ends earlier.
//!
//! Three closed forms, each valid alone: the critical path; what rates can bring for any set of jobs; what
//! slots can hold of it. The joint certificate (a linear programme's prices) is stronger and is not made here.

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::limit::{Dimension, Limit, ReserveRule, Window};
use chorus_core::time::Millis;

/// One call that was accepted, with the calls that it had to wait for.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Places in the list of the jobs it waited for; each before its own.
    pub parents: Vec<usize>,
    /// Its least service time, without queueing.
    pub service: Millis,
    /// What it used of each dimension, at least.
    pub used: BTreeMap<Dimension, u64>,
    /// Places in the list of the stations it could run on.
    pub eligible: BTreeSet<usize>,
}

/// One quota group, as it stood at the beginning.
#[derive(Debug, Clone, PartialEq)]
pub struct Station {
    /// Its limits.
    pub limits: Vec<Limit>,
    /// What was left of each rate at the beginning; full where nothing is said.
    pub levels: BTreeMap<Dimension, u64>,
}

/// The bound and its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bound {
    /// The longest chain of jobs.
    pub critical_path: Millis,
    /// What rates can bring.
    pub rate: Millis,
    /// What slots can hold.
    pub slots: Millis,
}

impl Bound {
    /// No schedule ends before this.
    pub fn makespan(&self) -> Millis {
        self.critical_path.max(self.rate).max(self.slots)
    }
}

/// How many thresholds on heads and tails are tried.
const THRESHOLDS: usize = 12;

/// The lower bound of the makespan of these jobs on these stations.
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

/// The longest chain before a job, and the one that begins with it, in seconds.
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

/// Some of the values, evenly spread over their order, the least always among them.
fn thresholds(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let step = values.len().div_ceil(THRESHOLDS).max(1);
    values.into_iter().step_by(step).collect()
}

/// A set of jobs and all stations that any of them may use.
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

    /// No job of the set is admitted before its head, nor later than its tail before the end; what can be
    /// drawn in between is what is left at the head, at most a burst, and what comes back.
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

    /// Produced tokens that are only guessed at admission may put a rate into debt, by one call a slot at most;
    /// without slots nobody knows by how much.
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

/// Burst, level at the beginning and amount a second of a station's rate; none when it has no such rate.
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
