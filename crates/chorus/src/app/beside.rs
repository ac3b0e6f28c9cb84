//! A command in a second terminal: the data folder is held by a process, so its rows are read and commands are
//! written into them, and the holder carries them out.
//!
//! Only users who may read the data folder can read the rows. The holder's dispatcher sweeps the outbox,
//! finds the command within seconds and sends it to its orchestrator; nothing has to listen anywhere.

use async_trait::async_trait;
use chorus_bus::Embedded;
use chorus_core::port::Bus;
use chorus_core::port::bus::{BusError, Record, Subscription, Topic};

/// Bus of a process beside the holder: it publishes nothing, so that committed records stay unsent for the holder.
pub(super) struct OutboxOnly(Embedded);

impl OutboxOnly {
    pub(super) fn new() -> Self {
        Self(Embedded::new())
    }
}

#[async_trait]
impl Bus for OutboxOnly {
    async fn publish(&self, _: Vec<Record>) -> Result<(), BusError> {
        Err(BusError::new(
            "the process that holds the data folder publishes it",
        ))
    }

    async fn subscribe(
        &self,
        topics: Vec<Topic>,
        group: &str,
    ) -> Result<Box<dyn Subscription>, BusError> {
        self.0.subscribe(topics, group).await
    }

    async fn tail(&self, topics: Vec<Topic>) -> Result<Box<dyn Subscription>, BusError> {
        self.0.tail(topics).await
    }
}
