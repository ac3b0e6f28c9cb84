//! Records that were committed together with the change that they announce, and their state: sent,
//! folded.
//!
//! The process that commits publishes at once ([`record`](crate::record) made the record); the
//! leader sweeps the rest.

use async_trait::async_trait;

use super::StoreError;
use super::bus::Record;
use crate::id::EventId;
use crate::time::Millis;

/// Table of committed records.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Returns at most `limit` records never marked sent and at least this old, oldest first.
    async fn unsent(&self, older_than: Millis, limit: u32) -> Result<Vec<Record>, StoreError>;

    /// Marks records as published.
    async fn mark_sent(&self, ids: Vec<EventId>) -> Result<(), StoreError>;

    /// Returns commands and finished attempts
    /// ([`Topic::ProjectCmd`](super::bus::Topic::ProjectCmd),
    /// [`Topic::TaskDone`](super::bus::Topic::TaskDone)) that were sent at least this long ago and
    /// that no orchestrator has folded: the bus may have lost them.
    async fn unfolded(&self, older_than: Millis, limit: u32) -> Result<Vec<Record>, StoreError>;

    /// Deletes up to `limit` records sent at least this long ago, longest sent first. Commands and
    /// finished attempts must also have been folded at least as long ago; their fold marks are
    /// deleted with them. Returns the number of deleted records.
    async fn forget(&self, older_than: Millis, limit: u32) -> Result<u32, StoreError>;
}
