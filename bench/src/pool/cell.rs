//! One [`Cell`] of the matrix: a fleet, a workload, a fault, a router.

use std::sync::Arc;

use chorus_core::port::LimitState;
use chorus_core::time::Millis;
use chorus_limits::{Memory, Start};

use super::bounds::{Bounds, bounds};
use super::chorus::{Chorus, ChorusSettings};
use super::clock::VirtualClock;
use super::faults::Fault;
use super::fleet::{Amounts, Charging, Spread, fleet};
use super::outcome::Outcome;
use super::rivals::{Policy, Rival};
use super::run::{Run, RunSettings};
use super::workload::{Shape, Workload};

/// Tasks for each account of a fleet.
const TASKS_AN_ACCOUNT: usize = 500;

/// What chooses accounts in a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Chooser {
    /// Chorus, with this many processes over one limiter in memory.
    Chorus(usize),
    /// Chorus, with this many processes over a real Redis server.
    Redis(usize),
    /// A rival.
    Rival(Policy),
}

impl Chooser {
    /// Name in cells and tables.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Chorus(1) => "chorus".to_owned(),
            Self::Chorus(processes) => format!("chorus x{processes}"),
            Self::Redis(processes) => format!("chorus x{processes} redis"),
            Self::Rival(policy) => policy.as_str().to_owned(),
        }
    }
}

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cell {
    pub(crate) accounts: usize,
    pub(crate) spread: Spread,
    pub(crate) shape: Shape,
    pub(crate) charging: Charging,
    pub(crate) fault: Fault,
    pub(crate) chooser: Chooser,
    pub(crate) interactive: Interactive,
    /// Tasks for each account, in per cent of the usual number.
    pub(crate) size_percent: usize,
}

/// Interactive calls beside the tasks of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interactive {
    /// None.
    None,
    /// A fifth of the pool's capacity, admitted first.
    First,
    /// The same calls, admitted as tasks.
    AsTasks,
}

/// Result of one cell with one seed.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) outcome: Outcome,
    pub(crate) bounds: Bounds,
    pub(crate) tenants: usize,
}

impl Measured {
    /// Certified bound by makespan; 0 for a run that did not end.
    pub(crate) fn utilisation(&self) -> f64 {
        self.part(self.bounds.certified)
    }

    /// Bound without foresight by makespan.
    pub(crate) fn unforeseen(&self) -> f64 {
        self.part(self.bounds.unforeseen)
    }

    fn part(&self, bound: Millis) -> f64 {
        if self.outcome.is_complete() {
            bound.as_secs_f64() / self.outcome.makespan.as_secs_f64().max(1e-3)
        } else {
            0.0
        }
    }
}

impl Cell {
    /// The cell that the bars begin with: Chorus, twelve unequal accounts, nothing goes wrong.
    pub(crate) const fn plain(shape: Shape, charging: Charging) -> Self {
        Self {
            accounts: 12,
            spread: Spread::Unequal,
            shape,
            charging,
            fault: Fault::None,
            chooser: Chooser::Chorus(1),
            interactive: Interactive::None,
            size_percent: 100,
        }
    }

    /// Name, from which `--cells` chooses.
    pub(crate) fn name(&self) -> String {
        let mut name = format!(
            "{}/{}/{}/{}/{}/{}",
            self.accounts,
            self.spread.as_str(),
            self.shape.as_str(),
            self.charging.as_str(),
            self.fault.name(),
            self.chooser.name()
        );
        match self.interactive {
            Interactive::None => {}
            Interactive::First => name.push_str("/interactive"),
            Interactive::AsTasks => name.push_str("/interactive-as-tasks"),
        }
        name
    }

