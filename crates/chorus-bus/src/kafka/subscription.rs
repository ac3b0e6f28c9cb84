//! What a service holds: its end of the desk. Dropping it is leaving, which the reading thread does.

use std::future::poll_fn;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use chorus_core::port::bus::{BusError, Incoming, Position, Subscription};

use super::desk::Desk;
use super::names::Names;
use super::reader::{Consumer, store};

/// A member of a group, or a tail.
pub(super) struct Subscribed {
    pub(super) desk: Arc<Desk>,
    /// The thread owns the consumer, because dropping it waits for the brokers; a tail acknowledges nothing.
    pub(super) consumer: Option<Weak<Consumer>>,
    pub(super) names: Names,
    pub(super) paused: bool,
}

#[async_trait]
impl Subscription for Subscribed {
    async fn next(&mut self) -> Result<Incoming, BusError> {
        poll_fn(|context| self.desk.poll(self.paused, context.waker())).await
    }

    async fn ack(&mut self, at: &Position) -> Result<(), BusError> {
        let Some(consumer) = &self.consumer else {
            return Ok(());
        };
        let Some(offset) = self.desk.ack(at) else {
            return Ok(());
        };
        let Some(consumer) = consumer.upgrade() else {
            return Ok(());
        };
        store(
            &consumer,
            &self.names,
            &Position {
                offset,
                ..at.clone()
            },
        )
    }

    async fn pause(&mut self, paused: bool) -> Result<(), BusError> {
        self.paused = paused;
        Ok(())
    }
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        self.desk.close();
    }
}
