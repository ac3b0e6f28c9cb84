//! The contract of the bus on Kafka. Each case has a topic of its own, so all run side by side.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use chorus_core::port::Clock;
use chorus_core::time::Timestamp;
use chorus_simulation::contract::bus::{BusContext, CASES, topic};
use futures_util::future::{BoxFuture, join_all};

use super::*;

/// Silence after which a group has shared its partitions and every record has arrived.
const QUIET: Millis = Millis(4_000);

/// Time of this machine; a bus needs no random numbers.
struct Now;

impl Clock for Now {
    #[expect(clippy::disallowed_methods, reason = "the broker lives in real time")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("the clock is right");
        Timestamp(i64::try_from(since.as_millis()).expect("the clock is right"))
    }

    #[expect(clippy::disallowed_methods, reason = "the broker lives in real time")]
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(
            at.since(self.now()).0,
        )))
    }

    fn random_u128(&self) -> u128 {
        u128::from(self.now().0.unsigned_abs())
    }

    fn random_below(&self, _below: u64) -> u64 {
        0
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_keeps_the_contract_of_the_bus() {
    let pools: Vec<Pool> = CASES
        .iter()
        .map(|(case, _)| pool_of(&topic(case)))
        .collect();
    let Some(bus) = given("contract", &pools).await else {
        return;
    };
    let cases = CASES.iter().map(|(case, run)| {
        let context = BusContext {
            bus: Arc::new(bus.clone()),
            clock: Arc::new(Now),
            quiet: QUIET,
            case,
        };
        tokio::spawn(run(context))
    });
    let ended = join_all(cases).await.into_iter().zip(CASES);
    let failed: Vec<&str> = ended
        .filter(|(ended, _)| ended.is_err())
        .map(|(_, (case, _))| *case)
        .collect();
    assert!(failed.is_empty(), "cases {failed:?} failed, see above");
    real::record_run("kafka", "contract of the bus", CASES.len());
    done(&bus, &pools).await;
}

fn pool_of(topic: &Topic) -> Pool {
    match topic {
        Topic::TaskDispatch(pool) => pool.clone(),
        other => panic!("cases have pools of their own, this one has {other}"),
    }
}
