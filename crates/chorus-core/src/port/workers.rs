//! Announcements of workers: slots of each process and pool, and the deliveries that take them.
//!
//! Neighbour: [`Attempts`](super::Attempts): its rows say which deliveries are under way.

use async_trait::async_trait;

use super::StoreError;
use crate::id::{BootId, Pool};
use crate::time::{Millis, Timestamp};

/// Store of announcements. The store's clock judges all times.
#[async_trait]
pub trait Workers: Send + Sync {
    /// Announces the slots of one process for one pool; the announcement ends after `lasts`, and one with zero
    /// slots ends at once.
    async fn announce(&self, worker: WorkerSlots, lasts: Millis) -> Result<(), StoreError>;

    /// Returns all announcements that have not ended.
    async fn announced(&self) -> Result<Vec<AnnouncedWorker>, StoreError>;

    /// Returns the deliveries that were handed out and have not ended: one entry for each holder and pool.
    async fn taken_slots(&self) -> Result<Vec<TakenSlots>, StoreError>;
}

/// Slots of one process for one pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSlots {
    /// Process of the worker.
    pub boot: BootId,
    /// Pool that it serves.
    pub pool: Pool,
    /// Maximum number of deliveries at a time.
    pub slots: u32,
}

/// An announcement that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnouncedWorker {
    /// Slots as announced.
    pub worker: WorkerSlots,
    /// End of the announcement.
    pub until: Timestamp,
}

/// Deliveries of one pool that are dispatched, or held by one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenSlots {
    /// Pool of the deliveries.
    pub pool: Pool,
    /// Process that claimed them, the first part of a [`Holder`](crate::id::Holder); none while no worker has.
    pub boot: Option<String>,
    /// Number of deliveries.
    pub deliveries: u32,
}
