//! The tail of what wakes the dispatcher: attempts that were queued, credentials that changed. All of it only
//! hastens; rows are read anew every second anyway.

use std::sync::Arc;

use chorus_core::port::bus::{Incoming, Topic};
use chorus_core::port::subscriber::{Subscriber, SubscriberEvent};
use chorus_core::port::{Bus, Clock};
use chorus_core::record;

/// What a record asks the dispatcher to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// Queued rows.
    Queue,
    /// Accounts.
    Accounts,
}

/// The tail.
pub(crate) struct Feed(Subscriber);

impl Feed {
    pub(crate) fn new(bus: Arc<dyn Bus>, clock: Arc<dyn Clock>) -> Self {
        Self(Subscriber::of_all(
            bus,
            clock,
            vec![Topic::TaskReady, Topic::Control],
        ))
    }

    /// The next news. Dropping the wait loses nothing that matters.
    pub(crate) async fn next(&mut self) -> News {
        loop {
            match self.0.next().await {
                // What was queued before the tail stood was not seen by it.
                SubscriberEvent::Opened => return News::Queue,
                SubscriberEvent::Incoming(Incoming::Record { record, .. })
                    if record.header("chorus-schema") == Some(record::CREDENTIAL) =>
                {
                    return News::Accounts;
                }
                SubscriberEvent::Incoming(Incoming::Record { .. }) => return News::Queue,
                SubscriberEvent::Incoming(Incoming::Assigned(_) | Incoming::Revoked(_)) => {}
                SubscriberEvent::Broken(error) => {
                    tracing::warn!(error = %error, "the tail of queued attempts broke, opening it again")
                }
            }
        }
    }
}
