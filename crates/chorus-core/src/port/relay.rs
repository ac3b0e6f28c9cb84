//! Publishes records that were committed to the outbox, then marks them as sent.
//!
//! The committer calls [`publish_committed`] right after its commit, so that readers need not wait for the
//! dispatcher's sweep. Nothing is lost where it fails: the sweep publishes every record that is not marked,
//! and readers drop what they have seen. Deliberately absent: retries, which are the sweep's.

use super::bus::Record;
use super::{Bus, Clock, Outbox};
use crate::time::Millis;

/// Maximum time for publication and mark together; the sweep takes the records up after that.
pub const PUBLISH_WITHIN: Millis = Millis::from_secs(5);

/// Result of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The bus took the records and the outbox was marked; also the result for an empty list.
    Marked,
    /// The bus took the records, but the mark failed or was late: the sweep may publish them once more.
    Unmarked,
    /// The bus failed or was late: the sweep publishes the records.
    Left,
}

/// Publishes the records and marks them as sent, within [`PUBLISH_WITHIN`]. Failures are logged, and may be
/// ignored by the caller.
pub async fn publish_committed(
    bus: &dyn Bus,
    outbox: &dyn Outbox,
    clock: &dyn Clock,
    records: Vec<Record>,
) -> Published {
    if records.is_empty() {
        return Published::Marked;
    }
    let end = clock.now() + PUBLISH_WITHIN;
    let ids = records.iter().map(|record| record.id).collect();
    match clock.deadline(end, bus.publish(records)).await {
        Some(Ok(())) => {}
        Some(Err(error)) => {
            tracing::warn!(error = %error, "failed to publish committed records, the sweep will");
            return Published::Left;
        }
        None => {
            tracing::warn!("publishing took too long, committed records are left to the sweep");
            return Published::Left;
        }
    }
    match clock.deadline(end, outbox.mark_sent(ids)).await {
        Some(Ok(())) => Published::Marked,
        Some(Err(error)) => {
            tracing::warn!(error = %error, "failed to mark published records as sent");
            Published::Unmarked
        }
        None => {
            tracing::warn!("marking published records as sent took too long");
            Published::Unmarked
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use bytes::Bytes;
    use futures_util::FutureExt as _;
    use futures_util::future::{BoxFuture, pending, ready};

    use super::*;
    use crate::id::EventId;
    use crate::port::StoreError;
    use crate::port::bus::{BusError, Subscription, Topic};
    use crate::time::Timestamp;

    /// How a port of the test answers.
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Mood {
        Works,
        Fails,
        Hangs,
    }

    /// A bus and an outbox; the clock's deadline passes as soon as something waits for it.
    struct Fake {
        bus: Mood,
        outbox: Mood,
        marked: Mutex<Vec<EventId>>,
    }

    #[async_trait]
    impl Bus for Fake {
        async fn publish(&self, _: Vec<Record>) -> Result<(), BusError> {
            match self.bus {
                Mood::Works => Ok(()),
                Mood::Fails => Err(BusError::new("away")),
                Mood::Hangs => pending().await,
            }
        }

        async fn subscribe(
            &self,
            _: Vec<Topic>,
            _: &str,
        ) -> Result<Box<dyn Subscription>, BusError> {
            unreachable!("a relay reads nothing")
        }

        async fn tail(&self, _: Vec<Topic>) -> Result<Box<dyn Subscription>, BusError> {
            unreachable!("a relay reads nothing")
        }
    }

    #[async_trait]
    impl Outbox for Fake {
        async fn unsent(&self, _: Millis, _: u32) -> Result<Vec<Record>, StoreError> {
            unreachable!("a relay reads nothing")
        }

        async fn mark_sent(&self, ids: Vec<EventId>) -> Result<(), StoreError> {
            match self.outbox {
                Mood::Works => {
                    self.marked.lock().expect("one thread").extend(ids);
                    Ok(())
                }
                Mood::Fails => Err(StoreError::unavailable("away")),
                Mood::Hangs => pending().await,
            }
        }

        async fn unfolded(&self, _: Millis, _: u32) -> Result<Vec<Record>, StoreError> {
            unreachable!("a relay reads nothing")
        }

        async fn forget(&self, _: Millis, _: u32) -> Result<u32, StoreError> {
            unreachable!("a relay deletes nothing")
        }
    }

    impl Clock for Fake {
        fn now(&self) -> Timestamp {
            Timestamp(0)
        }

        fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
            ready(()).boxed()
        }

        fn random_u128(&self) -> u128 {
            0
        }

        fn random_below(&self, _: u64) -> u64 {
            0
        }
    }

    fn check(bus: Mood, outbox: Mood, records: usize, expected: Published) {
        let fake = Fake {
            bus,
            outbox,
            marked: Mutex::default(),
        };
        let record = |number: u128| Record {
            id: EventId::new(number),
            topic: Topic::Event,
            key: "key".to_owned(),
            headers: Vec::new(),
            payload: Bytes::new(),
        };
        let records = (1..=records as u128).map(record).collect::<Vec<_>>();
        let ids = records.iter().map(|record| record.id).collect::<Vec<_>>();
        let published = publish_committed(&fake, &fake, &fake, records)
            .now_or_never()
            .expect("the deadline passes at once");
        assert_eq!(published, expected);
        let marked = fake.marked.lock().expect("one thread");
        assert_eq!(
            *marked,
            if expected == Published::Marked {
                ids
            } else {
                Vec::new()
            }
        );
    }

    #[test]
    fn published_records_are_marked() {
        check(Mood::Works, Mood::Works, 2, Published::Marked);
    }

    #[test]
    fn an_empty_list_touches_neither_bus_nor_outbox() {
        check(Mood::Hangs, Mood::Hangs, 0, Published::Marked);
    }

    #[test]
    fn what_the_bus_did_not_take_is_not_marked() {
        check(Mood::Fails, Mood::Works, 2, Published::Left);
        check(Mood::Hangs, Mood::Works, 2, Published::Left);
    }

    #[test]
    fn a_failed_mark_is_not_an_error() {
        check(Mood::Works, Mood::Fails, 1, Published::Unmarked);
        check(Mood::Works, Mood::Hangs, 1, Published::Unmarked);
    }
}
