//! Runs the futures of named processes on one thread and a virtual clock, in an order drawn from a seed.
//!
//! A process is started from its boot_fn, crashed at any await (its futures are dropped before a poll), started
//! again as a new boot, or paused (not polled while time goes on) and resumed. The executor knows nothing of
//! services; what the processes do, and when they are crashed, is the world's affair.

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

/// A process of the executor, by order of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessId(pub u32);

/// One start of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boot {
    /// The process.
    pub process: ProcessId,
    /// How many times it was started before.
    pub number: u32,
}

/// Makes the futures of one boot; they end when the process has nothing more to do.
pub type BootFn = Box<dyn FnMut(Boot) -> Vec<BoxFuture<'static, ()>>>;

/// What one step of the executor did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A future of this process was polled.
    Polled(ProcessId),
    /// Nothing was ready: time went on to the next timer or order.
    Advanced(Timestamp),
    /// Nothing is ready and nothing waits for time: nothing will ever happen again.
    Stuck,
}

/// The processes and their time.
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

/// Whether a process is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It is.
    Running,
    /// Not now; its futures are kept while time goes on.
    Paused,
    /// It has no futures.
    Down,
}

impl Executor {
    /// An executor without processes whose time stands at `now`.
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

    /// Its time.
    pub const fn timeline(&self) -> &Arc<Timeline> {
        &self.timeline
    }

    /// Where orders to it are left.
    pub const fn control(&self) -> &Arc<Control> {
        &self.control
    }

    /// Adds a process and starts it.
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

    /// What a process is called.
    pub fn name(&self, id: ProcessId) -> &str {
        &self.processes[index(id)].name
    }

    /// Whether a process is polled now.
    pub fn status(&self, id: ProcessId) -> Status {
        self.processes[index(id)].status
    }

    /// A number that differs when the order of polls does.
    pub const fn digest(&self) -> u64 {
        self.digest
    }

    /// Carries out due orders, then polls one ready future, or lets time go on.
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
                self.processes[index(id)].status = Status::Paused
            }
            Command::Resume if status == Status::Paused => {
                self.processes[index(id)].status = Status::Running
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

    /// One of the ready tasks of running processes, drawn by the seed.
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
    /// Futures go before anything they may look at while they are dropped.
    fn drop(&mut self) {
        self.processes.clear();
    }
}

const fn index(id: ProcessId) -> usize {
    id.0 as usize
}

#[cfg(test)]
mod tests;
