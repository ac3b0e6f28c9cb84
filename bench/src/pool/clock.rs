//! Virtual time of a run ([`VirtualClock`]): it moves only when the run moves it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use chorus_core::port::Clock;
use chorus_core::time::Timestamp;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, poll_fn};

/// Start of every run, so that clocks may be skewed into the past.
pub(crate) const START: Timestamp = Timestamp(1_700_000_000_000);

/// Clock of a run.
#[derive(Debug, Default)]
pub(crate) struct VirtualClock(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Milliseconds since [`START`].
    now: i64,
    numbers: u128,
    timers: BTreeSet<i64>,
}

impl VirtualClock {
    /// Another handle of the same clock.
    pub(crate) fn beside(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    pub(crate) fn set(&self, now: Timestamp) {
        lock(&self.0).now = now.0 - START.0;
    }

    /// Forgets all timers: futures that still wait set theirs again when they are polled.
    pub(crate) fn forget_timers(&self) {
        lock(&self.0).timers.clear();
    }

    /// Next time for which a future waits.
    pub(crate) fn next_timer(&self) -> Option<Timestamp> {
        let state = lock(&self.0);
        let next = state.timers.range(state.now + 1..).next();
        next.map(|at| Timestamp(at + START.0))
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp(lock(&self.0).now + START.0)
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let state = Arc::clone(&self.0);
        let at = at.0 - START.0;
        poll_fn(move |_| {
            let mut state = lock(&state);
            if state.now >= at {
                return Poll::Ready(());
            }
            state.timers.insert(at);
            Poll::Pending
        })
        .boxed()
    }

    fn random_u128(&self) -> u128 {
        let mut state = lock(&self.0);
        state.numbers += 1;
        state.numbers
    }

    fn random_below(&self, below: u64) -> u64 {
        below / 2
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
