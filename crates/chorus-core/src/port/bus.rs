//! At-least-once transport of small records. The store holds the truth: losing every record costs
//! time and nothing else.
//!
//! Neighbours: [`record`](crate::record) makes and reads the records, [`subscriber`](super::subscriber) reopens
//! a subscription that failed.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use super::error::BusError;
use crate::id::{EventId, Pool};

/// Name of a stream of records; its text form is the topic's name on the brokers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "name", content = "pool", rename_all = "snake_case")]
pub enum Topic {
    /// Commands of clients, keyed by project.
    ProjectCmd,
    /// Notices that an attempt was queued; they wake the dispatcher. Keyed by model role.
    TaskReady,
    /// Deliveries for the workers of one pool, keyed by task.
    TaskDispatch(Pool),
    /// Attempts that ended, keyed by project.
    TaskDone,
    /// Changes of projects, keyed by project; also carries lossy
    /// [`Progress`](crate::progress::Progress).
    Event,
    /// Token counts of calls, keyed by account. Reserved: no process writes it yet.
    Usage,
    /// Cancellations and changes of credentials, read by every process. Compacted.
    Control,
    /// Records that their reader could not parse, kept for an operator.
    Dlq,
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProjectCmd => f.write_str("chorus.project.cmd.v1"),
            Self::TaskReady => f.write_str("chorus.task.ready.v1"),
            Self::TaskDispatch(pool) => write!(f, "chorus.task.dispatch.{pool}.v1"),
            Self::TaskDone => f.write_str("chorus.task.done.v1"),
            Self::Event => f.write_str("chorus.event.v1"),
            Self::Usage => f.write_str("chorus.usage.v1"),
            Self::Control => f.write_str("chorus.control.v1"),
            Self::Dlq => f.write_str("chorus.dlq.v1"),
        }
    }
}

impl Topic {
    /// Number of partitions of the topic.
    pub const fn partitions(&self) -> u32 {
        match self {
            Self::ProjectCmd | Self::TaskDone | Self::Event => 12,
            Self::TaskDispatch(_) => 24,
            Self::Usage => 6,
            Self::TaskReady | Self::Control => 1,
            Self::Dlq => 3,
        }
    }
}

/// One record. Header names are those of design.md 6 (`chorus-schema`, `chorus-project`, …), in
/// order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Key of deduplication; travels as the header `chorus-event-id`.
    pub id: EventId,
    /// Topic to which the record is published.
    pub topic: Topic,
    /// Key of ordering: records of one key stay in order.
    pub key: String,
    /// Headers other than `chorus-event-id`, by name.
    pub headers: Vec<(String, String)>,
    /// JSON of ids and hashes, at most 4 KiB.
    pub payload: Bytes,
}

impl Record {
    /// Returns the value of a header, none if it is absent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Publisher of records and source of [`Subscription`]s.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Publishes the records; when this returns without an error they will be delivered at least
    /// once.
    async fn publish(&self, records: Vec<Record>) -> Result<(), BusError>;

    /// Joins a group: each record of the topics goes to one member of it.
    async fn subscribe(
        &self,
        topics: Vec<Topic>,
        group: &str,
    ) -> Result<Box<dyn Subscription>, BusError>;

    /// Opens a reader of every record published from now on, outside any group.
    async fn tail(&self, topics: Vec<Topic>) -> Result<Box<dyn Subscription>, BusError>;
}

/// Reader of the records of some topics.
#[async_trait]
pub trait Subscription: Send {
    /// Returns the next record or change of partitions. Cancelling the wait loses nothing.
    async fn next(&mut self) -> Result<Incoming, BusError>;

    /// Commits this record and all before it in its partition: the next member starts after it.
    async fn ack(&mut self, at: &Position) -> Result<(), BusError>;

    /// Stops or resumes the flow of records; [`Subscription::next`] may still report partitions.
    async fn pause(&mut self, paused: bool) -> Result<(), BusError>;
}

/// One item of a [`Subscription`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A record and its position.
    Record {
        /// The record as it was published.
        record: Record,
        /// Position to pass to [`Subscription::ack`].
        at: Position,
    },
    /// Partitions that belong to this member from now on.
    Assigned(Vec<Partition>),
    /// Partitions that belong to another member now: caches of their keys are void.
    Revoked(Vec<Partition>),
}

/// One partition of one topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// Topic that the partition is part of.
    pub topic: Topic,
    /// Number of the partition, from 0 to below [`Topic::partitions`].
    pub number: u32,
}

/// Position of a record on the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Partition that holds the record.
    pub partition: Partition,
    /// Offset of the record in its partition.
    pub offset: u64,
}

/// Returns the partition of a key: FNV-1a modulo the count, the same on every bus, so that caches
/// can be dropped by partition.
pub fn partition_of(key: &str, partitions: u32) -> u32 {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    u32::try_from(hash % u64::from(partitions.max(1))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn topics() -> Vec<Topic> {
        vec![
            Topic::ProjectCmd,
            Topic::TaskReady,
            Topic::TaskDispatch(Pool::new("claude")),
            Topic::TaskDispatch(Pool::new("gpt")),
            Topic::TaskDone,
            Topic::Event,
            Topic::Usage,
            Topic::Control,
            Topic::Dlq,
        ]
    }

    #[test]
    fn the_topics_of_brokers_have_names_of_their_own() {
        let names: BTreeSet<String> = topics().iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), topics().len());
        for name in names {
            let legal = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
            assert!(
                name.starts_with("chorus.") && name.ends_with(".v1"),
                "{name}"
            );
            assert!(name.chars().all(legal), "Kafka refuses {name}");
        }
    }

    #[test]
    fn the_partition_of_a_key_stays_the_same_from_release_to_release() {
        // FNV-1a: its published hashes of these texts are cbf29ce484222325 and af63dc4c8601ec8c.
        assert_eq!(partition_of("", 12), 5);
        assert_eq!(partition_of("a", 12), 4);
    }

    #[test]
    fn the_last_of_equal_headers_is_not_taken() {
        let record = Record {
            id: EventId::new(1),
            topic: Topic::Event,
            key: String::new(),
            headers: vec![("a".into(), "1".into()), ("a".into(), "2".into())],
            payload: Bytes::new(),
        };
        assert_eq!((record.header("a"), record.header("b")), (Some("1"), None));
    }

    proptest! {
        #[test]
        fn every_key_has_a_partition_of_its_topic(key in "\\PC{0,40}") {
            for topic in topics() {
                prop_assert!(partition_of(&key, topic.partitions()) < topic.partitions());
            }
            prop_assert_eq!(partition_of(&key, 0), 0);
        }
    }

    #[test]
    fn keys_spread_over_all_partitions() {
        let hit: BTreeSet<u32> = (0..400)
            .map(|number| partition_of(&crate::id::ProjectId::new(number).to_string(), 24))
            .collect();
        assert_eq!(hit.len(), 24);
    }
}
