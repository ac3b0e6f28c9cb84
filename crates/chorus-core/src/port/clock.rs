//! Time and chance: the only source of both.

use std::future::Future;

use futures_util::future::{BoxFuture, Either, select};

use crate::time::{Millis, Timestamp};

/// Now, later, and chance.
pub trait Clock: Send + Sync {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Returns at `at`, at once if that is past.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()>;

    /// A fresh number for an id: UUIDv7, never the same twice.
    fn random_u128(&self) -> u128;

    /// A number from 0 to `below`, exclusive; 0 when `below` is 0.
    fn random_below(&self, below: u64) -> u64;
}

impl dyn Clock + '_ {
    /// Returns after `length`.
    pub fn sleep(&self, length: Millis) -> BoxFuture<'static, ()> {
        self.sleep_until(self.now() + length)
    }

    /// The future's value, or none when it is not there by `at`.
    pub async fn deadline<F: Future>(&self, at: Timestamp, future: F) -> Option<F::Output> {
        let future = std::pin::pin!(future);
        match select(future, self.sleep_until(at)).await {
            Either::Left((value, _)) => Some(value),
            Either::Right(((), _)) => None,
        }
    }
}
