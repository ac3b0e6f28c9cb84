//! Records that were committed with what they tell of, and what became of them.

use async_trait::async_trait;

use super::StoreError;
use super::bus::Record;
use crate::id::EventId;
use crate::time::Millis;

/// The committer publishes at once; the leader sweeps what was left.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Records never marked sent, at least this old, oldest first.
    async fn unsent(&self, older_than: Millis, limit: u32) -> Result<Vec<Record>, StoreError>;

    /// These were published.
    async fn mark_sent(&self, ids: Vec<EventId>) -> Result<(), StoreError>;

    /// Commands and finished attempts (`ProjectCmd`, `TaskDone`) that were sent at least this long ago and
    /// that no orchestrator has folded: the bus may have lost them.
    async fn unfolded(&self, older_than: Millis, limit: u32) -> Result<Vec<Record>, StoreError>;

    /// Forgets records that were sent at least this long ago, commands and finished attempts among them only when they
    /// were folded at least as long ago, and that they were folded; the longest sent first. Returns how many.
    async fn forget(&self, older_than: Millis, limit: u32) -> Result<u32, StoreError>;
}
