//! Lower bound of a makespan: no schedule of the jobs ends earlier.
//!
//! Three closed forms, each valid alone: the critical path, the supply of rates for any set of jobs, and the supply
//! of slots. The joint linear programme is stronger, because one station must satisfy all dimensions at once; its
//! dual prices are a [`Certificate`] that [`verify`] checks without a solver. [`bottlenecks()`] reads the same prices
//! as the share that each limit has in the makespan. Benchmarks compare real runs with [`Bound`].

mod bottlenecks;
mod certificate;
mod closed_forms;
mod prices;
mod program;
mod spans;
mod supply;

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::limit::{Dimension, Limit, ReserveRule};
use chorus_core::time::Millis;

pub use bottlenecks::{Bottleneck, bottlenecks};
pub use certificate::{Certificate, StationPrices, verify};
pub use prices::Unsolved;
use program::Program;

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
    /// Number of equal calls that the job stands for; 1 for a single one.
    pub count: u64,
}

/// One quota group at the start of the run, or several equal ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Station {
    /// Limits of the group.
    pub limits: Vec<Limit>,
    /// Amount left of each rate at the start; a rate that is not listed is full.
    pub levels: BTreeMap<Dimension, u64>,
    /// Number of equal groups, each with these limits.
    pub count: u64,
    /// Rates that running calls may overdraw, because they are charged while the call runs.
    pub overdrawn: BTreeSet<Dimension>,
    /// Limits that changed during the run, in the order of time.
    pub changes: Vec<LimitChange>,
}

/// New amount of a limit during the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitChange {
    /// Time of the change, from the start of the run.
    pub at: Millis,
    /// Dimension of the limit.
    pub dimension: Dimension,
    /// Amount in one window from then on.
    pub amount: u64,
}

impl Station {
    /// One group with these limits, full at the start. Produced tokens may be overdrawn where their limit is
    /// [`ReserveRule::AsProduced`].
    pub fn full(limits: Vec<Limit>) -> Self {
        let produced = limits.iter().filter(|limit| {
            matches!(
                limit.dimension,
                Dimension::OutputTokens | Dimension::TotalTokens
            ) && limit.reserve == ReserveRule::AsProduced
        });
        Self {
            overdrawn: produced.map(|limit| limit.dimension).collect(),
            limits,
            levels: BTreeMap::new(),
            count: 1,
            changes: Vec::new(),
        }
    }
}

/// Lower bound with its parts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Bound {
    /// Bound by the longest chain of jobs.
    pub critical_path: Millis,
    /// Bound by the rates.
    pub rate: Millis,
    /// Bound by the slots.
    pub slots: Millis,
    /// Joint bound by the prices of the linear programme; none where the programme was not solved.
    pub certificate: Option<Certificate>,
}

impl Bound {
    /// Largest of the parts: no schedule ends earlier.
    pub fn makespan(&self) -> Millis {
        let certified = self
            .certificate
            .as_ref()
            .map_or(Millis::ZERO, |certificate| certificate.makespan);
        self.critical_path
            .max(self.rate)
            .max(self.slots)
            .max(certified)
    }
}

/// Computes the closed forms of the lower bound of the makespan of these jobs on these stations.
pub fn bound(jobs: &[Job], stations: &[Station]) -> Bound {
    closed_forms::bound(&Program::of(jobs, stations))
}

/// Computes the closed forms and the certificate. A programme that could not be solved leaves the certificate out.
pub fn certified_bound(jobs: &[Job], stations: &[Station]) -> Bound {
    let program = Program::of(jobs, stations);
    let mut bound = closed_forms::bound(&program);
    bound.certificate = prices::certificate(&program, bound.makespan()).ok();
    bound
}

#[cfg(test)]
mod tests;
