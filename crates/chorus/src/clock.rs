//! The real clock: system time, tokio's timer, the system's random numbers. The only place that reads them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chorus_core::port::Clock;
use chorus_core::time::Timestamp;
use futures_util::future::BoxFuture;
use uuid::Uuid;

/// Time and chance of this machine, as a [`Clock`].
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let length = Duration::from_millis(at.since(self.now()).0);
        Box::pin(tokio::time::sleep(length))
    }

    fn random_u128(&self) -> u128 {
        Uuid::now_v7().as_u128()
    }

    fn random_below(&self, below: u64) -> u64 {
        if below == 0 {
            return 0;
        }
        let (_, random) = Uuid::new_v4().as_u64_pair();
        (random >> 4) % below
    }
}
