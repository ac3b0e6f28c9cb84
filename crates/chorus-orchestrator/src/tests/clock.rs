//! A clock that stands until it is moved.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use chorus_core::port::Clock;
use chorus_core::time::{Millis, Timestamp};
use futures_util::future::BoxFuture;

#[derive(Clone)]
pub(super) struct ManualClock(Arc<Mutex<Inside>>);

struct Inside {
    now: Timestamp,
    numbers: u128,
    chance: fastrand::Rng,
    sleepers: Vec<(Timestamp, Waker)>,
}

impl ManualClock {
    pub(super) fn new(seed: u64) -> Self {
        let (now, chance) = (Timestamp(1_000_000), fastrand::Rng::with_seed(seed));
        Self(Arc::new(Mutex::new(Inside {
            now,
            numbers: u128::from(seed) << 64,
            chance,
            sleepers: Vec::new(),
        })))
    }

    fn with<R>(&self, act: impl FnOnce(&mut Inside) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Moves the time and wakes the sleepers that are due.
    pub(super) fn advance(&self, by: Millis) {
        let woken: Vec<_> = self.with(|inside| {
            inside.now = inside.now + by;
            let now = inside.now;
            let (due, rest) = std::mem::take(&mut inside.sleepers)
                .into_iter()
                .partition(|(at, _)| *at <= now);
            inside.sleepers = rest;
            due
        });
        woken
            .into_iter()
            .for_each(|(_, waker): (_, Waker)| waker.wake());
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.with(|inside| inside.now)
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(Sleep {
            clock: self.clone(),
            at,
        })
    }

    fn random_u128(&self) -> u128 {
        self.with(|inside| {
            inside.numbers += 1;
            inside.numbers
        })
    }

    fn random_below(&self, below: u64) -> u64 {
        self.with(|inside| {
            if below == 0 {
                0
            } else {
                inside.chance.u64(0..below)
            }
        })
    }
}

struct Sleep {
    clock: ManualClock,
    at: Timestamp,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.clock.with(|inside| {
            if inside.now >= self.at {
                return Poll::Ready(());
            }
            inside.sleepers.push((self.at, context.waker().clone()));
            Poll::Pending
        })
    }
}
