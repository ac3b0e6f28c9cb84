//! Runs the futures of named processes on one thread and a virtual clock, in an order drawn from a
//! seed.
//!
//! A process is started by its [`BootFn`]. A [`Command`] crashes it (its futures are dropped before
//! the next poll), starts it again as a new boot, pauses it (no polls while time goes on) or
//! resumes it. The executor does not know the services; [`crate::world`] decides which processes
//! exist and [`crate::fault`] when they crash.

mod control;
mod timeline;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use chorus_core::time::Timestamp;
use fastrand::Rng;
use futures_util::future::BoxFuture;

pub use control::{Command, Control};
use timeline::{Ready, TaskId, TaskWaker};
pub use timeline::{Sleep, Timeline};

use crate::chance;

/// Number of a process, in order of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessId(pub u32);

/// One start of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boot {
    /// The process that starts.
    pub process: ProcessId,
    /// Number of earlier boots of the process; 0 for the first boot.
    pub number: u32,
}

/// Creates the futures of one boot. A process without futures left is idle until its next boot.
pub type BootFn = Box<dyn FnMut(Boot) -> Vec<BoxFuture<'static, ()>>>;

/// Result of one call of [`Executor::step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A future of the process was polled.
    Polled(ProcessId),
    /// No future was ready, so time advanced to the next timer or command.
    Advanced(Timestamp),
    /// No future is ready and none waits for time: a deadlock, or the end of all processes.
    Stuck,
}

/// All processes, their ready futures and their [`Timeline`].
pub struct Executor {
    timeline: Arc<Timeline>,
    ready: Arc<Ready>,
    control: Arc<Control>,
    processes: Vec<Process>,
    schedule: Rng,
    tasks: u32,
    digest: u64,
}

struct Process {
    name: String,
    boot_fn: BootFn,
    status: Status,
    boots: u32,
    tasks: BTreeMap<TaskId, Task>,
}

struct Task {
    future: BoxFuture<'static, ()>,
    waker: Waker,
}

/// Scheduling state of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Ready futures are polled.
    Running,
    /// Futures are kept and not polled while time goes on.
    Paused,
    /// No futures exist until the next boot.
    Down,
}

impl Executor {
    /// Creates an executor without processes that starts at `now`.
    pub fn new(seed: u64, now: Timestamp) -> Self {
        Self {
            timeline: Timeline::new(now),
            ready: Arc::default(),
            control: Arc::default(),
            processes: Vec::new(),
            schedule: chance::stream(seed, "schedule"),
            tasks: 0,
            digest: 0,
        }
    }

    /// Virtual time, shared with the clocks of all processes.
    pub const fn timeline(&self) -> &Arc<Timeline> {
        &self.timeline
    }

    /// Queue in which a [`Command`] for a process is scheduled.
    pub const fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Adds a process and starts its first boot.
    pub fn spawn(&mut self, name: &str, boot_fn: BootFn) -> ProcessId {
        let id = ProcessId(u32::try_from(self.processes.len()).expect("fewer processes than 2^32"));
        let process = Process {
            name: name.to_owned(),
            boot_fn,
            status: Status::Down,
            boots: 0,
            tasks: BTreeMap::new(),
        };
        self.processes.push(process);
        self.start(id);
        id
    }

    /// Name of the process, used in logs only.
    pub fn name(&self, id: ProcessId) -> &str {
        &self.processes[index(id)].name
    }

    /// Current scheduling state of the process.
    pub fn status(&self, id: ProcessId) -> Status {
        self.processes[index(id)].status
    }

    /// Hash of the order of polls; equal runs have equal digests.
    pub const fn digest(&self) -> u64 {
        self.digest
    }

    /// Applies due commands, then polls one ready future or advances time.
    pub fn step(&mut self) -> Step {
        while let Some((process, command)) = self.control.due(self.timeline.now()) {
            self.apply(process, command);
        }
        let Some(task) = self.draw() else {
            return self.advance();
        };
        self.digest = (self.digest ^ (u64::from(task.process.0) << 32 | u64::from(task.number)))
            .wrapping_mul(0x0100_0000_01b3);
        self.poll(task);
        Step::Polled(task.process)
    }

    fn apply(&mut self, id: ProcessId, command: Command) {
        let status = self.status(id);
        match command {
            Command::Crash => {
                self.processes[index(id)].status = Status::Down;
                drop(std::mem::take(&mut self.processes[index(id)].tasks));
                self.ready.lock().retain(|task| task.process != id);
            }
            Command::Start if status == Status::Down => self.start(id),
            Command::Pause if status == Status::Running => {
                self.processes[index(id)].status = Status::Paused;
            }
            Command::Resume if status == Status::Paused => {
                self.processes[index(id)].status = Status::Running;
            }
            Command::Start | Command::Pause | Command::Resume => {}
        }
    }

    fn start(&mut self, id: ProcessId) {
        let process = &mut self.processes[index(id)];
        let boot = Boot {
            process: id,
            number: process.boots,
        };
        process.boots += 1;
        process.status = Status::Running;
        for future in (process.boot_fn)(boot) {
            let task = TaskId {
                process: id,
                number: self.tasks,
            };
            self.tasks += 1;
            let waker = Waker::from(Arc::new(TaskWaker {
                task,
                ready: Arc::clone(&self.ready),
            }));
            process.tasks.insert(task, Task { future, waker });
            self.ready.lock().insert(task);
        }
    }

    /// Draws one of the ready tasks of running processes from the schedule stream.
    fn draw(&mut self) -> Option<TaskId> {
        let mut ready = self.ready.lock();
        let runnable: Vec<TaskId> = ready
            .iter()
            .filter(|task| self.processes[index(task.process)].status == Status::Running)
            .copied()
            .collect();
        let drawn = *runnable.get(self.schedule.usize(0..runnable.len().max(1)))?;
        ready.remove(&drawn);
        Some(drawn)
    }

    fn poll(&mut self, id: TaskId) {
        let tasks = &mut self.processes[index(id.process)].tasks;
        let Some(task) = tasks.get_mut(&id) else {
            return;
        };
        let mut context = Context::from_waker(&task.waker);
        if let Poll::Ready(()) = task.future.as_mut().poll(&mut context) {
            tasks.remove(&id);
        }
    }

    fn advance(&mut self) -> Step {
        match self
            .timeline
            .next_timer()
            .into_iter()
            .chain(self.control.next())
            .min()
        {
            Some(at) => {
                self.timeline.advance(at);
                Step::Advanced(at)
            }
            None => Step::Stuck,
        }
    }
}

impl Drop for Executor {
    /// Drops futures before the ready set and the timeline that their destructors use.
    fn drop(&mut self) {
        self.processes.clear();
    }
}

const fn index(id: ProcessId) -> usize {
    id.0 as usize
}

#[cfg(test)]
mod tests;
