//! Virtual time for tests of services on one thread: a clock that advances only when every future
//! waits.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use chorus_core::port::Clock;
use chorus_core::time::Timestamp;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, poll_fn};

#[derive(Debug, Default)]
struct VirtualTime {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    now: i64,
    numbers: u128,
    timers: BTreeSet<i64>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A cloneable handle that implements [`Clock`].
#[derive(Debug, Clone, Default)]
pub struct Handle(Arc<VirtualTime>);

impl Handle {
    /// The clock as a port.
    pub fn port(&self) -> Arc<dyn Clock> {
        Arc::new(self.clone())
    }

    /// Runs a future to its end. Time jumps to the next timer when no future is ready.
    ///
    /// # Panics
    /// If the future waits for something other than a timer.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        loop {
            while woken.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return value;
                }
            }
            let mut state = self.0.state.lock().expect("one thread");
            state.now = state.timers.pop_first().expect("something waits for time");
            woken.0.store(true, Ordering::Relaxed);
        }
    }
}

impl Clock for Handle {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.state.lock().expect("one thread").now)
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let time = Arc::clone(&self.0);
        poll_fn(move |_| {
            let mut state = time.state.lock().expect("one thread");
            if state.now >= at.0 {
                return Poll::Ready(());
            }
            state.timers.insert(at.0);
            Poll::Pending
        })
        .boxed()
    }

    fn random_u128(&self) -> u128 {
        let mut state = self.0.state.lock().expect("one thread");
        state.numbers += 1;
        state.numbers
    }

    fn random_below(&self, below: u64) -> u64 {
        below / 2
    }
}
