//! Measures of one run ([`Outcome`]).

use chorus_core::time::Millis;

/// Measures of one run.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Outcome {
    /// Time of the last end of a task.
    pub(crate) makespan: Millis,
    pub(crate) tasks: usize,
    /// Tasks that ended well.
    pub(crate) done: usize,
    /// Tasks that failed for good.
    pub(crate) failed: usize,
    /// Calls refused for a limit.
    pub(crate) refusals: usize,
    /// Calls that failed for another reason.
    pub(crate) failures: usize,
    /// Tokens of calls that brought no result.
    pub(crate) wasted_tokens: u64,
    /// Waits of tasks from being ready to their last admission, sorted.
    pub(crate) waits: Vec<u64>,
    /// The same of interactive calls.
    pub(crate) interactive_waits: Vec<u64>,
    /// Longest wait as a multiple of the time in which the work ahead could be done.
    pub(crate) longest_wait: f64,
    /// Admissions in order: time, tenant, tokens.
    pub(crate) admissions: Vec<(Millis, usize, u64)>,
    /// Real time in the router's decisions, in nanoseconds, and the number of them.
    pub(crate) decide_ns: f64,
    /// Time of the Redis server for an admission, in microseconds; 0 without one.
    pub(crate) redis_us: f64,
    /// Number of calls of each account.
    pub(crate) calls_by_account: Vec<usize>,
}

impl Outcome {
    /// Refusals a task.
    pub(crate) fn refusals_a_task(&self) -> f64 {
        self.refusals as f64 / self.tasks.max(1) as f64
    }

    /// True if every task ended well.
    pub(crate) const fn is_complete(&self) -> bool {
        self.done == self.tasks
    }

    /// Nanoseconds of the router for an admission.
    pub(crate) fn ns_an_admission(&self) -> f64 {
        self.decide_ns / self.admissions.len().max(1) as f64
    }

    /// Index of Jain over the tokens admitted for each tenant in the first half of all admissions; 1 for equal
    /// shares.
    pub(crate) fn jain(&self, tenants: usize) -> f64 {
        let shares = self.shares(tenants);
        let sum: f64 = shares.iter().sum();
        let squares: f64 = shares.iter().map(|share| share * share).sum();
        if squares > 0.0 {
            sum * sum / (tenants as f64 * squares)
        } else {
            1.0
        }
    }

    /// Greatest difference between two tenants in the first half of all admissions, as a part of their mean.
    pub(crate) fn fairness_gap(&self, tenants: usize) -> f64 {
        let shares = self.shares(tenants);
        let most = shares.iter().copied().fold(0.0, f64::max);
        let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
        let mean = shares.iter().sum::<f64>() / tenants.max(1) as f64;
        if mean > 0.0 {
            (most - least) / mean
        } else {
            0.0
        }
    }

    fn shares(&self, tenants: usize) -> Vec<f64> {
        let mut shares = vec![0.0; tenants];
        for (_, tenant, tokens) in &self.admissions[..self.admissions.len() / 2] {
            shares[*tenant] += *tokens as f64;
        }
        shares
    }
}

/// Quantile of sorted values, in milliseconds; 0 without any.
pub(crate) fn quantile(sorted: &[u64], part: f64) -> u64 {
    let last = sorted.len().saturating_sub(1);
    let at = (part * last as f64).round() as usize;
    sorted.get(at.min(last)).copied().unwrap_or(0)
}
