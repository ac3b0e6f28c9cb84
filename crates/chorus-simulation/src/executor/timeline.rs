//! Virtual time: now, the timers that wait for later, and the set of tasks that are ready.
//!
//! Shared between the executor and the clocks of its processes. Nothing here moves by itself: the executor
//! advances time when no task is ready.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

use chorus_core::time::Timestamp;

use super::ProcessId;

/// One future of one boot of one process; numbers are never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TaskId {
    pub(super) process: ProcessId,
    pub(super) number: u32,
}

/// Tasks that want to be polled, in an order that does not depend on who woke them first.
#[derive(Debug, Default)]
pub(super) struct Ready(Mutex<BTreeSet<TaskId>>);

impl Ready {
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeSet<TaskId>> {
        self.0
            .lock()
            .expect("one thread alone holds the set of ready tasks")
    }
}

/// Marks one task as ready.
pub(super) struct TaskWaker {
    pub(super) task: TaskId,
    pub(super) ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.lock().insert(self.task);
    }
}

/// Virtual time and what waits for it.
#[derive(Debug)]
pub struct Timeline(Mutex<Times>);

#[derive(Debug)]
struct Times {
    now: Timestamp,
    timers: BTreeMap<TimerId, Waker>,
    next: u64,
}

type TimerId = (Timestamp, u64);

impl Timeline {
    /// Time standing at `now`.
    pub fn new(now: Timestamp) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Times {
            now,
            timers: BTreeMap::new(),
            next: 0,
        })))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.lock().now
    }

    /// A future that is over at `at`.
    pub fn sleep_until(self: &Arc<Self>, at: Timestamp) -> Sleep {
        Sleep {
            timeline: Arc::clone(self),
            at,
            timer: None,
        }
    }

    /// When the first timer rings.
    pub(super) fn next_timer(&self) -> Option<Timestamp> {
        self.lock().timers.keys().next().map(|(at, _)| *at)
    }

    /// Moves time to `at` and wakes whoever waited for it.
    pub(super) fn advance(&self, at: Timestamp) {
        let due = {
            let mut times = self.lock();
            times.now = times.now.max(at);
            let after = (Timestamp(times.now.0 + 1), 0);
            let later = times.timers.split_off(&after);
            std::mem::replace(&mut times.timers, later)
        };
        due.into_values().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, Times> {
        self.0.lock().expect("one thread alone holds the timeline")
    }
}

/// Waits for a point of virtual time; dropping it takes the timer away.
#[derive(Debug)]
pub struct Sleep {
    timeline: Arc<Timeline>,
    at: Timestamp,
    timer: Option<TimerId>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let at = self.at;
        let timer = self.timer;
        let mut times = self.timeline.lock();
        if times.now >= at {
            return Poll::Ready(());
        }
        let id = timer.unwrap_or((at, times.next));
        times.next += u64::from(timer.is_none());
        times.timers.insert(id, context.waker().clone());
        drop(times);
        self.timer = Some(id);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(id) = self.timer {
            self.timeline.lock().timers.remove(&id);
        }
    }
}
