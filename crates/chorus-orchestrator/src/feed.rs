//! A subscription that heals: when the bus fails, it is opened again after a while.

use chorus_core::port::bus::{BusError, Incoming, Position, Subscription, Topic};
use chorus_core::time::{Millis, Timestamp};

use crate::shop::Shop;

/// The consumer group of orchestrators.
pub const GROUP: &str = "orchestrator";
const REOPEN_AFTER: Millis = Millis(500);

/// Commands and finished attempts, as a member of the group of orchestrators.
pub(crate) struct Feed<'a> {
    shop: &'a Shop,
    open: Option<Box<dyn Subscription>>,
    open_at: Timestamp,
    paused: bool,
}

/// What the feed reports.
pub(crate) enum News {
    /// The bus says something.
    Incoming(Incoming),
    /// The subscription broke: what was taken in and not acknowledged will come again.
    Broken,
}

impl<'a> Feed<'a> {
    pub(crate) fn new(shop: &'a Shop) -> Self {
        Self { shop, open: None, open_at: shop.ports.clock.now(), paused: false }
    }

    /// What comes next. Cancelling the wait loses nothing.
    pub(crate) async fn next(&mut self) -> News {
        loop {
            let outcome = match &mut self.open {
                Some(subscription) => subscription.next().await.map(Some),
                None => self.reopen().await.map(|()| None),
            };
            match outcome {
                Ok(Some(incoming)) => return News::Incoming(incoming),
                Ok(None) => {}
                Err(error) => {
                    if self.fail(&error) {
                        return News::Broken;
                    }
                }
            }
        }
    }

    /// Everything up to this record of its partition is folded. A lost acknowledgement costs a doubled
    /// record, which folds to nothing.
    pub(crate) async fn ack(&mut self, at: &Position) {
        if let Some(subscription) = &mut self.open
            && let Err(error) = subscription.ack(at).await
        {
            tracing::warn!(error = %error, "an acknowledgement was not taken, its record will come again");
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
        self.shop.ports.clock.sleep_until(self.open_at).await;
        let topics = vec![Topic::ProjectCmd, Topic::TaskDone];
        let mut subscription = self.shop.ports.bus.subscribe(topics, GROUP).await?;
        if self.paused {
            subscription.pause(true).await?;
        }
        self.open = Some(subscription);
        Ok(())
    }

    /// Closes what broke; whether there was anything open.
    fn fail(&mut self, error: &BusError) -> bool {
        tracing::warn!(error = %error, "the subscription broke, opening it again");
        self.open_at = self.shop.ports.clock.now() + REOPEN_AFTER;
        self.open.take().is_some()
    }
}
