//! The server of the environment, with a namespace for each test.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chorus_core::port::Clock;
use chorus_core::time::Timestamp;
use futures_util::future::{BoxFuture, FutureExt, ready};

use crate::redis::{Redis, Settings, Time};

/// A server that tests may use.
pub(super) struct Server {
    url: String,
}

impl Server {
    /// The one named in the environment; in a run that must try everything it is an error that there is none.
    #[expect(clippy::disallowed_methods, reason = "a test binary is told by its environment where the server is")]
    pub(super) fn given() -> Option<Self> {
        match std::env::var("CHORUS_TEST_REDIS") {
            Ok(url) => Some(Self { url }),
            Err(_) if std::env::var("CI").is_ok_and(|ci| ci == "true") => panic!("CHORUS_TEST_REDIS is not set, and CI tries everything"),
            Err(_) => {
                println!("CHORUS_TEST_REDIS is not set: Redis was not tried");
                None
            }
        }
    }

    /// A namespace that no test has.
    pub(super) fn namespace() -> String {
        static DRAWN: AtomicU64 = AtomicU64::new(0);
        format!("test-{}-{}", std::process::id(), DRAWN.fetch_add(1, Ordering::Relaxed))
    }

    /// The limiter of a namespace as a new process sees it, in the time of this clock.
    pub(super) fn limiter(&self, namespace: &str, clock: &Arc<Hand>) -> Redis {
        let settings = Settings { time: Time::Clock, ..Settings::new(&self.url, namespace) };
        Redis::open(&settings, Arc::clone(clock) as Arc<dyn Clock>).expect("CHORUS_TEST_REDIS is a URL")
    }

    /// Deletes everything that this namespace has, and tells how many keys that were.
    pub(super) async fn flush(&self, namespace: &str) -> usize {
        let client = redis::Client::open(self.url.as_str()).expect("CHORUS_TEST_REDIS is a URL");
        let mut connection = client.get_multiplexed_async_connection().await.expect("the server answers");
        let pattern = format!("{{{namespace}}}:*");
        let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.expect("the server answers");
        if !keys.is_empty() {
            redis::cmd("DEL").arg(&keys).query_async::<()>(&mut connection).await.expect("the server answers");
        }
        keys.len()
    }
}

/// A clock that is set by hand.
#[derive(Default)]
pub(super) struct Hand {
    now: AtomicI64,
    drawn: AtomicU64,
}

impl Hand {
    pub(super) fn pass(&self, length: i64) {
        self.now.fetch_add(length, Ordering::Relaxed);
    }

    pub(super) fn at(now: i64) -> Arc<Self> {
        Arc::new(Self { now: AtomicI64::new(now), drawn: AtomicU64::new(0) })
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, _at: Timestamp) -> BoxFuture<'static, ()> {
        ready(()).boxed()
    }

    fn number(&self) -> u128 {
        u128::from(self.drawn.fetch_add(1, Ordering::Relaxed))
    }

    fn chance(&self, _below: u64) -> u64 {
        0
    }
}
