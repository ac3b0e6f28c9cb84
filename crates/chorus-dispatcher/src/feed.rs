//! The tail of what wakes the dispatcher: attempts that were queued, credentials that changed. All of it only
//! hastens; rows are read anew every second anyway.

use std::sync::Arc;

use chorus_core::port::bus::{Incoming, Subscription, Topic};
use chorus_core::port::{Bus, Clock};
use chorus_core::record;
use chorus_core::time::Millis;

/// How long to wait before a broken tail is opened again.
const OPEN_AGAIN: Millis = Millis(1_000);

/// What a record asks the dispatcher to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// Queued rows.
    Queue,
    /// Accounts.
    Accounts,
}

/// The tail, opened when it is first read and again after it broke.
pub(crate) struct Feed {
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    tail: Option<Box<dyn Subscription>>,
}

impl Feed {
    pub(crate) fn new(bus: Arc<dyn Bus>, clock: Arc<dyn Clock>) -> Self {
        Self { bus, clock, tail: None }
    }

    /// The next news. Dropping the wait loses nothing that matters.
    pub(crate) async fn next(&mut self) -> News {
        loop {
            match &mut self.tail {
                Some(tail) => match tail.next().await {
                    Ok(Incoming::Record { record, .. }) if record.topic == Topic::TaskReady => return News::Queue,
                    Ok(Incoming::Record { record, .. }) if record.header("chorus-schema") == Some(record::CREDENTIAL) => {
                        return News::Accounts;
                    }
                    Ok(Incoming::Record { .. }) => return News::Queue,
                    Ok(Incoming::Assigned(_) | Incoming::Revoked(_)) => {}
                    Err(problem) => {
                        tracing::warn!(error = %problem, "the tail broke, opening it again");
                        self.tail = None;
                        self.clock.sleep(OPEN_AGAIN).await;
                    }
                },
                None => match self.bus.tail(vec![Topic::TaskReady, Topic::Control]).await {
                    Ok(tail) => {
                        // What was queued before the tail stood was not seen by it.
                        self.tail = Some(tail);
                        return News::Queue;
                    }
                    Err(problem) => {
                        tracing::warn!(error = %problem, "failed to tail, trying again");
                        self.clock.sleep(OPEN_AGAIN).await;
                    }
                },
            }
        }
    }
}
