//! Repeats an operation of a port until an answer arrives, with growing and jittered waits.
//!
//! An error of a port means *unknown*: the operation may have been applied although its reply was lost. Every
//! changing method of a port can be repeated with the same arguments, so the same call is made again. Waits
//! come from the [`Clock`]; the caller chooses the end. Deliberately absent: retries of calls to providers,
//! which cost money and follow the failure table.

use std::fmt::Display;
use std::future::Future;

use super::Clock;
use crate::time::{Millis, Timestamp};

/// Bound of the first wait.
const FIRST_BOUND: Millis = Millis(100);
/// Bound of every wait after enough failures.
const LONGEST_BOUND: Millis = Millis(5_000);

/// Waits between attempts: jittered between half of a bound and the bound, which doubles from 100 ms to 5 s.
#[derive(Debug, Clone)]
pub struct Backoff {
    bound: Millis,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { bound: FIRST_BOUND }
    }
}

impl Backoff {
    /// Draws the next wait and doubles the bound.
    pub fn next_wait(&mut self, clock: &dyn Clock) -> Millis {
        let half = self.bound.0 / 2;
        self.bound = Millis(self.bound.0 * 2).min(LONGEST_BOUND);
        Millis(half + clock.random_below(half + 1))
    }

    /// Sleeps for the next wait.
    pub async fn wait(&mut self, clock: &dyn Clock) {
        let wait = self.next_wait(clock);
        clock.sleep(wait).await;
    }
}

/// Repeats `call` until it succeeds, without an end. Each failure is logged with the `operation`, which reads
/// after "failed to".
pub async fn until_ok<T, E, F>(clock: &dyn Clock, operation: &str, call: impl FnMut() -> F) -> T
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    match until_ok_before(clock, Timestamp(i64::MAX), operation, call).await {
        Some(value) => value,
        None => unreachable!("no wait ends after the end of time"),
    }
}

/// Repeats `call` until it succeeds; returns none when the next wait would end at or after `end`. A call under
/// way at `end` is not cut.
pub async fn until_ok_before<T, E, F>(
    clock: &dyn Clock,
    end: Timestamp,
    operation: &str,
    mut call: impl FnMut() -> F,
) -> Option<T>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    let mut backoff = Backoff::default();
    loop {
        match call().await {
            Ok(value) => return Some(value),
            Err(error) => tracing::warn!(error = %error, "failed to {operation}, trying again"),
        }
        let wait = backoff.next_wait(clock);
        if clock.now() + wait >= end {
            return None;
        }
        clock.sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::sync::{Arc, Mutex};

    use futures_util::FutureExt as _;
    use futures_util::future::{BoxFuture, ready};

    use super::*;

    /// A clock on which every sleep passes at once; it records how long each was.
    #[derive(Default)]
    struct Fake {
        now: Mutex<i64>,
        slept: Mutex<Vec<u64>>,
    }

    impl Clock for Arc<Fake> {
        fn now(&self) -> Timestamp {
            Timestamp(*self.now.lock().expect("one thread"))
        }

        fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
            let wait = at.since(Clock::now(self));
            self.slept.lock().expect("one thread").push(wait.0);
            *self.now.lock().expect("one thread") = at.0;
            ready(()).boxed()
        }

        fn random_u128(&self) -> u128 {
            0
        }

        fn random_below(&self, below: u64) -> u64 {
            below.saturating_sub(1)
        }
    }

    fn check(failures: usize, end: i64, expected: Option<usize>, waits: &[u64]) {
        let clock = Arc::new(Fake::default());
        let (calls, last) = (Cell::new(0), RefCell::new(String::new()));
        let call = || {
            calls.set(calls.get() + 1);
            let result = if calls.get() > failures {
                Ok(calls.get())
            } else {
                last.replace(format!("failure {}", calls.get()));
                Err(last.borrow().clone())
            };
            ready(result)
        };
        let repeated = until_ok_before(&clock, Timestamp(end), "read a row", call);
        assert_eq!(repeated.now_or_never().expect("no wait is real"), expected);
        assert_eq!(*clock.slept.lock().expect("one thread"), waits);
    }

    #[test]
    fn a_call_that_succeeds_is_made_once() {
        check(0, i64::MAX, Some(1), &[]);
    }

    #[test]
    fn waits_double_up_to_five_seconds() {
        let waits = [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000];
        check(8, i64::MAX, Some(9), &waits);
    }

    #[test]
    fn no_wait_begins_that_would_pass_the_end() {
        check(8, 750, None, &[100, 200, 400]);
        check(8, 0, None, &[]);
    }

    #[test]
    fn without_an_end_the_first_success_is_returned() {
        let clock = Arc::new(Fake::default());
        let left = Cell::new(50);
        let call = || {
            left.set(left.get() - 1);
            ready(if left.get() == 0 { Ok(7) } else { Err("away") })
        };
        let value = until_ok(&clock, "read a row", call);
        assert_eq!(value.now_or_never(), Some(7));
    }
}
