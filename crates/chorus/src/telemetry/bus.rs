//! Records published and received, by topic.

use std::sync::Arc;

use async_trait::async_trait;
use chorus_core::port::Bus;
use chorus_core::port::bus::{BusError, Incoming, Position, Record, Subscription, Topic};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::stopwatch::Stopwatch;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    topic: String,
}

impl Of {
    fn topic(topic: &Topic) -> Self {
        Self {
            topic: topic.to_string(),
        }
    }
}

/// The figures of the bus.
pub(super) struct Records {
    published: Family<Of, Counter>,
    failed: Family<Of, Counter>,
    received: Family<Of, Counter>,
    broken: Counter,
    seconds: Histogram,
}

impl Records {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let records = Self {
            published: Family::default(),
            failed: Family::default(),
            received: Family::default(),
            broken: Counter::default(),
            seconds: Histogram::new(exponential_buckets(0.000_25, 4.0, 9)),
        };
        registry.register(
            "bus_published",
            "Records that the bus took",
            records.published.clone(),
        );
        registry.register(
            "bus_failures",
            "Records that the bus did not take, or whose taking is unknown",
            records.failed.clone(),
        );
        registry.register(
            "bus_received",
            "Records that this process was given",
            records.received.clone(),
        );
        registry.register(
            "bus_broken_subscriptions",
            "Subscriptions that broke and were opened again",
            records.broken.clone(),
        );
        registry.register_with_unit(
            "bus_publish",
            "Time until the bus took what was published at once",
            Unit::Seconds,
            records.seconds.clone(),
        );
        records
    }
}

/// Counts the records of a bus into [`Records`].
pub(super) struct Counted {
    pub(super) inner: Arc<dyn Bus>,
    pub(super) records: Arc<Records>,
}

#[async_trait]
impl Bus for Counted {
    async fn publish(&self, records: Vec<Record>) -> Result<(), BusError> {
        let topics: Vec<Of> = records
            .iter()
            .map(|record| Of::topic(&record.topic))
            .collect();
        let watch = Stopwatch::start();
        let answer = self.inner.publish(records).await;
        self.records.seconds.observe(watch.seconds());
        let family = if answer.is_ok() {
            &self.records.published
        } else {
            &self.records.failed
        };
        for topic in &topics {
            family.get_or_create(topic).inc();
        }
        answer
    }

    async fn subscribe(
        &self,
        topics: Vec<Topic>,
        group: &str,
    ) -> Result<Box<dyn Subscription>, BusError> {
        let inner = self.inner.subscribe(topics, group).await?;
        Ok(Box::new(Reader {
            inner,
            records: Arc::clone(&self.records),
        }))
    }

    async fn tail(&self, topics: Vec<Topic>) -> Result<Box<dyn Subscription>, BusError> {
        let inner = self.inner.tail(topics).await?;
        Ok(Box::new(Reader {
            inner,
            records: Arc::clone(&self.records),
        }))
    }
}

struct Reader {
    inner: Box<dyn Subscription>,
    records: Arc<Records>,
}

#[async_trait]
impl Subscription for Reader {
    async fn next(&mut self) -> Result<Incoming, BusError> {
        let answer = self.inner.next().await;
        match &answer {
            Ok(Incoming::Record { record, .. }) => {
                self.records
                    .received
                    .get_or_create(&Of::topic(&record.topic))
                    .inc();
            }
            Ok(Incoming::Assigned(_) | Incoming::Revoked(_)) => {}
            Err(_) => {
                self.records.broken.inc();
            }
        }
        answer
    }

    async fn ack(&mut self, at: &Position) -> Result<(), BusError> {
        self.inner.ack(at).await
    }

    async fn pause(&mut self, paused: bool) -> Result<(), BusError> {
        self.inner.pause(paused).await
    }
}
