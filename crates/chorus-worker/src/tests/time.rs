//! Virtual time on one thread: time goes on only when nothing is ready.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use chorus_core::port::Clock;
use chorus_core::time::Timestamp;
use futures_util::future::{BoxFuture, poll_fn};

/// Time that stands still until [`run`] moves it.
#[derive(Default)]
pub(super) struct Time {
    state: Mutex<State>,
    numbers: AtomicU64,
}

#[derive(Default)]
struct State {
    now: Timestamp,
    timers: BTreeMap<(Timestamp, u64), Waker>,
}

impl Time {
    pub(super) fn shared(self: &Arc<Self>) -> Arc<dyn Clock> {
        Arc::new(Hand(self.clone()))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.state.lock().unwrap().now
    }

    fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Moves on to the next timer, if there is one by `end`.
    fn advance(&self, end: Timestamp) -> bool {
        let mut state = self.state.lock().unwrap();
        let Some(first) = state
            .timers
            .first_entry()
            .filter(|timer| timer.key().0 <= end)
        else {
            return false;
        };
        let ((at, _), waker) = first.remove_entry();
        state.now = state.now.max(at);
        drop(state);
        waker.wake();
        true
    }
}

/// Runs the future until it is over or until `end`; whether it is over.
pub(super) fn run(time: &Time, future: impl Future<Output = ()>, end: Timestamp) -> bool {
    struct Flag(AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let flag = Arc::new(Flag(AtomicBool::new(true)));
    let waker = Waker::from(flag.clone());
    let mut future = pin!(future);
    loop {
        while flag.0.swap(false, Ordering::SeqCst) {
            if future
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
            {
                return true;
            }
        }
        if !time.advance(end) {
            time.state.lock().unwrap().now = end;
            return false;
        }
    }
}

struct Hand(Arc<Time>);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let time = self.0.clone();
        let number = time.next_number();
        Box::pin(poll_fn(move |context| {
            let mut state = time.state.lock().unwrap();
            if state.now >= at {
                return Poll::Ready(());
            }
            state.timers.insert((at, number), context.waker().clone());
            Poll::Pending
        }))
    }

    fn random_u128(&self) -> u128 {
        u128::from(self.0.next_number())
    }

    fn random_below(&self, below: u64) -> u64 {
        below / 2
    }
}
