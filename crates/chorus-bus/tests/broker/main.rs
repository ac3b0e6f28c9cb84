//! What only a broker can do, on a real Kafka, when the run is given one: forget its topics, keep dead letters, count
//! how far a group is behind. What every bus must do is in `contract`.
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
mod leaving;
mod letters;
mod loss;

/// Longest wait for anything that must come.
const PATIENCE: Millis = Millis(30_000);

/// A bus on the broker that the environment names, if any, with topics for these pools in a namespace of its own.
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
    // What a run with the same number left behind, if it was killed.
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

/// All topics go with their records and are made again.
async fn lose_everything(bus: &Kafka, pools: &[Pool], topic: &Topic) {
    bus.topics()
        .delete(pools)
        .await
        .expect("topics may be deleted");
    bus.topics()
        .create(pools)
        .await
        .expect("topics may be created");
    // For a moment a broker still appends to the logs that it is about to throw away.
    until("the new topics are empty", async || {
        lag(bus, "nobody", topic).await == Some(0)
    })
    .await;
}

/// How far a group is behind, if the broker can say.
async fn lag(bus: &Kafka, group: &str, topic: &Topic) -> Option<u64> {
    let lags = bus
        .topics()
        .lag(group, std::slice::from_ref(topic))
        .await
        .ok()?;
    Some(lags.iter().map(|lag| lag.records).sum())
}

/// The end of a test: what it made is deleted.
async fn done(bus: &Kafka, pools: &[Pool]) {
    assert!(
        bus.close(PATIENCE).await,
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

/// The future's value, if it is there in time.
#[expect(clippy::disallowed_methods, reason = "the broker lives in real time")]
async fn within<T>(length: Millis, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(Duration::from_millis(length.0), future)
        .await
        .ok()
}

/// Reads and acknowledges until records of all these numbers have come; what else came.
async fn read_all(
    subscription: &mut Box<dyn Subscription>,
    numbers: std::ops::Range<u128>,
) -> BTreeSet<u128> {
    let (mut missing, mut others): (BTreeSet<u128>, _) =
        (numbers.clone().collect(), BTreeSet::new());
    while !missing.is_empty() {
        let incoming = within(PATIENCE, subscription.next()).await;
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

/// Waits until a question that is asked again and again is answered with yes.
async fn until<F: Future<Output = bool>>(what: &str, mut question: impl FnMut() -> F) {
    let asked = async {
        while !question().await {
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(within(PATIENCE, asked).await, Some(()), "in vain: {what}");
}
