//! A subscription that heals: when the bus fails, it is opened again after a while.

use std::sync::Arc;

use chorus_core::port::bus::{BusError, Incoming, Position, Subscription, Topic};
use chorus_core::port::{Bus, Clock};
use chorus_core::time::{Millis, Timestamp};

const REOPEN_AFTER: Millis = Millis(500);

/// Records of a topic, as a member of a group or as one who sees them all.
pub(crate) struct Feed {
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    topic: Topic,
    group: Option<String>,
    open: Option<Box<dyn Subscription>>,
    open_at: Timestamp,
    paused: bool,
}

impl Feed {
    /// Each record goes to one member of the group.
    pub(crate) fn of_group(bus: Arc<dyn Bus>, clock: Arc<dyn Clock>, topic: Topic, group: String) -> Self {
        Self { bus, open_at: clock.now(), clock, topic, group: Some(group), open: None, paused: false }
    }

    /// Every record from now on.
    pub(crate) fn of_all(bus: Arc<dyn Bus>, clock: Arc<dyn Clock>, topic: Topic) -> Self {
        Self { bus, open_at: clock.now(), clock, topic, group: None, open: None, paused: false }
    }

    /// What comes next. Cancelling the wait loses nothing.
    pub(crate) async fn next(&mut self) -> Incoming {
        loop {
            let outcome = match &mut self.open {
                Some(subscription) => subscription.next().await.map(Some),
                None => self.reopen().await.map(|()| None),
            };
            match outcome {
                Ok(Some(incoming)) => return incoming,
                Ok(None) => {}
                Err(error) => self.fail(&error),
            }
        }
    }

    /// The record is done with, as far as the bus is concerned. A lost acknowledgement costs a doubled
    /// record, which is denied at its claim.
    pub(crate) async fn ack(&mut self, at: &Position) {
        if let Some(subscription) = &mut self.open
            && let Err(error) = subscription.ack(at).await
        {
            self.fail(&error);
        }
    }

    /// Stops or resumes the flow of records.
    pub(crate) async fn pause(&mut self, paused: bool) {
        if self.paused == paused {
            return;
        }
        self.paused = paused;
        if let Some(subscription) = &mut self.open
            && let Err(error) = subscription.pause(paused).await
        {
            self.fail(&error);
        }
    }

    async fn reopen(&mut self) -> Result<(), BusError> {
        self.clock.sleep_until(self.open_at).await;
        let topics = vec![self.topic.clone()];
        let mut subscription = match &self.group {
            Some(group) => self.bus.subscribe(topics, group).await?,
            None => self.bus.tail(topics).await?,
        };
        if self.paused {
            subscription.pause(true).await?;
        }
        self.open = Some(subscription);
        Ok(())
    }

    fn fail(&mut self, error: &BusError) {
        tracing::warn!(error = %error, bus.topic = %self.topic, "the subscription broke, opening it again");
        self.open = None;
        self.open_at = self.clock.now() + REOPEN_AFTER;
    }
}
