//! Kafka consumer that reads every dispatch and wake-up from the first record on, and deletes
//! topics.
//!
//! It uses librdkafka only and knows the names of topics and headers, no other code of Chorus.

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
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::time::{now_ms, until};

/// Maximum wait of a poll.
const POLL: Duration = Duration::from_millis(200);
/// Maximum time for the broker to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// Substrings of the names of the topics that are read, with any namespace.
const READ: [&str; 2] = ["chorus.task.dispatch.", "chorus.task.ready."];

/// Maximum time to read everything.
const CATCH_UP: Duration = Duration::from_secs(30);

/// A record as Kafka carried it, read by a [`BusObserver`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeenRecord {
    /// True for a dispatch to a worker, false for a wake-up of the dispatcher.
    pub dispatch: bool,
    /// Task id.
    pub task: String,
    /// Attempt id.
    pub attempt: String,
    /// Epoch of the attempt.
    pub epoch: i64,
    /// Time at which the producer created it.
    pub produced_at: i64,
    /// Time at which it was received.
    pub came_at: i64,
}

/// The consumer with all records received.
pub struct BusObserver {
    brokers: String,
    seen: Arc<Mutex<Vec<SeenRecord>>>,
    reader: Option<Reader>,
}

/// Next offset by topic and partition.
type Positions = BTreeMap<(String, i32), i64>;

struct Reader {
    stop: Arc<AtomicBool>,
    /// Offsets reached since the last start of the reader.
    read: Arc<Mutex<Positions>>,
    thread: JoinHandle<()>,
}

impl BusObserver {
    /// Starts reading.
    pub fn attach(brokers: &str) -> anyhow::Result<Self> {
        let mut observer = Self {
            brokers: brokers.to_owned(),
            seen: Arc::default(),
            reader: None,
        };
        observer.read_from_the_beginning()?;
        Ok(observer)
    }

    /// All records received so far.
    pub fn seen(&self) -> Vec<SeenRecord> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until everything in the topics has been read.
    pub async fn catch_up(&self) -> anyhow::Result<()> {
        let consumer: BaseConsumer = self.config().create().context("a client of Kafka")?;
        let nothing = Arc::default();
        let read = self.reader.as_ref().map_or(&nothing, |reader| &reader.read);
        until(
            "the independent consumer has read everything",
            CATCH_UP,
            async || {
                let ends = ends(&consumer)?;
                let read = read.lock().unwrap_or_else(PoisonError::into_inner);
                let behind = ends
                    .iter()
                    .any(|(partition, end)| *end > read.get(partition).copied().unwrap_or(0));
                Ok((!behind).then_some(()))
            },
        )
        .await
    }

    /// Deletes every topic of Chorus and returns their names. Reading stops until
    /// [`BusObserver::read_from_the_beginning`].
    pub async fn delete_topics(&mut self) -> anyhow::Result<Vec<String>> {
        let admin: AdminClient<DefaultClientContext> =
            self.config().create().context("an admin client of Kafka")?;
        let topics = self.topics()?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        let results = admin
            .delete_topics(&names, &AdminOptions::new().operation_timeout(Some(ANSWER)))
            .await
            .context("delete the topics")?;
        for result in results {
            result.map_err(|(topic, code)| anyhow::anyhow!("{topic} is not deleted: {code}"))?;
        }
        self.stop();
        until("the topics are gone", ANSWER, async || {
            Ok(self.topics()?.is_empty().then_some(()))
        })
        .await?;
        Ok(topics)
    }

    /// Names of all topics of Chorus.
    pub fn topics(&self) -> anyhow::Result<Vec<String>> {
        let consumer: BaseConsumer = self.config().create().context("a client of Kafka")?;
        let metadata = consumer
            .fetch_metadata(None, ANSWER)
            .context("ask Kafka for its topics")?;
        Ok(metadata
            .topics()
            .iter()
            .map(|topic| topic.name().to_owned())
            .filter(|name| name.contains("chorus."))
            .collect())
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "prove");
        config
    }

    /// Reads every partition from its first record; the topics must exist. Without a consumer
    /// group, other consumers and the coordinator's delay after a restart have no effect.
    pub fn read_from_the_beginning(&mut self) -> anyhow::Result<()> {
        self.stop();
        let mut config = self.config();
        config
            .set("group.id", "prove")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest");
        let consumer: BaseConsumer = config.create().context("a consumer of Kafka")?;
        let mut all = TopicPartitionList::new();
        for (topic, partition) in partitions(&consumer)? {
            all.add_partition_offset(&topic, partition, Offset::Beginning)
                .context("a partition")?;
        }
        anyhow::ensure!(all.count() > 0, "there is no topic to read");
        consumer.assign(&all).context("read the topics")?;
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::clone(&self.seen));
        let (all_received, read) = (Arc::clone(&stop), Arc::new(Mutex::new(Positions::new())));
        let positions = Arc::clone(&read);
        let thread = std::thread::spawn(move || {
            while !all_received.load(Ordering::Relaxed) {
                // Errors pass: a stopped broker comes back, a missing topic will be created.
                let Some(Ok(message)) = consumer.poll(POLL) else {
                    continue;
                };
                let partition = (message.topic().to_owned(), message.partition());
                positions
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(partition, message.offset() + 1);
                if let Some(record) = taken(&message) {
                    seen.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(record);
                }
            }
        });
        self.reader = Some(Reader { stop, read, thread });
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.stop.store(true, Ordering::Relaxed);
            // A reader that panicked received nothing more, which the checks find.
            let _ = reader.thread.join();
        }
    }
}

impl Drop for BusObserver {
    fn drop(&mut self) {
        self.stop();
    }
}

/// End offsets of the partitions that are read.
fn ends(consumer: &BaseConsumer) -> anyhow::Result<Positions> {
    let end = |(topic, partition): (String, i32)| {
        let (_, end) = consumer
            .fetch_watermarks(&topic, partition, ANSWER)
            .context("ask for the end of a partition")?;
        Ok(((topic, partition), end))
    };
    partitions(consumer)?.into_iter().map(end).collect()
}

/// Partitions that are read.
fn partitions(consumer: &BaseConsumer) -> anyhow::Result<Vec<(String, i32)>> {
    let metadata = consumer
        .fetch_metadata(None, ANSWER)
        .context("ask Kafka for its topics")?;
    let read = metadata
        .topics()
        .iter()
        .filter(|topic| READ.iter().any(|part| topic.name().contains(part)));
    Ok(read
        .flat_map(|topic| {
            topic
                .partitions()
                .iter()
                .map(|partition| (topic.name().to_owned(), partition.id()))
        })
        .collect())
}

fn taken(message: &impl Message) -> Option<SeenRecord> {
    let headers = message.headers()?;
    let header = |name: &str| {
        let found = headers.iter().find(|header| header.key == name)?;
        Some(String::from_utf8_lossy(found.value?).into_owned())
    };
    Some(SeenRecord {
        dispatch: message.topic().contains("dispatch"),
        task: header("chorus-task")?,
        attempt: header("chorus-attempt")?,
        epoch: header("chorus-epoch")?.parse().ok()?,
        produced_at: message.timestamp().to_millis()?,
        came_at: now_ms(),
    })
}
