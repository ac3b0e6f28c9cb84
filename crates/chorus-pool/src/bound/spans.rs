//! Longest chains before and after each job of a [`Program`](super::program::Program), and samples of them.

use super::Job;

/// Number of thresholds on heads and on tails that are tried.
const THRESHOLDS: usize = 12;

/// Length of the longest chain before a job, and of the longest that begins with it, in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) head: f64,
    pub(super) tail: f64,
}

pub(super) fn spans(jobs: &[Job]) -> Vec<Span> {
    let service = |job: usize| jobs[job].service.as_secs_f64();
    let mut spans: Vec<Span> = (0..jobs.len())
        .map(|job| Span {
            head: 0.0,
            tail: service(job),
        })
        .collect();
    for job in 0..jobs.len() {
        let earlier = jobs[job].parents.iter().filter(|parent| **parent < job);
        let ends = earlier.map(|parent| spans[*parent].head + service(*parent));
        spans[job].head = ends.fold(0.0, f64::max);
    }
    for job in (0..jobs.len()).rev() {
        let earlier = jobs[job].parents.iter().filter(|parent| **parent < job);
        for parent in earlier {
            spans[*parent].tail = spans[*parent].tail.max(service(*parent) + spans[job].tail);
        }
    }
    spans
}

/// Sample of the values, evenly spread over their order, the smallest included.
pub(super) fn thresholds(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let step = values.len().div_ceil(THRESHOLDS).max(1);
    values.into_iter().step_by(step).collect()
}
