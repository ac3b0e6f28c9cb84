//! Injects faults that are drawn from the seed.
//!
//! At every port call a [`FaultPoint`] asks the [`FaultInjector`] for the latency of the call, for
//! a failure before or after the operation, and for a crash or pause of the process at that await.
//! Faults end at [`FaultPlan::until`], so that the run can be checked for termination. Only the
//! wrappers of [`crate::faulty`] and [`crate::network`] ask here.

mod plan;
mod point;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use chorus_core::time::{Millis, Timestamp};
use fastrand::Rng;

pub use plan::{FaultPlan, Outage, ProcessKind, SickAccounts};
pub use point::{FaultPoint, PortFailure};

use crate::chance::{self, permille};
use crate::executor::{Command, Control, ProcessId, Timeline};
use crate::log::Log;

/// External system that a process calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Database, including artifacts and the directory.
    Store,
    /// Message bus.
    Bus,
    /// Limiter: [`chorus_core::port::LimitState`].
    Limits,
}

/// Fault of a process at an await.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The process crashes and starts again after this time.
    Crash(Millis),
    /// The process is not polled for this time.
    Pause(Millis),
}

/// Latency and faults of one port call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CallFaults {
    takes: Millis,
    answers: Millis,
    fails: bool,
    loses_reply: bool,
    before: Option<Fault>,
    after: Option<Fault>,
}

/// Draws the faults of all processes of one simulation.
pub struct FaultInjector {
    plan: FaultPlan,
    timeline: Arc<Timeline>,
    control: Arc<Control>,
    log: Arc<Log>,
    state: Mutex<State>,
}

struct State {
    streams: BTreeMap<ProcessId, Rng>,
    faults: u32,
    frozen: BTreeMap<ProcessId, (Timestamp, Timestamp)>,
    seed: u64,
}

impl FaultInjector {
    /// Creates the injector of a plan and a seed.
    pub fn new(
        seed: u64,
        plan: FaultPlan,
        timeline: &Arc<Timeline>,
        control: &Arc<Control>,
        log: &Arc<Log>,
    ) -> Arc<Self> {
        Arc::new(Self {
            plan,
            timeline: Arc::clone(timeline),
            control: Arc::clone(control),
            log: Arc::clone(log),
            state: Mutex::new(State {
                streams: BTreeMap::new(),
                faults: 0,
                frozen: BTreeMap::new(),
                seed,
            }),
        })
    }

    /// The plan from which faults are drawn.
    pub const fn plan(&self) -> &FaultPlan {
        &self.plan
    }

    /// Returns true during an [`Outage`] of the part.
    fn is_out(&self, part: Part) -> bool {
        let now = self.timeline.now();
        self.plan
            .outages
            .iter()
            .any(|outage| outage.part == part && outage.from <= now && now < outage.to)
    }

    /// Draws the faults of one port call. Only processes with `may_crash` crash or pause.
    fn draw_call(&self, process: ProcessId, may_crash: bool) -> CallFaults {
        let mut state = self.lock();
        let State {
            streams,
            faults,
            seed,
            ..
        } = &mut *state;
        let chance = streams
            .entry(process)
            .or_insert_with(|| chance::stream(*seed, &format!("fate {}", process.0)));
        let plan = &self.plan;
        let quiet = self.timeline.now() >= plan.until;
        let mut draw_fault = |chance: &mut Rng| -> Option<Fault> {
            if quiet || !may_crash || *faults >= plan.max_faults {
                return None;
            }
            let fault = drawn_fault(plan, chance);
            *faults += u32::from(fault.is_some());
            fault
        };
        let before = draw_fault(chance);
        let after = if before.is_none() {
            draw_fault(chance)
        } else {
            None
        };
        CallFaults {
            takes: if quiet {
                Millis(1)
            } else {
                plan.latency(chance)
            },
            answers: Millis(chance.u64(0..3)),
            fails: !quiet && permille(chance, plan.fails),
            loses_reply: !quiet && permille(chance, plan.loses_reply),
            before,
            after,
        }
    }

    /// Schedules the commands of a fault; it takes effect before the next poll of the process.
    fn inject(&self, process: ProcessId, fault: Fault) {
        let now = self.timeline.now();
        match fault {
            Fault::Crash(down) => {
                self.control.schedule(now, process, Command::Crash);
                self.control.schedule(now + down, process, Command::Start);
            }
            Fault::Pause(length) => {
                self.control.schedule(now, process, Command::Pause);
                self.control
                    .schedule(now + length, process, Command::Resume);
                self.lock().frozen.insert(process, (now, now + length));
            }
        }
    }

    /// Draws with a chance of `share` in 1,000; always false after [`FaultPlan::until`].
    pub fn happens(&self, process: ProcessId, share: u32) -> bool {
        self.draw(process, |chance| permille(chance, share))
            && self.timeline.now() < self.plan.until
    }

    /// Draws a delay from 1 ms to `most`.
    pub fn delay(&self, process: ProcessId, most: Millis) -> Millis {
        self.draw(process, |chance| Millis(chance.u64(1..=most.0.max(1))))
    }

    /// Time since the start of the current pause of the process; zero if it is not paused.
    pub fn frozen_for(&self, process: ProcessId) -> Millis {
        let now = self.timeline.now();
        self.lock()
            .frozen
            .get(&process)
            .filter(|(_, until)| now < *until)
            .map_or(Millis::ZERO, |(since, _)| now.since(*since))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("one thread alone draws lots")
    }

    fn draw<T>(&self, process: ProcessId, draw: impl FnOnce(&mut Rng) -> T) -> T {
        let mut state = self.lock();
        let seed = state.seed;
        draw(
            state
                .streams
                .entry(process)
                .or_insert_with(|| chance::stream(seed, &format!("fate {}", process.0))),
        )
    }
}

fn drawn_fault(plan: &FaultPlan, chance: &mut Rng) -> Option<Fault> {
    if permille(chance, plan.crashes) {
        let down = [Millis(20), Millis(2_000), Millis(45_000), Millis(120_000)];
        return Some(Fault::Crash(
            down[chance.usize(0..if plan.quick { 2 } else { down.len() })],
        ));
    }
    if permille(chance, plan.pauses) {
        let length = [
            Millis(3_000),
            Millis(25_000),
            Millis(90_000),
            Millis(400_000),
        ];
        return Some(Fault::Pause(
            length[chance.usize(0..if plan.quick { 1 } else { length.len() })],
        ));
    }
    None
}
