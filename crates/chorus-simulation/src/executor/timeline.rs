//! Virtual time: the current time, the timers, and the set of ready tasks.
//!
//! The [`Timeline`] is shared between the [`Executor`](super::Executor) and the clocks of its
//! processes. Time moves only when the executor advances it, which it does when no task is ready.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

use chorus_core::time::Timestamp;

use super::ProcessId;

/// One future of one boot. Numbers are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TaskId {
    pub(super) process: ProcessId,
    pub(super) number: u32,
}

/// Tasks to be polled, ordered by id, so the order of wake-ups does not matter.
#[derive(Debug, Default)]
pub(super) struct Ready(Mutex<BTreeSet<TaskId>>);

impl Ready {
    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeSet<TaskId>> {
        self.0
            .lock()
            .expect("one thread alone holds the set of ready tasks")
    }
}

/// [`Waker`] that marks one task as ready.
pub(super) struct TaskWaker {
    pub(super) task: TaskId,
    pub(super) ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.lock().insert(self.task);
    }
}

/// Virtual time and the timers that wait for it.
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
    /// Creates a timeline that starts at `now`.
    pub fn new(now: Timestamp) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Times {
            now,
            timers: BTreeMap::new(),
            next: 0,
        })))
    }

    /// Current virtual time.
    pub fn now(&self) -> Timestamp {
        self.lock().now
    }

    /// Returns a future that completes at `at`, at once if `at` has passed.
    pub fn sleep_until(self: &Arc<Self>, at: Timestamp) -> Sleep {
        Sleep {
            timeline: Arc::clone(self),
            at,
            timer: None,
        }
    }

    /// Time of the earliest timer.
    pub(super) fn next_timer(&self) -> Option<Timestamp> {
        self.lock().timers.keys().next().map(|(at, _)| *at)
    }

    /// Sets the time to `at` and wakes every timer that is due.
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

/// Future of one timer; dropping it removes the timer.
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
