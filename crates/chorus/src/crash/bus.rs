//! [`Point::Publish`] and [`Point::Offset`] of a dispatch.

use std::sync::Arc;

use async_trait::async_trait;
use chorus_core::port::Bus;
use chorus_core::port::bus::{BusError, Incoming, Position, Record, Subscription, Topic};

use super::{Crash, Point};

pub(super) struct Wrap {
    pub(super) inner: Arc<dyn Bus>,
    pub(super) crash: Arc<Crash>,
}

#[async_trait]
impl Bus for Wrap {
    async fn publish(&self, records: Vec<Record>) -> Result<(), BusError> {
        let dispatch = records
            .iter()
            .any(|record| matches!(record.topic, Topic::TaskDispatch(_)));
        let answer = self.inner.publish(records).await;
        if dispatch {
            self.crash.reached(Point::Publish);
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
            crash: Arc::clone(&self.crash),
        }))
    }

    async fn tail(&self, topics: Vec<Topic>) -> Result<Box<dyn Subscription>, BusError> {
        self.inner.tail(topics).await
    }
}

struct Reader {
    inner: Box<dyn Subscription>,
    crash: Arc<Crash>,
}

#[async_trait]
impl Subscription for Reader {
    async fn next(&mut self) -> Result<Incoming, BusError> {
        self.inner.next().await
    }

    async fn ack(&mut self, at: &Position) -> Result<(), BusError> {
        let answer = self.inner.ack(at).await;
        if matches!(at.partition.topic, Topic::TaskDispatch(_)) {
            self.crash.reached(Point::Offset);
        }
        answer
    }

    async fn pause(&mut self, paused: bool) -> Result<(), BusError> {
        self.inner.pause(paused).await
    }
}
