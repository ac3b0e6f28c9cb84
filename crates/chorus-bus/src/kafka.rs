//! The bus over Apache Kafka: the same records between processes, at least once.
//!
//! [`Kafka`] implements the port; [`Topics`] creates topics, reaches a broker and measures how far groups lag;
//! [`DeadLetters`] lists and replays messages that no consumer could read.
//!
//! A record is published when every in-sync replica has it. An acknowledgement is committed within 250 ms, so a
//! killed member repeats little, and the rows deny what is repeated. Brokers that return, and topics that are
//! deleted and created again, need no help; only a new log that outgrew a reader's old offset before the reader
//! polled is read from that offset, and the rows send the rest again.
//!
//! Deliberately absent: transactions, because the rows and not the offsets record progress.

mod client_logger;
mod dead_letters;
mod inbox;
mod message;
mod names;
mod offset_tracker;
mod publisher;
mod reader;
pub mod settings;
mod subscription;
mod topics;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chorus_core::port::Bus;
use chorus_core::port::bus::{BusError, Record, Subscription, Topic};
use chorus_core::time::Millis;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;
use tokio::runtime::Handle;

pub use self::dead_letters::{DeadLetter, DeadLetters};
use self::inbox::Inbox;
use self::names::{Names, partitions};
use self::publisher::Publisher;
use self::reader::{Consumer, Reader, RebalanceReporter};
pub use self::settings::{Login, Mechanism, Security, Settings, Tls};
use self::subscription::Subscribed;
pub use self::topics::{Lag, Missing, Topics};

/// The bus between processes. Clones share brokers and producers.
#[derive(Clone)]
pub struct Kafka {
    settings: Arc<Settings>,
    names: Names,
    publisher: Arc<Publisher>,
    topics: Arc<Topics>,
    readers: Arc<Readers>,
}

/// Count of reading threads, and the signal that it fell.
#[derive(Default)]
struct Readers {
    count: Mutex<usize>,
    gone: Condvar,
}

impl Kafka {
    /// Creates a bus over these brokers; no connection is made yet.
    pub fn new(settings: Settings) -> Result<Self, BusError> {
        settings.check()?;
        Ok(Self {
            names: Names::new(&settings),
            publisher: Arc::new(Publisher::new(&settings)?),
            topics: Arc::new(Topics::new(settings.clone())?),
            settings: Arc::new(settings),
            readers: Arc::default(),
        })
    }

    /// Settings that the bus was created with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Topics and groups on these brokers.
    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// Messages that no consumer could read.
    pub fn dead_letters(&self) -> DeadLetters {
        DeadLetters::new(self.settings.clone(), self.publisher.clone())
    }

    /// Waits until published records are acknowledged and dropped subscriptions have left their groups, so that
    /// other members need not wait for a session timeout; false when that took longer than `within`.
    pub async fn close(&self, within: Millis) -> bool {
        let (publisher, readers) = (self.publisher.clone(), self.readers.clone());
        let within = Duration::from_millis(within.0);
        let closing = tokio::task::spawn_blocking(move || {
            let left = readers.wait(within);
            publisher.flush(within) && left
        });
        closing.await.unwrap_or(false)
    }

    fn consumer(&self, group: Option<&str>, inbox: &Arc<Inbox>) -> Result<Consumer, BusError> {
        let number = next_number();
        let config = match group {
            Some(group) => self.settings.member(number, &self.settings.named(group)),
            None => self.settings.tail(number),
        };
        let reporter = RebalanceReporter {
            inbox: inbox.clone(),
            names: self.names.clone(),
        };
        config
            .create_with_context(reporter)
            .map_err(|problem| failed("make a consumer", &problem))
    }

    /// Starts the thread that reads for a subscription.
    fn read(
        &self,
        consumer: Consumer,
        inbox: Arc<Inbox>,
        member: bool,
    ) -> Result<Box<dyn Subscription>, BusError> {
        let consumer = Arc::new(consumer);
        let subscribed = Subscribed {
            inbox: inbox.clone(),
            consumer: member.then(|| Arc::downgrade(&consumer)),
            names: self.names.clone(),
            paused: false,
        };
        let dead_letters = member.then(|| (self.publisher.clone(), Handle::current()));
        let reader = Reader {
            consumer,
            inbox,
            names: self.names.clone(),
            dead_letters,
        };
        let present = Present::new(self.readers.clone());
        let thread = std::thread::Builder::new()
            .name("chorus-bus".to_owned())
            .spawn(move || {
                reader.run();
                drop(present);
            });
        thread.map_err(|problem| {
            BusError::new(format!("failed to start a reading thread: {problem}")).caused_by(problem)
        })?;
        Ok(Box::new(subscribed))
    }
}

#[async_trait]
impl Bus for Kafka {
    async fn publish(&self, records: Vec<Record>) -> Result<(), BusError> {
        self.publisher.publish(records).await
    }

    async fn subscribe(
        &self,
        topics: Vec<Topic>,
        group: &str,
    ) -> Result<Box<dyn Subscription>, BusError> {
        let inbox = Arc::new(Inbox::default());
        let consumer = self.consumer(Some(group), &inbox)?;
        let names: Vec<String> = topics.iter().map(|topic| self.names.of(topic)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        consumer
            .subscribe(&names)
            .map_err(|problem| failed("subscribe", &problem))?;
        self.read(consumer, inbox, true)
    }

    async fn tail(&self, topics: Vec<Topic>) -> Result<Box<dyn Subscription>, BusError> {
        let ends = self
            .topics
            .ends(topics.iter().flat_map(partitions).collect())
            .await?;
        let inbox = Arc::new(Inbox::default());
        inbox.assign(ends.iter().map(|at| at.partition.clone()).collect(), false);
        let consumer = self.consumer(None, &inbox)?;
        let places: TopicPartitionList = self.names.places(&ends);
        consumer
            .assign(&places)
            .map_err(|problem| failed("tail", &problem))?;
        self.read(consumer, inbox, false)
    }
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kafka")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Readers {
    fn wait(&self, within: Duration) -> bool {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .gone
            .wait_timeout_while(count, within, |count| *count > 0);
        waited.is_ok_and(|(count, _)| *count == 0)
    }
}

/// Counts one reading thread until it is dropped.
struct Present(Arc<Readers>);

impl Present {
    fn new(readers: Arc<Readers>) -> Self {
        *readers.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self(readers)
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        *self.0.count.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.gone.notify_all();
    }
}

/// Returns a number that no other connection of this process has.
fn next_number() -> u64 {
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

fn failed(to: &str, problem: &KafkaError) -> BusError {
    BusError::new(format!("failed to {to}: {problem}")).caused_by(problem.clone())
}
