//! Tail of the records that concern the dispatcher: queued and ended attempts, cancellations, changed credentials.
//!
//! Every record only hastens or teaches: rows are polled anyway, and [`Feedback`](crate::feedback::Feedback)
//! survives lost and doubled records.

use std::sync::Arc;

use chorus_core::attempt::{AttemptDone, CallSummary};
use chorus_core::id::{AttemptId, Epoch, ProjectId, Tenant};
use chorus_core::port::bus::{Incoming, Record, Topic};
use chorus_core::port::subscriber::{Subscriber, SubscriberEvent};
use chorus_core::port::{Bus, Clock};
use chorus_core::record::{self, CancelledNotice, ReadyNotice};
use futures_util::FutureExt as _;

/// Content of a record, as far as the dispatcher needs it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Notice {
    /// Rows may have changed in a way that is not known.
    Unknown,
    /// Attempts were queued for the first time.
    Queued(AttemptId),
    /// A delivery ended, and its attempt was queued again.
    Requeued(Ended),
    /// A delivery ended, and its attempt with it.
    Ended(Ended),
    /// Attempts were cancelled.
    Cancelled(Vec<AttemptId>),
    /// The state of a credential of this tenant changed; none if the record names no tenant.
    AccountsChanged(Option<Tenant>),
}

/// End of a delivery.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ended {
    pub(crate) attempt: AttemptId,
    pub(crate) epoch: Epoch,
    /// Tenant and project of the attempt, if the record names them.
    pub(crate) owner: Option<(Tenant, ProjectId)>,
    /// Result of the call; none when no call was made or an earlier release wrote the record.
    pub(crate) call: Option<Box<CallSummary>>,
}

/// The tail; it has no group, so every dispatcher reads every record.
pub(crate) struct RecordTail(Subscriber);

impl RecordTail {
    pub(crate) fn new(bus: Arc<dyn Bus>, clock: Arc<dyn Clock>) -> Self {
        Self(Subscriber::of_all(
            bus,
            clock,
            vec![Topic::TaskReady, Topic::TaskDone, Topic::Control],
        ))
    }

    /// Waits for the next notice. Dropping the wait loses nothing.
    pub(crate) async fn next(&mut self) -> Notice {
        loop {
            match self.0.next().await {
                // The tail does not contain records that were published before it was opened.
                SubscriberEvent::Opened => return Notice::Unknown,
                SubscriberEvent::Incoming(Incoming::Record { record, .. }) => {
                    return notice(&record);
                }
                SubscriberEvent::Incoming(Incoming::Assigned(_) | Incoming::Revoked(_)) => {}
                SubscriberEvent::Broken(error) => {
                    tracing::warn!(error = %error, "the tail of attempts failed, it is opened again");
                }
            }
        }
    }

    /// Returns the next notice if there is one already.
    pub(crate) fn next_now(&mut self) -> Option<Notice> {
        self.next().now_or_never()
    }
}

/// Reads a record. One of an unknown schema, or one that cannot be read, only causes a reading of all rows.
fn notice(record: &Record) -> Notice {
    let read = match record.header("chorus-schema") {
        Some(record::CREDENTIAL) => {
            let tenant = record.header("chorus-tenant").map(Tenant::new);
            Some(Notice::AccountsChanged(tenant))
        }
        Some(record::CANCELLED) => record::read::<CancelledNotice>(record, record::CANCELLED)
            .ok()
            .map(|notice| Notice::Cancelled(notice.attempts)),
        Some(record::READY) => queued(record),
        Some(record::DONE) => ended(record),
        Some(_) | None => None,
    };
    read.unwrap_or(Notice::Unknown)
}

/// The epoch of a `task.ready` record is that of the next delivery; the first one of an attempt follows none.
fn queued(record: &Record) -> Option<Notice> {
    let ready: ReadyNotice = record::read(record, record::READY).ok()?;
    let Some(epoch) = epoch(record)?.0.checked_sub(1).map(Epoch) else {
        return Some(Notice::Queued(ready.attempt));
    };
    Some(Notice::Requeued(Ended {
        attempt: ready.attempt,
        epoch,
        owner: owner(record),
        call: ready.call,
    }))
}

fn ended(record: &Record) -> Option<Notice> {
    let done: AttemptDone = record::read(record, record::DONE).ok()?;
    Some(Notice::Ended(Ended {
        attempt: done.attempt,
        epoch: epoch(record)?,
        owner: owner(record),
        call: done.call,
    }))
}

fn epoch(record: &Record) -> Option<Epoch> {
    record.header("chorus-epoch")?.parse().ok().map(Epoch)
}

fn owner(record: &Record) -> Option<(Tenant, ProjectId)> {
    let tenant = Tenant::new(record.header("chorus-tenant")?);
    let project = record.header("chorus-project")?.parse().ok()?;
    Some((tenant, project))
}
