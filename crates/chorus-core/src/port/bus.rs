//! At-least-once transport. Truth is in the store: losing every record costs time, nothing else.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use super::error::BusError;
use crate::id::{EventId, Pool};

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "name", content = "pool", rename_all = "snake_case")]
pub enum Topic {
    /// Commands of clients, by project.
    ProjectCmd,
    /// An attempt was queued: wakes the dispatcher.
    TaskReady,
    /// Deliveries for one pool's workers, by task.
    TaskDispatch(Pool),
    /// Attempts that ended, by project.
    TaskDone,
    /// What happened in projects, by project; also carries lossy progress.
    Event,
    /// What calls used, by account.
    Usage,
    /// Cancellations and account health, to every process.
    Control,
    /// Records that nobody can read, for an operator.
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
    /// How many partitions the topic has.
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

/// One record. Headers are in order, names as in design.md 6 (`chorus-schema`, `chorus-project`, …).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its id, the key of deduplication; travels as `chorus-event-id`.
    pub id: EventId,
    /// Where it goes.
    pub topic: Topic,
    /// What orders it: records of one key stay in order.
    pub key: String,
    /// The other headers.
    pub headers: Vec<(String, String)>,
    /// At most 4 KiB of ids and hashes, JSON.
    pub payload: Bytes,
}

impl Record {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Publishes and hands out records.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Sends the records; when this returns without error they will be delivered at least once.
    async fn publish(&self, records: Vec<Record>) -> Result<(), BusError>;

    /// A member of a group: each record of the topics goes to one member.
    async fn subscribe(
        &self,
        topics: Vec<Topic>,
        group: &str,
    ) -> Result<Box<dyn Subscription>, BusError>;

    /// Every record from now on, no group.
    async fn tail(&self, topics: Vec<Topic>) -> Result<Box<dyn Subscription>, BusError>;
}

/// One reader of records.
#[async_trait]
pub trait Subscription: Send {
    /// What comes next. Cancelling the wait loses nothing.
    async fn next(&mut self) -> Result<Incoming, BusError>;

    /// Everything up to this record of its partition is done with: the next member starts after it.
    async fn ack(&mut self, at: &Position) -> Result<(), BusError>;

    /// Stops or resumes the flow of records; `next` may still report partitions.
    async fn pause(&mut self, paused: bool) -> Result<(), BusError>;
}

/// What a subscription reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A record and where it stood.
    Record {
        /// The record.
        record: Record,
        /// Where it stood.
        at: Position,
    },
    /// These partitions are this member's from now on.
    Assigned(Vec<Partition>),
    /// These partitions belong to somebody else now: caches of their keys are void.
    Revoked(Vec<Partition>),
}

/// One partition of one topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// The topic.
    pub topic: Topic,
    /// Its number.
    pub number: u32,
}

/// Where a record stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The partition.
    pub partition: Partition,
    /// The place in it.
    pub offset: u64,
}

/// The partition of a key: the same on every bus, so that caches can be dropped by partition.
pub fn partition_of(key: &str, partitions: u32) -> u32 {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    u32::try_from(hash % u64::from(partitions.max(1))).unwrap_or(0)
}
