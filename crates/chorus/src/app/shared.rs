//! Kafka and Redis, where this program was built with them.
//!
//! [`Built`](crate::config) refuses what was not built in before anything comes here.

use std::sync::Arc;

use chorus_core::id::Pool;
use chorus_core::port::{Bus, LimitState};
use chorus_core::time::{Millis, Timestamp};
use futures_util::future::BoxFuture;

use super::dependency::Dependency;

#[cfg(not(feature = "distributed"))]
mod absent;
#[cfg(feature = "distributed")]
mod present;

#[cfg(not(feature = "distributed"))]
pub(crate) use absent::{create_topics, dead_letters, look_at_bus, look_at_limits, replay};
#[cfg(not(feature = "distributed"))]
pub(super) use absent::{kafka, redis};
#[cfg(feature = "distributed")]
pub(crate) use present::{create_topics, dead_letters, look_at_bus, look_at_limits, replay};
#[cfg(feature = "distributed")]
pub(super) use present::{kafka, redis};

/// Leaves a bus within a time; false when that was too short.
pub(super) type Close = Box<dyn Fn(Millis) -> BoxFuture<'static, bool> + Send + Sync>;

/// A bus between processes, how to ask whether it is there, and how to leave it.
pub(super) struct SharedBus {
    pub(super) bus: Arc<dyn Bus>,
    pub(super) dependency: Dependency,
    pub(super) close: Close,
}

/// A ledger between processes, and how to ask whether it is there.
pub(super) struct SharedLimits {
    pub(super) limits: Arc<dyn LimitState>,
    pub(super) dependency: Dependency,
}

/// Record that no consumer could read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeadLetter {
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    pub(crate) origin: String,
    pub(crate) key: String,
    pub(crate) reason: String,
    pub(crate) replayed: bool,
}

/// State of the brokers, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BusState {
    /// Topics that are not there, or have another number of partitions, each with what is wrong.
    pub(crate) unfit: Vec<String>,
    /// The consumer groups that a project needs, those of all pools.
    pub(crate) groups: Vec<Group>,
    /// Number of dead letters that were not replayed.
    pub(crate) letters: usize,
}

/// State of one consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) name: String,
    /// Pool of the workers in the group; none for the group of orchestrators.
    pub(crate) pool: Option<Pool>,
    pub(crate) members: usize,
    /// Records that it has not acknowledged.
    pub(crate) behind: u64,
}

/// State of the server of limits, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LimitsState {
    pub(crate) release: String,
    /// Policy of the server when its memory is full.
    pub(crate) eviction: String,
    pub(crate) evicted: u64,
    pub(crate) now: Timestamp,
}
