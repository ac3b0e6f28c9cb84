//! A consumer of its own on every dispatch and wake-up, from the first record on, and the hand that deletes topics.
//!
//! It is written against librdkafka alone and knows of Chorus only the names of topics and headers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};

use crate::time::{now_ms, until};

/// How long a poll waits.
const POLL: Duration = Duration::from_millis(200);
/// How long the broker may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// The topics read, by pattern, whatever namespace is before them.
const READ: &str = r"^.*chorus\.task\.(dispatch\..*|ready)\.v1$";

/// Part of the names of all of them, and of those that begin likewise and are not read.
const PREFIX: &str = "chorus.task.";
const NOT_READ: &str = "chorus.task.done";
/// How long reading everything may take.
const CATCH_UP: Duration = Duration::from_secs(30);

/// One record as Kafka carried it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// Whether it hands a delivery to a worker; else it wakes the dispatcher.
    pub dispatch: bool,
    /// The task.
    pub task: String,
    /// The attempt.
    pub attempt: String,
    /// Its epoch.
    pub epoch: i64,
    /// When its producer made it.
    pub produced_at: i64,
    /// When it came here.
    pub came_at: i64,
}

/// The consumer and what it saw.
pub struct Witness {
    brokers: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    reader: Option<Reader>,
    lives: u32,
}

/// The place behind the last record, by topic and partition.
type Positions = BTreeMap<(String, i32), i64>;

struct Reader {
    stop: Arc<AtomicBool>,
    /// How far it has read in this life.
    read: Arc<Mutex<Positions>>,
    thread: JoinHandle<()>,
}

impl Witness {
    /// Begins to read.
    pub fn attach(brokers: &str) -> anyhow::Result<Self> {
        let mut witness = Self { brokers: brokers.to_owned(), seen: Arc::default(), reader: None, lives: 0 };
        witness.read_from_the_beginning()?;
        Ok(witness)
    }

    /// Everything that it saw so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has read everything that its topics hold.
    pub async fn catch_up(&self) -> anyhow::Result<()> {
        let consumer: BaseConsumer = self.config().create().context("a client of Kafka")?;
        let nothing = Arc::default();
        let read = self.reader.as_ref().map_or(&nothing, |reader| &reader.read);
        until("the independent consumer has read everything", CATCH_UP, async || {
            let ends = ends(&consumer)?;
            let read = read.lock().unwrap_or_else(PoisonError::into_inner);
            let behind = ends.iter().any(|(place, end)| *end > read.get(place).copied().unwrap_or(0));
            Ok((!behind).then_some(()))
        })
        .await
    }

    /// Deletes every topic of Chorus; their names. Afterwards it reads those that are made anew.
    pub async fn delete_topics(&mut self) -> anyhow::Result<Vec<String>> {
        let admin: AdminClient<DefaultClientContext> = self.config().create().context("an admin client of Kafka")?;
        let topics = self.topics()?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        let results =
            admin.delete_topics(&names, &AdminOptions::new().operation_timeout(Some(ANSWER))).await.context("delete the topics")?;
        for result in results {
            result.map_err(|(topic, code)| anyhow::anyhow!("{topic} is not deleted: {code}"))?;
        }
        self.stop();
        until("the topics are gone", ANSWER, async || Ok(self.topics()?.is_empty().then_some(()))).await?;
        self.read_from_the_beginning()?;
        Ok(topics)
    }

    /// Names of all topics of Chorus.
    pub fn topics(&self) -> anyhow::Result<Vec<String>> {
        let consumer: BaseConsumer = self.config().create().context("a client of Kafka")?;
        let metadata = consumer.fetch_metadata(None, ANSWER).context("ask Kafka for its topics")?;
        Ok(metadata.topics().iter().map(|topic| topic.name().to_owned()).filter(|name| name.contains("chorus.")).collect())
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("client.id", "prove");
        config
    }

    /// A group of its own for each life: positions of deleted topics must not be taken over.
    fn read_from_the_beginning(&mut self) -> anyhow::Result<()> {
        self.stop();
        self.lives += 1;
        let mut config = self.config();
        config.set("group.id", format!("prove-witness-{}-{}", std::process::id(), self.lives));
        config.set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
        config.set("topic.metadata.refresh.interval.ms", "500");
        let consumer: BaseConsumer = config.create().context("a consumer of Kafka")?;
        consumer.subscribe(&[READ]).context("subscribe to the dispatches")?;
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::clone(&self.seen));
        let (told, read) = (Arc::clone(&stop), Arc::new(Mutex::new(Positions::new())));
        let positions = Arc::clone(&read);
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                // Errors pass: a broker that is away comes back, a topic that is not there yet will be.
                let Some(Ok(message)) = consumer.poll(POLL) else { continue };
                let place = (message.topic().to_owned(), message.partition());
                positions.lock().unwrap_or_else(PoisonError::into_inner).insert(place, message.offset() + 1);
                if let Some(record) = taken(&message) {
                    seen.lock().unwrap_or_else(PoisonError::into_inner).push(record);
                }
            }
        });
        self.reader = Some(Reader { stop, read, thread });
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.stop.store(true, Ordering::Relaxed);
            // A reader that panicked saw nothing more; the check of what was seen tells.
            let _ = reader.thread.join();
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Where the partitions end that are read.
fn ends(consumer: &BaseConsumer) -> anyhow::Result<Positions> {
    let metadata = consumer.fetch_metadata(None, ANSWER).context("ask Kafka for its topics")?;
    let mut ends = Positions::new();
    for topic in metadata.topics().iter().filter(|topic| topic.name().contains(PREFIX) && !topic.name().contains(NOT_READ)) {
        for partition in topic.partitions() {
            let (_, end) = consumer.fetch_watermarks(topic.name(), partition.id(), ANSWER).context("ask for the end of a partition")?;
            ends.insert((topic.name().to_owned(), partition.id()), end);
        }
    }
    Ok(ends)
}

fn taken(message: &impl Message) -> Option<Seen> {
    let headers = message.headers()?;
    let header = |name: &str| {
        let found = headers.iter().find(|header| header.key == name)?;
        Some(String::from_utf8_lossy(found.value?).into_owned())
    };
    Some(Seen {
        dispatch: message.topic().contains("dispatch"),
        task: header("chorus-task")?,
        attempt: header("chorus-attempt")?,
        epoch: header("chorus-epoch")?.parse().ok()?,
        produced_at: message.timestamp().to_millis()?,
        came_at: now_ms(),
    })
}
