//! The only source of time and of random numbers.

use std::future::Future;

use futures_util::future::{BoxFuture, Either, select};

use crate::time::{Millis, Timestamp};

/// Current time, timers and random numbers.
pub trait Clock: Send + Sync {
    /// Returns the current time.
    fn now(&self) -> Timestamp;

    /// Returns at `at`, or at once if that is past.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()>;

    /// Returns a fresh 128-bit number for an id: a UUIDv7, never the same twice.
    fn random_u128(&self) -> u128;

    /// Returns a random number from 0 to `below`, exclusive; 0 when `below` is 0.
    fn random_below(&self, below: u64) -> u64;
}

impl dyn Clock + '_ {
    /// Returns after `length`.
    pub fn sleep(&self, length: Millis) -> BoxFuture<'static, ()> {
        self.sleep_until(self.now() + length)
    }

    /// Returns the future's value, or none when it is not ready by `at`.
    pub async fn deadline<F: Future>(&self, at: Timestamp, future: F) -> Option<F::Output> {
        let future = std::pin::pin!(future);
        match select(future, self.sleep_until(at)).await {
            Either::Left((value, _)) => Some(value),
            Either::Right(((), _)) => None,
        }
    }
}
