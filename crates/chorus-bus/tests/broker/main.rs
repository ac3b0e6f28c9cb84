//! A real Kafka, when the run has one: lost topics, dead letters, lag. Rules of every bus are in [`contract`].
//!
//! Each test has a namespace of its own, so that tests and runs share one broker.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chorus_bus::kafka::{Kafka, Settings};
use chorus_core::id::{EventId, Pool};
use chorus_core::port::Bus;
use chorus_core::port::bus::{Incoming, Record, Subscription, Topic};
use chorus_core::time::Millis;
use chorus_simulation::real;

mod contract;
mod dead_letters;
mod leaving;
mod loss;

/// Longest wait for anything that must come.
const TIMEOUT: Millis = Millis(30_000);

/// A bus on the broker that the environment names, if any, with topics of these pools in a namespace of its own.
async fn given(test: &str, pools: &[Pool]) -> Option<Kafka> {
    let brokers = real::KAFKA.address()?;
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let namespace = format!(
        "test-{test}-{}-{}",
        std::process::id(),
        RUNS.fetch_add(1, Ordering::Relaxed)
    );
    let settings = Settings {
        namespace,
        session_timeout: Millis::from_secs(6),
        ..Settings::new(brokers)
    };
    let bus = Kafka::new(settings).expect("the settings are good");
    // A killed run with the same number may have left topics.
    bus.topics()
        .delete(pools)
        .await
        .expect("topics may be deleted there");
    bus.topics()
        .create(pools)
        .await
        .expect("topics may be created there");
    Some(bus)
}

/// Deletes all topics with their records and creates them again.
async fn lose_everything(bus: &Kafka, pools: &[Pool], topic: &Topic) {
    bus.topics()
        .delete(pools)
        .await
        .expect("topics may be deleted");
    bus.topics()
        .create(pools)
        .await
        .expect("topics may be created");
    // For a moment a broker still appends to the logs that it is about to delete.
    until("the new topics are empty", async || {
        lag(bus, "no-member", topic).await == Some(0)
    })
    .await;
}

/// Lag of a group; none when the broker does not know it.
async fn lag(bus: &Kafka, group: &str, topic: &Topic) -> Option<u64> {
    let lags = bus
        .topics()
        .lag(group, std::slice::from_ref(topic))
        .await
        .ok()?;
    Some(lags.iter().map(|lag| lag.records).sum())
}

/// Deletes the topics of a test.
async fn done(bus: &Kafka, pools: &[Pool]) {
    assert!(
        bus.close(TIMEOUT).await,
        "subscriptions that were dropped did not leave"
    );
    bus.topics()
        .delete(pools)
        .await
        .expect("topics may be deleted there");
}

fn record(number: u128, topic: Topic) -> Record {
    let headers = vec![("chorus-schema".to_owned(), "contract/1".to_owned())];
    Record {
        id: EventId::new(number),
        topic,
        key: format!("key {number}"),
        headers,
        payload: bytes::Bytes::from_static(b"{}"),
    }
}

fn records(numbers: std::ops::Range<u128>, topic: &Topic) -> Vec<Record> {
    numbers
        .map(|number| record(number, topic.clone()))
        .collect()
}

/// Value of the future; none when it takes longer than `length`.
#[expect(clippy::disallowed_methods, reason = "the broker lives in real time")]
async fn within<T>(length: Millis, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(Duration::from_millis(length.0), future)
        .await
        .ok()
}

/// Reads and acknowledges until all these records have come; returns the others.
async fn read_all(
    subscription: &mut Box<dyn Subscription>,
    numbers: std::ops::Range<u128>,
) -> BTreeSet<u128> {
    let (mut missing, mut others): (BTreeSet<u128>, _) =
        (numbers.clone().collect(), BTreeSet::new());
    while !missing.is_empty() {
        let incoming = within(TIMEOUT, subscription.next()).await;
        let incoming = incoming.unwrap_or_else(|| panic!("records {missing:?} did not come"));
        if let Incoming::Record { record, at } = incoming.expect("the bus gives records") {
            missing.remove(&record.id.number());
            others.extend(Some(record.id.number()).filter(|number| !numbers.contains(number)));
            subscription
                .ack(&at)
                .await
                .expect("the bus takes acknowledgements");
        }
    }
    others
}

/// Asks again until the answer is true.
async fn until<F: Future<Output = bool>>(what: &str, mut question: impl FnMut() -> F) {
    let asked = async {
        while !question().await {
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(within(TIMEOUT, asked).await, Some(()), "timed out: {what}");
}
