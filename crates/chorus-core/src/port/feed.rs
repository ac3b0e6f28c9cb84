//! A subscription that heals: when the bus fails, it is opened again after a while. Made of the ports of bus and time.

use std::sync::Arc;

use super::bus::{BusError, Incoming, Position, Subscription, Topic};
use super::{Bus, Clock};
use crate::time::{Millis, Timestamp};

/// How long a feed rests after the bus failed.
const REST: Millis = Millis(500);

/// Records of some topics, for as long as somebody asks for them.
pub struct Feed {
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    topics: Vec<Topic>,
    group: Option<String>,
    open: Option<Box<dyn Subscription>>,
    open_at: Timestamp,
    paused: bool,
    broken: Option<BusError>,
}

/// What a feed has to say.
#[derive(Debug)]
pub enum Fed {
    /// It stands, for the first time or again: one without a group has not seen what was published before.
    Opened,
    /// The bus says something.
    Incoming(Incoming),
    /// It broke, or could not be opened, and is opened again: what came and was not acknowledged will come again.
    Broken(BusError),
}

impl Feed {
    /// As a member of a group: each record goes to one of its members.
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

    /// Every record from now on.
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

    /// What comes next. Cancelling the wait loses nothing.
    pub async fn next(&mut self) -> Fed {
        if let Some(error) = self.broken.take() {
            return Fed::Broken(error);
        }
        let outcome = match &mut self.open {
            Some(subscription) => subscription.next().await.map(Fed::Incoming),
            None => self.reopen().await.map(|()| Fed::Opened),
        };
        outcome.unwrap_or_else(|error| {
            self.close();
            Fed::Broken(error)
        })
    }

    /// The record is done with, and all before it in its partition. Where that is not taken the feed breaks, and the
    /// record comes again.
    pub async fn ack(&mut self, at: &Position) {
        if let Some(subscription) = &mut self.open
            && let Err(error) = subscription.ack(at).await
        {
            self.close();
            self.broken = Some(error);
        }
    }

    /// Stops or resumes the flow of records; it stays so when the feed is opened again.
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
        self.open_at = self.clock.now() + REST;
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

    /// A bus whose every deed fails while it is away; it writes down what it was asked.
    #[derive(Default)]
    struct Fake {
        away: Mutex<bool>,
        told: Mutex<Vec<String>>,
        now: Mutex<i64>,
    }

    struct Member(Arc<Fake>);

    impl Fake {
        fn tell(&self, what: String) -> Result<(), BusError> {
            if *self.away.lock().expect("one thread") {
                return Err(BusError::new(format!("no {what}")));
            }
            self.told.lock().expect("one thread").push(what);
            Ok(())
        }
    }

    #[async_trait]
    impl Bus for Arc<Fake> {
        async fn publish(&self, _: Vec<Record>) -> Result<(), BusError> {
            unreachable!("a feed publishes nothing")
        }

        async fn subscribe(
            &self,
            topics: Vec<Topic>,
            group: &str,
        ) -> Result<Box<dyn Subscription>, BusError> {
            self.tell(format!("{} topics for {group}", topics.len()))?;
            Ok(Box::new(Member(Arc::clone(self))))
        }

        async fn tail(&self, topics: Vec<Topic>) -> Result<Box<dyn Subscription>, BusError> {
            self.tell(format!("{} topics", topics.len()))?;
            Ok(Box::new(Member(Arc::clone(self))))
        }
    }

    #[async_trait]
    impl Subscription for Member {
        async fn next(&mut self) -> Result<Incoming, BusError> {
            self.0.tell("next".to_owned())?;
            Ok(Incoming::Assigned(Vec::new()))
        }

        async fn ack(&mut self, at: &Position) -> Result<(), BusError> {
            self.0.tell(format!("ack {}", at.offset))
        }

        async fn pause(&mut self, paused: bool) -> Result<(), BusError> {
            self.0.tell(format!("pause {paused}"))
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

    /// What the feed says now, and what the bus heard meanwhile.
    fn check(feed: &mut Feed, fake: &Fake, says: &str, heard: &[&str]) {
        let said = match feed.next().now_or_never() {
            None => "nothing yet".to_owned(),
            Some(Fed::Opened) => "opened".to_owned(),
            Some(Fed::Incoming(_)) => "incoming".to_owned(),
            Some(Fed::Broken(error)) => error.message,
        };
        assert_eq!(said, says);
        assert_eq!(
            std::mem::take(&mut *fake.told.lock().expect("one thread")),
            heard
        );
    }

    fn now<T>(deed: impl Future<Output = T>) -> T {
        deed.now_or_never().expect("the fake answers at once")
    }

    #[test]
    fn a_feed_that_breaks_says_so_once_rests_and_opens_again_as_it_was() {
        let fake = Arc::new(Fake::default());
        let group = "workers".to_owned();
        let mut feed = Feed::of_group(
            Arc::new(Arc::clone(&fake)),
            Arc::new(Arc::clone(&fake)),
            vec![Topic::TaskReady],
            group,
        );
        check(&mut feed, &fake, "opened", &["1 topics for workers"]);
        check(&mut feed, &fake, "incoming", &["next"]);
        now(feed.pause(true));
        now(feed.pause(true));
        *fake.away.lock().expect("one thread") = true;
        check(&mut feed, &fake, "no next", &["pause true"]);
        check(&mut feed, &fake, "nothing yet", &[]);
        *fake.now.lock().expect("one thread") = 500;
        check(&mut feed, &fake, "no 1 topics for workers", &[]);
        *fake.away.lock().expect("one thread") = false;
        check(&mut feed, &fake, "nothing yet", &[]);
        *fake.now.lock().expect("one thread") = 1_000;
        check(
            &mut feed,
            &fake,
            "opened",
            &["1 topics for workers", "pause true"],
        );
    }

    #[test]
    fn an_acknowledgement_that_is_not_taken_breaks_the_feed() {
        let fake = Arc::new(Fake::default());
        let mut feed = Feed::of_all(
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
        now(feed.ack(&at));
        check(&mut feed, &fake, "opened", &["1 topics"]);
        now(feed.ack(&at));
        *fake.away.lock().expect("one thread") = true;
        now(feed.ack(&at));
        *fake.away.lock().expect("one thread") = false;
        check(&mut feed, &fake, "no ack 7", &["ack 7"]);
        *fake.now.lock().expect("one thread") = 500;
        check(&mut feed, &fake, "opened", &["1 topics"]);
    }
}
