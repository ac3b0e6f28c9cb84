//! The subscription that a service holds. Dropping it closes the inbox, and the reading thread leaves the group.

use std::future::poll_fn;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use chorus_core::port::bus::{BusError, Incoming, Position, Subscription};

use super::inbox::Inbox;
use super::names::Names;
use super::reader::{Consumer, store_offset};

/// A member of a group, or a tail, over its [`Inbox`].
pub(super) struct Subscribed {
    pub(super) inbox: Arc<Inbox>,
    /// Owned by the reading thread, because dropping a consumer waits for the brokers; none for a tail, which
    /// acknowledges nothing.
    pub(super) consumer: Option<Weak<Consumer>>,
    pub(super) names: Names,
    pub(super) paused: bool,
}

#[async_trait]
impl Subscription for Subscribed {
    async fn next(&mut self) -> Result<Incoming, BusError> {
        poll_fn(|context| self.inbox.poll(self.paused, context.waker())).await
    }

    async fn ack(&mut self, at: &Position) -> Result<(), BusError> {
        let Some(consumer) = &self.consumer else {
            return Ok(());
        };
        let Some(offset) = self.inbox.ack(at) else {
            return Ok(());
        };
        let Some(consumer) = consumer.upgrade() else {
            return Ok(());
        };
        store_offset(
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
        self.inbox.close();
    }
}
