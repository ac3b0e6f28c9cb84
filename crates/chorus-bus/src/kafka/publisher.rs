//! Publishing over two idempotent producers: one without delay, one that batches for [`LINGER`].
//!
//! A record is published when every in-sync replica has it. The partition is chosen by [`partition_of`] and not
//! by librdkafka, because services drop caches by partition. A producer with a fatal error is replaced.

use std::sync::{Mutex, PoisonError};

use chorus_core::port::bus::{BusError, Record, Topic, partition_of};
use futures_util::future::{join_all, try_join};
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::future_producer::{DeliveryFuture, OwnedDeliveryResult};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};

use super::client_logger::ClientLogger;
use super::message::Raw;
use super::names::{Names, wire};
use super::settings::Settings;
use super::{failed, next_number};

/// Milliseconds that records are held back for a batch when no slot waits for them.
const LINGER: u32 = 5;

/// The two producers of one process.
pub(super) struct Publisher {
    names: Names,
    at_once: Lane,
    together: Lane,
}

/// One producer, with the configuration of its successor.
struct Lane {
    config: ClientConfig,
    producer: Mutex<FutureProducer<ClientLogger>>,
}

impl Publisher {
    pub(super) fn new(settings: &Settings) -> Result<Self, BusError> {
        let lane = |linger| Lane::new(settings.producer(next_number(), linger));
        Ok(Self {
            names: Names::new(settings),
            at_once: lane(0)?,
            together: lane(LINGER)?,
        })
    }

    /// Publishes records; returns when all are acknowledged, or with the first failure.
    pub(super) async fn publish(&self, records: Vec<Record>) -> Result<(), BusError> {
        let (urgent, others): (Vec<Record>, Vec<Record>) = records
            .into_iter()
            .partition(|record| is_urgent(&record.topic));
        try_join(
            self.send_all(&self.at_once, urgent),
            self.send_all(&self.together, others),
        )
        .await?;
        Ok(())
    }

    /// Publishes one message that need not be a record.
    pub(super) async fn send(&self, topic: &Topic, raw: &Raw) -> Result<(), BusError> {
        let sent = self.enqueue(&self.together, topic, raw)?;
        self.together.acknowledged(sent).await
    }

    /// Waits for all acknowledgements; false when some are missing after `within`.
    pub(super) fn flush(&self, within: std::time::Duration) -> bool {
        [&self.at_once, &self.together]
            .iter()
            .all(|lane| lane.current().flush(within).is_ok())
    }

    async fn send_all(&self, lane: &Lane, records: Vec<Record>) -> Result<(), BusError> {
        let sent: Result<Vec<DeliveryFuture>, BusError> = records
            .iter()
            .map(|record| self.enqueue(lane, &record.topic, &Raw::from(record)))
            .collect();
        join_all(sent?.into_iter().map(|sent| lane.acknowledged(sent)))
            .await
            .into_iter()
            .collect()
    }

    fn enqueue(&self, lane: &Lane, topic: &Topic, raw: &Raw) -> Result<DeliveryFuture, BusError> {
        let name = self.names.of(topic);
        let key = raw.key.as_deref().unwrap_or_default();
        let partition = partition_of(&String::from_utf8_lossy(key), topic.partitions());
        let mut record = FutureRecord::to(&name)
            .partition(wire(partition))
            .headers(raw.wire_headers());
        record.key = raw.key.as_deref();
        record.payload = raw.payload.as_deref();
        lane.current()
            .send_result(record)
            .map_err(|(problem, _)| lane.failed(&problem, topic))
    }
}

impl Lane {
    fn new(config: ClientConfig) -> Result<Self, BusError> {
        let producer = make(&config)?;
        Ok(Self {
            config,
            producer: Mutex::new(producer),
        })
    }

    fn current(&self) -> FutureProducer<ClientLogger> {
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

    /// Replaces an idempotent producer that lost its sequence: it accepts no record any more.
    fn replace_if_broken(&self) {
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((code, reason)) = producer.client().fatal_error() else {
            return;
        };
        tracing::warn!(error = %code, "a producer has a fatal error and is replaced: {reason}");
        match make(&self.config) {
            Ok(successor) => *producer = successor,
            Err(error) => tracing::error!(error = %error, "failed to replace a producer"),
        }
    }
}

fn make(config: &ClientConfig) -> Result<FutureProducer<ClientLogger>, BusError> {
    config
        .create_with_context(ClientLogger)
        .map_err(|problem| failed("make a producer", &problem))
}

/// Returns true if a worker's slot or the dispatcher is idle until the record arrives.
const fn is_urgent(topic: &Topic) -> bool {
    matches!(topic, Topic::TaskDispatch(_) | Topic::TaskReady)
}
