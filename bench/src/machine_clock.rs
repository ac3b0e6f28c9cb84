//! The [`Clock`] port on the machine's time and randomness.

use std::time::Duration;

use chorus_core::port::Clock;
use chorus_core::time::Timestamp;
use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::time::{now_ms, pause};

/// Clock of this machine.
#[derive(Debug, Clone, Copy)]
pub struct MachineClock;

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        Timestamp(now_ms())
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(pause(Duration::from_millis(at.since(self.now()).0)))
    }

    fn random_u128(&self) -> u128 {
        Uuid::now_v7().as_u128()
    }

    fn random_below(&self, below: u64) -> u64 {
        if below == 0 {
            0
        } else {
            (Uuid::new_v4().as_u64_pair().1 >> 4) % below
        }
    }
}
