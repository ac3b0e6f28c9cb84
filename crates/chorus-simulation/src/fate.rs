//! What goes wrong, drawn from the seed: at every port call the fate of a process says how long it takes,
//! whether it fails before or after the deed, and whether the process dies or freezes at that very await.
//!
//! Faults end at a fixed time, so that what must happen in the end can be asked for. The wrappers of `faulty`
//! ask here; nothing else does.

mod mix;
mod site;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use chorus_core::time::{Millis, Timestamp};
use fastrand::Rng;

pub use mix::{Kind, Mix, Outage};
pub use site::{Lost, Site};

use crate::chance::{self, permille};
use crate::executor::{Control, Order, ProcessId, Timeline};
use crate::log::Log;

/// What a process speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The database, with the artifacts and the directory in it.
    Store,
    /// The bus.
    Bus,
    /// The limiter.
    Limits,
}

/// What happens to a process at an await.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    /// It dies and starts again after this time.
    Crash(Millis),
    /// It is not polled for this time.
    Pause(Millis),
}

/// What becomes of one port call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lot {
    takes: Millis,
    answers: Millis,
    fails: bool,
    loses_reply: bool,
    before: Option<Blow>,
    after: Option<Blow>,
}

/// The fate of all processes of one world.
pub struct Fate {
    mix: Mix,
    timeline: Arc<Timeline>,
    control: Arc<Control>,
    log: Arc<Log>,
    state: Mutex<State>,
}

struct State {
    streams: BTreeMap<ProcessId, Rng>,
    blows: u32,
    frozen: BTreeMap<ProcessId, (Timestamp, Timestamp)>,
    seed: u64,
}

impl Fate {
    /// The fate that this mix and seed hold ready.
    pub fn new(
        seed: u64,
        mix: Mix,
        timeline: &Arc<Timeline>,
        control: &Arc<Control>,
        log: &Arc<Log>,
    ) -> Arc<Self> {
        Arc::new(Self {
            mix,
            timeline: Arc::clone(timeline),
            control: Arc::clone(control),
            log: Arc::clone(log),
            state: Mutex::new(State {
                streams: BTreeMap::new(),
                blows: 0,
                frozen: BTreeMap::new(),
                seed,
            }),
        })
    }

    /// What may go wrong.
    pub const fn mix(&self) -> &Mix {
        &self.mix
    }

    /// Whether this part answers nobody now.
    fn is_out(&self, part: Part) -> bool {
        let now = self.timeline.now();
        self.mix
            .outages
            .iter()
            .any(|outage| outage.part == part && outage.from <= now && now < outage.to)
    }

    /// The lot of one call of `process`, which may be struck down only if `mortal`.
    fn lot(&self, process: ProcessId, mortal: bool) -> Lot {
        let mut state = self.lock();
        let State {
            streams,
            blows,
            seed,
            ..
        } = &mut *state;
        let chance = streams
            .entry(process)
            .or_insert_with(|| chance::stream(*seed, &format!("fate {}", process.0)));
        let mix = &self.mix;
        let quiet = self.timeline.now() >= mix.until;
        let mut strikes = |chance: &mut Rng| -> Option<Blow> {
            if quiet || !mortal || *blows >= mix.most_blows {
                return None;
            }
            let blow = blow(mix, chance);
            *blows += u32::from(blow.is_some());
            blow
        };
        let before = strikes(chance);
        let after = if before.is_none() {
            strikes(chance)
        } else {
            None
        };
        Lot {
            takes: if quiet {
                Millis(1)
            } else {
                mix.latency(chance)
            },
            answers: Millis(chance.u64(0..3)),
            fails: !quiet && permille(chance, mix.fails),
            loses_reply: !quiet && permille(chance, mix.loses_reply),
            before,
            after,
        }
    }

    /// Gives the orders of a blow; the process is struck before its next poll.
    fn strike(&self, process: ProcessId, blow: Blow) {
        let now = self.timeline.now();
        match blow {
            Blow::Crash(down) => {
                self.control.order(now, process, Order::Crash);
                self.control.order(now + down, process, Order::Start);
            }
            Blow::Pause(length) => {
                self.control.order(now, process, Order::Pause);
                self.control.order(now + length, process, Order::Resume);
                self.lock().frozen.insert(process, (now, now + length));
            }
        }
    }

    /// Draws for the wrappers of the bus: whether one of the things of this share happens now.
    pub fn happens(&self, process: ProcessId, share: u32) -> bool {
        self.draw(process, |chance| permille(chance, share)) && self.timeline.now() < self.mix.until
    }

    /// A length of time up to `most`.
    pub fn delay(&self, process: ProcessId, most: Millis) -> Millis {
        self.draw(process, |chance| Millis(chance.u64(1..=most.0.max(1))))
    }

    /// For how long this process has been frozen now.
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

fn blow(mix: &Mix, chance: &mut Rng) -> Option<Blow> {
    if permille(chance, mix.crashes) {
        let down = [Millis(20), Millis(2_000), Millis(45_000), Millis(120_000)];
        return Some(Blow::Crash(
            down[chance.usize(0..if mix.quick { 2 } else { down.len() })],
        ));
    }
    if permille(chance, mix.pauses) {
        let length = [
            Millis(3_000),
            Millis(25_000),
            Millis(90_000),
            Millis(400_000),
        ];
        return Some(Blow::Pause(
            length[chance.usize(0..if mix.quick { 1 } else { length.len() })],
        ));
    }
    None
}
