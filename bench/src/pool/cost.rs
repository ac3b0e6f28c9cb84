//! Time and memory of one admission ([`Cost`]) at a number of accounts and waiting calls.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use chorus_core::port::LimitState;
use chorus_core::time::Millis;
use chorus_limits::{Memory, Start};

use super::chorus::{Chorus, ChorusSettings};
use super::clock::{START, VirtualClock};
use super::faults::Fault;
use super::fleet::{Charging, Spread, fleet};
use super::outcome::quantile;
use super::router::Router;
use super::workload::{Shape, Workload};
use crate::time::stopwatch;
use crate::usage::resident_mib;

/// Admissions that are measured, in groups of which the median counts.
const ADMISSIONS: usize = 4_000;
const GROUPS: usize = 20;
/// Real seconds after which no more calls are queued or admitted: a slow engine is measured on fewer.
const LONGEST: f64 = 25.0;
/// Memory of all waiting calls, in MiB, from which no more are queued.
const MOST_MIB: f64 = 1_500.0;

/// Cost of one admission.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cost {
    pub(crate) accounts: usize,
    pub(crate) waiting: usize,
    pub(crate) push_us: f64,
    /// Decision and reservation of one call, in microseconds: median of groups.
    pub(crate) admission_us: f64,
    /// End of one call and its lessons.
    pub(crate) end_us: f64,
    pub(crate) bytes_a_waiter: f64,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} accounts, {} waiting: admission {:.1} us, push {:.1} us, end {:.1} us, {:.0} B a waiter",
            self.accounts,
            self.waiting,
            self.admission_us,
            self.push_us,
            self.end_us,
            self.bytes_a_waiter
        )
    }
}

/// Measures admissions while `waiting` calls wait, all accounts busy: each end admits the next call.
pub(crate) fn admission(accounts: usize, waiting: usize) -> Cost {
    let clock = Arc::new(VirtualClock::default());
    clock.set(START);
    let workload = Arc::new(Workload::new(Shape::Flat, waiting + 60_000, 1));
    let memory = Memory::new(Arc::new(clock.beside()), Start::Full);
    let settings = ChorusSettings {
        charging: Charging::Admission,
        fault: Fault::None,
        seed: 1,
        processes: 1,
        interactive: true,
    };
    let fleet = fleet(accounts, Spread::Unequal);
    let handle = || -> Arc<dyn LimitState> { Arc::new(memory.beside()) };
    let mut router = Chorus::new(Arc::clone(&clock), workload, &fleet, settings, handle);
    let before = resident();
    let push = stopwatch();
    let mut pushed = 0;
    while pushed < waiting && push() < LONGEST && resident_every(pushed) - before < MOST_MIB {
        router.ready(pushed, START);
        pushed += 1;
    }
    let push_us = push() * 1e6 / pushed.max(1) as f64;
    let bytes_a_waiter = (resident() - before).max(0.0) * 1_048_576.0 / pushed.max(1) as f64;
    let (admission_us, end_us) = cycle(&mut router, &clock, pushed);
    Cost {
        accounts,
        waiting: pushed,
        push_us,
        admission_us,
        end_us,
        bytes_a_waiter,
    }
}

/// Admits, sends and ends calls in turn; a new one is queued for each. Returns the microseconds of an admission and
/// of an end.
fn cycle(router: &mut Chorus, clock: &VirtualClock, mut queued: usize) -> (f64, f64) {
    let (mut now, whole) = (START, stopwatch());
    let mut running = VecDeque::new();
    let (mut groups, mut ends) = (Vec::new(), Vec::new());
    let (mut admitted, mut ns) = (0_usize, 0.0);
    let mut is_full = false;
    while groups.len() < GROUPS && whole() < LONGEST {
        clock.set(now);
        let took = stopwatch();
        let orders = router.decide(now);
        ns += took() * 1e9;
        for order in &orders {
            router.sends(order.call, now);
            running.push_back(order.call);
            router.ready(queued, now);
            queued += 1;
        }
        admitted += orders.len();
        // A slow engine does not fill the pool in time: what it did until then counts.
        if admitted >= ADMISSIONS / GROUPS && (is_full || groups.is_empty()) {
            groups.push((ns / admitted as f64) as u64);
            (admitted, ns) = (0, 0.0);
        }
        if orders.is_empty() {
            if !std::mem::replace(&mut is_full, true) {
                groups.clear();
                (admitted, ns) = (0, 0.0);
            }
            now = now + Millis(20);
            clock.set(now);
            let took = stopwatch();
            let number = (running.len() / 100).max(1);
            for call in running
                .drain(..number.min(running.len()))
                .collect::<Vec<_>>()
            {
                router.ended(call, Millis(2_000), now);
            }
            ends.push((took() * 1e9 / number as f64) as u64);
        }
    }
    groups.sort_unstable();
    ends.sort_unstable();
    let us = |sorted: &[u64]| quantile(sorted, 0.5) as f64 / 1000.0;
    (us(&groups), us(&ends))
}

/// Resident memory of this process, in MiB.
fn resident() -> f64 {
    resident_mib(std::process::id()).unwrap_or(0.0)
}

/// Resident memory, read at every hundredth call only.
fn resident_every(at: usize) -> f64 {
    if at.is_multiple_of(100) {
        resident()
    } else {
        0.0
    }
}
