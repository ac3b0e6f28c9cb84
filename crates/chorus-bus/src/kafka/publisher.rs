//! Publishing: two idempotent producers, one that sends at once and one that waits for company.
//!
//! A record counts as published when every replica that must have it has it. The partition is chosen here, by
//! the rule of `partition_of`, because caches are dropped by it. A producer that broke for good is replaced.

use std::sync::{Mutex, PoisonError};

use chorus_core::port::bus::{BusError, Record, Topic, partition_of};
use futures_util::future::{join_all, try_join};
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::future_producer::{DeliveryFuture, OwnedDeliveryResult};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};

use super::message::Raw;
use super::names::{Names, wire};
use super::settings::Settings;
use super::voice::Voice;
use super::{failed, next_number};

/// Milliseconds that records nobody waits for are held back, so that they travel together.
const LINGER: u32 = 5;

/// Both producers.
pub(super) struct Publisher {
    names: Names,
    at_once: Line,
    together: Line,
}

/// One producer, and how to make its successor.
struct Line {
    config: ClientConfig,
    producer: Mutex<FutureProducer<Voice>>,
}

impl Publisher {
    pub(super) fn new(settings: &Settings) -> Result<Self, BusError> {
        let line = |linger| Line::new(settings.producer(next_number(), linger));
        Ok(Self {
            names: Names::new(settings),
            at_once: line(0)?,
            together: line(LINGER)?,
        })
    }

    /// Sends the records; returns when all are acknowledged, or one is not.
    pub(super) async fn publish(&self, records: Vec<Record>) -> Result<(), BusError> {
        let (urgent, others): (Vec<Record>, Vec<Record>) = records
            .into_iter()
            .partition(|record| urgent(&record.topic));
        try_join(
            self.send_all(&self.at_once, urgent),
            self.send_all(&self.together, others),
        )
        .await?;
        Ok(())
    }

    /// Sends one message of any content.
    pub(super) async fn send(&self, topic: &Topic, raw: &Raw) -> Result<(), BusError> {
        let sent = self.enqueue(&self.together, topic, raw)?;
        self.together.acknowledged(sent).await
    }

    /// Waits until nothing is under way any more; false when something still is after `within`.
    pub(super) fn flush(&self, within: std::time::Duration) -> bool {
        [&self.at_once, &self.together]
            .iter()
            .all(|line| line.current().flush(within).is_ok())
    }

    async fn send_all(&self, line: &Line, records: Vec<Record>) -> Result<(), BusError> {
        let sent: Result<Vec<DeliveryFuture>, BusError> = records
            .iter()
            .map(|record| self.enqueue(line, &record.topic, &Raw::from(record)))
            .collect();
        join_all(sent?.into_iter().map(|sent| line.acknowledged(sent)))
            .await
            .into_iter()
            .collect()
    }

    fn enqueue(&self, line: &Line, topic: &Topic, raw: &Raw) -> Result<DeliveryFuture, BusError> {
        let name = self.names.of(topic);
        let key = raw.key.as_deref().unwrap_or_default();
        let partition = partition_of(&String::from_utf8_lossy(key), topic.partitions());
        let mut record = FutureRecord::to(&name)
            .partition(wire(partition))
            .headers(raw.wire_headers());
        record.key = raw.key.as_deref();
        record.payload = raw.payload.as_deref();
        line.current()
            .send_result(record)
            .map_err(|(problem, _)| line.failed(&problem, topic))
    }
}

impl Line {
    fn new(config: ClientConfig) -> Result<Self, BusError> {
        let producer = make(&config)?;
        Ok(Self {
            config,
            producer: Mutex::new(producer),
        })
    }

    fn current(&self) -> FutureProducer<Voice> {
        self.producer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn acknowledged(&self, sent: DeliveryFuture) -> Result<(), BusError> {
        let outcome: OwnedDeliveryResult = sent
            .await
            .map_err(|_| BusError::new("the producer was closed"))?;
        outcome.map(drop).map_err(|(problem, _)| {
            self.replace_if_broken();
            failed("publish", &problem)
        })
    }

    fn failed(&self, problem: &KafkaError, topic: &Topic) -> BusError {
        self.replace_if_broken();
        failed(&format!("publish to {topic}"), problem)
    }

    /// An idempotent producer that lost track of its sequence takes no record any more; a new one begins anew.
    fn replace_if_broken(&self) {
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((code, reason)) = producer.client().fatal_error() else {
            return;
        };
        tracing::warn!(error = %code, "the producer broke for good and is replaced: {reason}");
        match make(&self.config) {
            Ok(successor) => *producer = successor,
            Err(error) => tracing::error!(error = %error, "no producer could be made in its place"),
        }
    }
}

fn make(config: &ClientConfig) -> Result<FutureProducer<Voice>, BusError> {
    config
        .create_with_context(Voice)
        .map_err(|problem| failed("make a producer", &problem))
}

/// Whether somebody stands still until the record comes: a worker's slot, or the dispatcher before an attempt that is
/// ready.
const fn urgent(topic: &Topic) -> bool {
    matches!(topic, Topic::TaskDispatch(_) | Topic::TaskReady)
}
