//! A reader of topics that survives failures of the bus: its [`Subscription`] is opened again after a pause.
//! Made of the ports [`Bus`] and [`Clock`]; every service reads the bus through it.

use std::sync::Arc;

use super::bus::{BusError, Incoming, Position, Subscription, Topic};
use super::{Bus, Clock};
use crate::time::{Millis, Timestamp};

/// Pause between a failure of the bus and the next subscription.
const PAUSE: Millis = Millis(500);

/// Reader of some topics, in a group or outside any.
pub struct Subscriber {
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    topics: Vec<Topic>,
    group: Option<String>,
    open: Option<Box<dyn Subscription>>,
    open_at: Timestamp,
    paused: bool,
    broken: Option<BusError>,
}

/// One item of a [`Subscriber`].
#[derive(Debug)]
pub enum SubscriberEvent {
    /// The subscription is open, for the first time or again. Without a group, records published before
    /// are lost to this reader.
    Opened,
    /// An item of the subscription.
    Incoming(Incoming),
    /// The subscription failed, or could not be opened, and is opened again: records that were not
    /// acknowledged come again.
    Broken(BusError),
}

impl Subscriber {
    /// Makes a member of a group: each record goes to one of its members.
    pub fn of_group(
        bus: Arc<dyn Bus>,
        clock: Arc<dyn Clock>,
        topics: Vec<Topic>,
        group: String,
    ) -> Self {
        Self {
            group: Some(group),
            ..Self::of_all(bus, clock, topics)
        }
    }

    /// Makes a reader of every record published from now on, outside any group.
    pub fn of_all(bus: Arc<dyn Bus>, clock: Arc<dyn Clock>, topics: Vec<Topic>) -> Self {
        let open_at = clock.now();
        Self {
            bus,
            clock,
            topics,
            group: None,
            open: None,
            open_at,
            paused: false,
            broken: None,
        }
    }

    /// Returns the next item. Cancelling the wait loses nothing.
    pub async fn next(&mut self) -> SubscriberEvent {
        if let Some(error) = self.broken.take() {
            return SubscriberEvent::Broken(error);
        }
        let outcome = match &mut self.open {
            Some(subscription) => subscription.next().await.map(SubscriberEvent::Incoming),
            None => self.reopen().await.map(|()| SubscriberEvent::Opened),
        };
        outcome.unwrap_or_else(|error| {
            self.close();
            SubscriberEvent::Broken(error)
        })
    }

    /// Commits the record and all before it in its partition. A failure closes the subscription, and the
    /// record comes again.
    pub async fn ack(&mut self, at: &Position) {
        if let Some(subscription) = &mut self.open
            && let Err(error) = subscription.ack(at).await
        {
            self.close();
            self.broken = Some(error);
        }
    }

    /// Stops or resumes the flow of records; a subscription that is opened again keeps the choice.
    pub async fn pause(&mut self, paused: bool) {
        if self.paused == paused {
            return;
        }
        self.paused = paused;
        if let Some(subscription) = &mut self.open
            && let Err(error) = subscription.pause(paused).await
        {
            self.close();
            self.broken = Some(error);
        }
    }

