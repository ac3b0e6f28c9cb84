//! The Redis server of a test run, with a namespace for each test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use chorus_core::port::{Clock, LimitState};
use chorus_limits::Redis;
use chorus_limits::redis::{Settings, Time};
use chorus_simulation::contract::limits::{
    Implementation, LimiterContext, ManualClock, SharedState,
};
use chorus_simulation::real;

/// A server that tests may use.
#[derive(Clone)]
pub(super) struct Server {
    url: String,
}

impl Server {
    /// The server of this run, if any.
    pub(super) fn from_environment() -> Option<Self> {
        Some(Self {
            url: real::REDIS.address()?,
        })
    }

    /// Returns a fresh namespace.
    pub(super) fn namespace() -> String {
        static DRAWN: AtomicU64 = AtomicU64::new(0);
        format!(
            "test-{}-{}",
            std::process::id(),
            DRAWN.fetch_add(1, Ordering::Relaxed)
        )
    }

    /// The limiter of a namespace as a new process sees it, on this clock.
    pub(super) fn limiter(&self, namespace: &str, clock: &Arc<ManualClock>) -> Redis {
        let settings = Settings {
            time: Time::Clock,
            ..Settings::new(&self.url, namespace)
        };
        Redis::open(&settings, Arc::clone(clock) as Arc<dyn Clock>)
            .expect("CHORUS_TEST_REDIS is a URL")
    }

    async fn ask<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> T {
        let client = redis::Client::open(self.url.as_str()).expect("CHORUS_TEST_REDIS is a URL");
        let mut connection = client
            .get_multiplexed_async_connection()
            .await
            .expect("the server answers");
        command
            .query_async(&mut connection)
            .await
            .expect("the server answers")
    }

    /// All keys of a namespace.
    pub(super) async fn keys(&self, namespace: &str) -> Vec<String> {
        self.ask(redis::cmd("KEYS").arg(format!("{{{namespace}}}:*")))
            .await
    }

    /// Deletes all keys of a namespace.
    pub(super) async fn flush(&self, namespace: &str) {
        let keys = self.keys(namespace).await;
        if !keys.is_empty() {
            self.ask::<()>(redis::cmd("DEL").arg(&keys)).await;
        }
    }

    /// Drops the scripts that the server has loaded.
    pub(super) async fn forget_scripts(&self) {
        self.ask::<()>(redis::cmd("SCRIPT").arg("FLUSH")).await;
    }
}

/// One namespace, with several processes.
struct Namespace {
    server: Server,
    name: String,
    hand: Arc<ManualClock>,
}

#[async_trait]
impl SharedState for Namespace {
    fn new_process(&self) -> Arc<dyn LimitState> {
        Arc::new(self.server.limiter(&self.name, &self.hand))
    }

    async fn flush(&self) {
        self.server.flush(&self.name).await;
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the server's own threads must run before the next look, there is no clock to wait on"
    )]
    async fn deliver_signals(&self) {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

#[async_trait]
impl Implementation for Server {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn fresh(&self) -> LimiterContext {
        let hand = Arc::new(ManualClock::default());
        let namespace = Namespace {
            server: self.clone(),
            name: Self::namespace(),
            hand: Arc::clone(&hand),
        };
        LimiterContext::new(Box::new(namespace), hand).await
    }
}
