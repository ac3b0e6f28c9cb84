//! The bus over Apache Kafka: the same records between processes, at least once.
//!
//! [`Kafka`] is the port; [`Topics`] creates topics and answers whether the broker is there and how far groups
//! lag; [`Letters`] lists and replays what nobody could read. A record is published when every replica that must
//! have it has it; an acknowledgement is committed within a quarter of a second, so what a killed member repeats
//! is little and is denied by the rows. Brokers that go away and come back, and topics that are deleted and made
//! again, heal without help; only a new log that outgrew a reader's old place before the reader looked is read from that
//! place, and the rows send the rest again. Deliberately absent: transactions, because rows and not offsets say what was done.

mod desk;
mod ledger;
mod letters;
mod message;
mod names;
mod publisher;
mod reader;
pub mod settings;
mod subscription;
mod topics;
mod voice;

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

use self::desk::Desk;
pub use self::letters::{Letter, Letters};
use self::names::{Names, partitions};
use self::publisher::Publisher;
use self::reader::{Consumer, Reader, Watcher};
pub use self::settings::{Login, Mechanism, Security, Settings, Tls};
use self::subscription::Subscribed;
pub use self::topics::{Lag, Missing, Topics};

/// The bus between processes. Clones speak to the same brokers over the same producers.
#[derive(Clone)]
pub struct Kafka {
    settings: Arc<Settings>,
    names: Names,
    publisher: Arc<Publisher>,
    topics: Arc<Topics>,
    readers: Arc<Readers>,
}

/// How many reading threads there are, and word of their going.
#[derive(Default)]
struct Readers {
    count: Mutex<usize>,
    gone: Condvar,
}

impl Kafka {
    /// A bus over these brokers. Nothing is asked of them yet.
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

    /// How the brokers are reached.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What else can be asked of the brokers.
    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// What nobody could read.
    pub fn letters(&self) -> Letters {
        Letters::new(self.settings.clone(), self.publisher.clone())
    }

    /// Waits until what was published has arrived and the subscriptions that were dropped have left their groups,
    /// so that the others need not wait until they are taken for dead; false when that took longer than `within`.
    pub async fn close(&self, within: Millis) -> bool {
        let (publisher, readers) = (self.publisher.clone(), self.readers.clone());
        let within = Duration::from_millis(within.0);
        let closing = tokio::task::spawn_blocking(move || {
            let left = readers.wait(within);
            publisher.flush(within) && left
        });
        closing.await.unwrap_or(false)
    }

    fn consumer(&self, group: Option<&str>, desk: &Arc<Desk>) -> Result<Consumer, BusError> {
        let number = next_number();
        let config = match group {
            Some(group) => self.settings.member(number, &self.settings.named(group)),
            None => self.settings.tail(number),
        };
        let watcher = Watcher {
            desk: desk.clone(),
            names: self.names.clone(),
        };
        config
            .create_with_context(watcher)
            .map_err(|problem| failed("make a consumer", &problem))
    }

    /// Starts the thread that reads for a subscription.
    fn read(
        &self,
        consumer: Consumer,
        desk: Arc<Desk>,
        member: bool,
    ) -> Result<Box<dyn Subscription>, BusError> {
        let consumer = Arc::new(consumer);
        let subscribed = Subscribed {
            desk: desk.clone(),
            consumer: member.then(|| Arc::downgrade(&consumer)),
            names: self.names.clone(),
            paused: false,
        };
        let letters = member.then(|| (self.publisher.clone(), Handle::current()));
        let reader = Reader {
            consumer,
            desk,
            names: self.names.clone(),
            letters,
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
        let desk = Arc::new(Desk::default());
        let consumer = self.consumer(Some(group), &desk)?;
        let names: Vec<String> = topics.iter().map(|topic| self.names.of(topic)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        consumer
            .subscribe(&names)
            .map_err(|problem| failed("subscribe", &problem))?;
        self.read(consumer, desk, true)
    }

    async fn tail(&self, topics: Vec<Topic>) -> Result<Box<dyn Subscription>, BusError> {
        let ends = self
            .topics
            .ends(topics.iter().flat_map(partitions).collect())
            .await?;
        let desk = Arc::new(Desk::default());
        desk.assign(ends.iter().map(|at| at.partition.clone()).collect(), false);
        let consumer = self.consumer(None, &desk)?;
        let places: TopicPartitionList = self.names.places(&ends);
        consumer
            .assign(&places)
            .map_err(|problem| failed("tail", &problem))?;
        self.read(consumer, desk, false)
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

/// One reading thread, as long as it is there.
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

/// A number that no other connection of this process has.
fn next_number() -> u64 {
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    NUMBERS.fetch_add(1, Ordering::Relaxed)
}

fn failed(to: &str, problem: &KafkaError) -> BusError {
    BusError::new(format!("failed to {to}: {problem}")).caused_by(problem.clone())
}