    async fn reopen(&mut self) -> Result<(), BusError> {
        self.clock.sleep_until(self.open_at).await;
        let topics = self.topics.clone();
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

    fn close(&mut self) {
        self.open = None;
        self.open_at = self.clock.now() + PAUSE;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;

    use super::*;
    use crate::port::bus::{Partition, Record};

    /// A bus that fails while it is away, and records the calls of its methods.
    #[derive(Default)]
    struct Fake {
        away: Mutex<bool>,
        calls: Mutex<Vec<String>>,
        now: Mutex<i64>,
    }

    struct Member(Arc<Fake>);

    impl Fake {
        fn call(&self, what: String) -> Result<(), BusError> {
            if *self.away.lock().expect("one thread") {
                return Err(BusError::new(format!("no {what}")));
            }
            self.calls.lock().expect("one thread").push(what);
            Ok(())
        }
    }

    #[async_trait]
    impl Bus for Arc<Fake> {
        async fn publish(&self, _: Vec<Record>) -> Result<(), BusError> {
            unreachable!("a subscriber publishes nothing")
        }

        async fn subscribe(
            &self,
            topics: Vec<Topic>,
            group: &str,
        ) -> Result<Box<dyn Subscription>, BusError> {
            self.call(format!("{} topics for {group}", topics.len()))?;
            Ok(Box::new(Member(Arc::clone(self))))
        }

        async fn tail(&self, topics: Vec<Topic>) -> Result<Box<dyn Subscription>, BusError> {
            self.call(format!("{} topics", topics.len()))?;
            Ok(Box::new(Member(Arc::clone(self))))
        }
    }

    #[async_trait]
    impl Subscription for Member {
        async fn next(&mut self) -> Result<Incoming, BusError> {
            self.0.call("next".to_owned())?;
            Ok(Incoming::Assigned(Vec::new()))
        }

        async fn ack(&mut self, at: &Position) -> Result<(), BusError> {
            self.0.call(format!("ack {}", at.offset))
        }

        async fn pause(&mut self, paused: bool) -> Result<(), BusError> {
            self.0.call(format!("pause {paused}"))
        }
    }

    /// Time that only the test moves.
    impl Clock for Arc<Fake> {
        fn now(&self) -> Timestamp {
            Timestamp(*self.now.lock().expect("one thread"))
        }

        fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
            if at <= Clock::now(self) {
                futures_util::future::ready(()).boxed()
            } else {
                futures_util::future::pending().boxed()
            }
        }

        fn random_u128(&self) -> u128 {
            0
        }

        fn random_below(&self, _: u64) -> u64 {
            0
        }
    }

    /// Checks the next item, and the calls of the bus since the last check.
    fn check(subscriber: &mut Subscriber, fake: &Fake, item: &str, calls: &[&str]) {
        let next = match subscriber.next().now_or_never() {
            None => "nothing yet".to_owned(),
            Some(SubscriberEvent::Opened) => "opened".to_owned(),
            Some(SubscriberEvent::Incoming(_)) => "incoming".to_owned(),
            Some(SubscriberEvent::Broken(error)) => error.message,
        };
        assert_eq!(next, item);
        assert_eq!(
            std::mem::take(&mut *fake.calls.lock().expect("one thread")),
            calls
        );
    }

    fn now<T>(operation: impl Future<Output = T>) -> T {
        operation.now_or_never().expect("the fake answers at once")
    }

    #[test]
    fn a_subscription_that_fails_is_reported_once_and_opened_again_after_a_pause() {
        let fake = Arc::new(Fake::default());
        let group = "workers".to_owned();
        let mut subscriber = Subscriber::of_group(
            Arc::new(Arc::clone(&fake)),
            Arc::new(Arc::clone(&fake)),
            vec![Topic::TaskReady],
            group,
        );
        check(&mut subscriber, &fake, "opened", &["1 topics for workers"]);
        check(&mut subscriber, &fake, "incoming", &["next"]);
        now(subscriber.pause(true));
        now(subscriber.pause(true));
        *fake.away.lock().expect("one thread") = true;
        check(&mut subscriber, &fake, "no next", &["pause true"]);
        check(&mut subscriber, &fake, "nothing yet", &[]);
        *fake.now.lock().expect("one thread") = 500;
        check(&mut subscriber, &fake, "no 1 topics for workers", &[]);
        *fake.away.lock().expect("one thread") = false;
        check(&mut subscriber, &fake, "nothing yet", &[]);
        *fake.now.lock().expect("one thread") = 1_000;
        check(
            &mut subscriber,
            &fake,
            "opened",
            &["1 topics for workers", "pause true"],
        );
    }

    #[test]
    fn an_acknowledgement_that_fails_closes_the_subscription() {
        let fake = Arc::new(Fake::default());
        let mut subscriber = Subscriber::of_all(
            Arc::new(Arc::clone(&fake)),
            Arc::new(Arc::clone(&fake)),
            vec![Topic::Control],
        );
        let at = Position {
            partition: Partition {
                topic: Topic::Control,
                number: 0,
            },
            offset: 7,
        };
        now(subscriber.ack(&at));
        check(&mut subscriber, &fake, "opened", &["1 topics"]);
        now(subscriber.ack(&at));
        *fake.away.lock().expect("one thread") = true;
        now(subscriber.ack(&at));
        *fake.away.lock().expect("one thread") = false;
        check(&mut subscriber, &fake, "no ack 7", &["ack 7"]);
        *fake.now.lock().expect("one thread") = 500;
        check(&mut subscriber, &fake, "opened", &["1 topics"]);
    }
}
