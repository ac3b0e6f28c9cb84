//! Queue to the executor, left by whoever runs inside it: crash, start, pause, resume a process, now or later.
//!
//! They are carried out before the next poll, so that an order given inside a port call takes effect at that
//! very await. The order of orders is the order of their times, then of their giving.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use chorus_core::time::Timestamp;

use super::ProcessId;

/// What is to be done with a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Drop its futures, wherever they are.
    Crash,
    /// A new boot, if it is down.
    Start,
    /// Do not poll it, if it runs.
    Pause,
    /// Poll it again, if it is paused.
    Resume,
}

/// The orders that wait for their time.
#[derive(Debug, Default)]
pub struct Control(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    waiting: BTreeMap<(Timestamp, u64), (ProcessId, Command)>,
    scheduled: u64,
}

impl Control {
    /// Gives an order for a time; a past time means before the next poll.
    pub fn schedule(&self, at: Timestamp, process: ProcessId, command: Command) {
        let mut queue = self.lock();
        let number = queue.scheduled;
        queue.scheduled += 1;
        queue.waiting.insert((at, number), (process, command));
    }

    /// Takes the next order that is due.
    pub(super) fn due(&self, now: Timestamp) -> Option<(ProcessId, Command)> {
        let mut queue = self.lock();
        let first = queue.waiting.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// When the next order is due.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.lock().waiting.keys().next().map(|(at, _)| *at)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().expect("one thread alone holds the orders")
    }
}
