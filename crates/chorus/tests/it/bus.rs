//! The contract of the bus on a real Kafka, when the run is given one.
//!
//! Each case has a topic of its own, so all run side by side. What only a broker can do is tried in `chorus-bus`.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chorus_bus::kafka::{Kafka, Settings};
use chorus_core::id::Pool;
use chorus_core::port::Clock;
use chorus_core::port::bus::Topic;
use chorus_core::time::{Millis, Timestamp};
use chorus_world::contract::bus::{Bench, CASES, topic};
use futures_util::future::{BoxFuture, join_all};

/// A group has shared out its partitions, and a record has come, when nothing was heard for so long.
const QUIET: Millis = Millis(5_000);

/// The time of this machine.
struct Now;

impl Clock for Now {
    #[expect(clippy::disallowed_methods, reason = "the broker lives in real time")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is right");
        Timestamp(i64::try_from(since.as_millis()).expect("the clock is right"))
    }

    #[expect(clippy::disallowed_methods, reason = "the broker lives in real time")]
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(at.since(self.now()).0)))
    }

    fn number(&self) -> u128 {
        uuid::Uuid::now_v7().as_u128()
    }

    fn chance(&self, _below: u64) -> u64 {
        0
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_keeps_the_contract_of_the_bus() {
    let Some(brokers) = variable("CHORUS_TEST_KAFKA") else {
        assert_ne!(variable("CI").as_deref(), Some("true"), "CHORUS_TEST_KAFKA is not set, and with CI=true Kafka must be tried");
        return println!("CHORUS_TEST_KAFKA is not set: Kafka was not tried");
    };
    let namespace = format!("test-contract-{:x}", Now.number());
    let bus = Kafka::new(Settings { namespace, ..Settings::new(brokers) }).expect("the settings are good");
    let pools: Vec<Pool> = CASES.iter().map(|(case, _)| pool_of(&topic(case))).collect();
    bus.topics().create(&pools).await.expect("topics may be created there");

    let cases = CASES.iter().map(|(case, run)| {
        let bench = Bench { bus: Arc::new(bus.clone()), clock: Arc::new(Now), quiet: QUIET, case };
        tokio::spawn(run(bench))
    });
    let failed: Vec<&str> =
        join_all(cases).await.into_iter().zip(CASES).filter(|(ended, _)| ended.is_err()).map(|(_, (case, _))| *case).collect();
    assert!(failed.is_empty(), "cases {failed:?} failed, see above");
    println!("bus contract: {} cases passed by Kafka", CASES.len());

    assert!(bus.close(QUIET).await, "subscriptions that were dropped did not leave");
    bus.topics().delete(&pools).await.expect("topics may be deleted there");
}

fn pool_of(topic: &Topic) -> Pool {
    match topic {
        Topic::TaskDispatch(pool) => pool.clone(),
        other => panic!("cases have pools of their own, this one has {other}"),
    }
}

#[expect(clippy::disallowed_methods, reason = "a test binary is told by its environment where the broker is")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