    /// Runs the cell once.
    pub(crate) fn run(&self, seed: u64) -> anyhow::Result<Measured> {
        let mut fleet = fleet(self.accounts, self.spread);
        if self.fault == Fault::Missing {
            fleet.remove(fleet.len() / 2);
        }
        let workload = Arc::new(self.workload(seed));
        let outcome = self.outcome(&workload, &fleet, seed)?;
        let bounds = bounds(&workload, &fleet, self.charging, self.fault)?;
        let measured = Measured {
            outcome,
            bounds,
            tenants: workload.tenants,
        };
        anyhow::ensure!(
            measured.utilisation() <= 1.0 + 1e-9,
            "{}: a schedule of {} is below the bound of {}",
            self.name(),
            measured.outcome.makespan,
            measured.bounds.certified
        );
        Ok(measured)
    }

    fn workload(&self, seed: u64) -> Workload {
        let count = (self.accounts * TASKS_AN_ACCOUNT * self.size_percent / 100).max(1);
        let workload = Workload::new(self.shape, count, seed);
        if self.interactive == Interactive::None {
            return workload;
        }
        // The pool ends about three calls a second and account.
        let per_second = 0.2 * 2.9 * self.accounts as f64;
        let until = Millis::from_secs(150 * self.size_percent as u64 / 100);
        workload.with_interactive(per_second, until, seed)
    }

    fn outcome(
        &self,
        workload: &Arc<Workload>,
        fleet: &[Amounts],
        seed: u64,
    ) -> anyhow::Result<Outcome> {
        let clock = Arc::new(VirtualClock::default());
        let settings = RunSettings {
            charging: self.charging,
            fault: self.fault,
            seed,
        };
        match self.chooser {
            Chooser::Chorus(processes) => {
                let memory = Memory::new(Arc::new(clock.beside()), Start::Full);
                let handle = || -> Arc<dyn LimitState> { Arc::new(memory.beside()) };
                let (load, of_chorus) = (Arc::clone(workload), self.of_chorus(processes, seed));
                let mut router = Chorus::new(Arc::clone(&clock), load, fleet, of_chorus, handle);
                Ok(Run::new(clock, workload, fleet, &mut router, settings).finish())
            }
            #[cfg(feature = "redis")]
            Chooser::Redis(processes) => {
                let server = super::redis::Server::start()?;
                let handles: anyhow::Result<Vec<_>> = (0..=processes)
                    .map(|_| server.handle(Arc::new(clock.beside())))
                    .collect();
                let handles = std::cell::RefCell::new(handles?);
                let handle = || handles.borrow_mut().pop().expect("one for each process");
                let (load, of_chorus) = (Arc::clone(workload), self.of_chorus(processes, seed));
                let mut router = Chorus::new(Arc::clone(&clock), load, fleet, of_chorus, handle);
                let mut outcome = Run::new(clock, workload, fleet, &mut router, settings).finish();
                outcome.redis_us = server.script_us()? / outcome.admissions.len().max(1) as f64;
                Ok(outcome)
            }
            #[cfg(not(feature = "redis"))]
            Chooser::Redis(_) => anyhow::bail!("built without the feature redis"),
            Chooser::Rival(policy) => {
                let load = Arc::clone(workload);
                let mut router = Rival::new(policy, load, fleet, self.charging, seed);
                Ok(Run::new(clock, workload, fleet, &mut router, settings).finish())
            }
        }
    }

    fn of_chorus(&self, processes: usize, seed: u64) -> ChorusSettings {
        ChorusSettings {
            charging: self.charging,
            fault: self.fault,
            seed,
            processes,
            interactive: self.interactive != Interactive::AsTasks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::quantile;
    use super::*;

    #[test]
    fn interactive_calls_beside_tasks_of_another_process_end_and_wait_less_than_as_tasks() {
        let wait = |interactive| {
            let cell = Cell {
                interactive,
                size_percent: 20,
                ..Cell::plain(Shape::Flat, Charging::Admission)
            };
            let measured = cell.run(1).expect("a run above its bound");
            assert!(measured.outcome.is_complete());
            quantile(&measured.outcome.interactive_waits, 0.95)
        };
        let (first, as_tasks) = (wait(Interactive::First), wait(Interactive::AsTasks));
        assert!(first * 3 < as_tasks, "{first} ms and {as_tasks} ms");
    }
}
