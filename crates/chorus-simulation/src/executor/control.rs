//! Commands to the executor from code that runs inside it: crash, start, pause or resume a process,
//! now or later.
//!
//! Commands are applied before the next poll, so a command scheduled inside a port call takes
//! effect at that await. Commands are ordered by time, then by the order in which they were
//! scheduled.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use chorus_core::time::Timestamp;

use super::ProcessId;

/// Change of a process's [`Status`](super::Status).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Drops all futures of the process.
    Crash,
    /// Starts a new boot if the process is down.
    Start,
    /// Stops polling the process if it runs.
    Pause,
    /// Polls the process again if it is paused.
    Resume,
}

/// Commands that are not due yet, ordered by time.
#[derive(Debug, Default)]
pub struct Control(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    waiting: BTreeMap<(Timestamp, u64), (ProcessId, Command)>,
    scheduled: u64,
}

impl Control {
    /// Schedules a command at `at`; a past time means before the next poll.
    pub fn schedule(&self, at: Timestamp, process: ProcessId, command: Command) {
        let mut queue = self.lock();
        let number = queue.scheduled;
        queue.scheduled += 1;
        queue.waiting.insert((at, number), (process, command));
    }

    /// Removes and returns the first command that is due at `now`.
    pub(super) fn due(&self, now: Timestamp) -> Option<(ProcessId, Command)> {
        let mut queue = self.lock();
        let first = queue.waiting.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// Time at which the next command is due.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.lock().waiting.keys().next().map(|(at, _)| *at)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().expect("one thread alone holds the orders")
    }
}
