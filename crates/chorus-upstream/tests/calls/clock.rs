//! Time that moves only by hand.

use std::sync::atomic::{AtomicU64, Ordering};

use chorus_core::port::Clock;
use chorus_core::time::{Millis, Timestamp};
use futures_util::future::BoxFuture;
use tokio::sync::watch;

pub(crate) struct HandClock {
    now: watch::Sender<Timestamp>,
    numbers: AtomicU64,
}

impl HandClock {
    pub(crate) const START: Timestamp = Timestamp(1_700_000_000_000);

    pub(crate) fn new() -> Self {
        Self {
            now: watch::Sender::new(Self::START),
            numbers: AtomicU64::new(1),
        }
    }

    pub(crate) fn advance(&self, length: Millis) {
        self.now.send_modify(|now| *now = *now + length);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let mut now = self.now.subscribe();
        Box::pin(async move {
            if now.wait_for(|now| *now >= at).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }

    fn random_u128(&self) -> u128 {
        u128::from(self.numbers.fetch_add(1, Ordering::Relaxed))
    }

    fn random_below(&self, _: u64) -> u64 {
        0
    }
}
