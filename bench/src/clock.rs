//! The machine's time and chance.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chorus_core::port::Clock;
use chorus_core::time::Timestamp;
use futures_util::future::BoxFuture;
use uuid::Uuid;

/// The machine's clock.
pub(crate) struct MachineClock;

impl Clock for MachineClock {
    #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(at.since(self.now()).0)))
    }

    fn number(&self) -> u128 {
        Uuid::now_v7().as_u128()
    }

    fn chance(&self, below: u64) -> u64 {
        if below == 0 { 0 } else { (Uuid::new_v4().as_u64_pair().1 >> 4) % below }
    }
}

/// Runs something and tells how many seconds it took.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
pub(crate) fn stopwatch() -> impl Fn() -> f64 {
    let began = Instant::now();
    move || began.elapsed().as_secs_f64()
}
