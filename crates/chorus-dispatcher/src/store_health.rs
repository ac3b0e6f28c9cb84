//! Tells whether the store has answered for long enough that a missing heartbeat means a lost worker.
//!
//! While the store is away no worker can send heartbeats. A dispatcher that took attempts back right after an
//! outage would repeat every paid call, so the [`reconciler`](crate::reconciler) waits for one whole lease after
//! the start of each term and after each gap that statements of this term met, however short.

use std::sync::atomic::{AtomicI64, Ordering};

use chorus_core::time::{Millis, Timestamp};

/// Time since which every statement of this term was answered in time.
#[derive(Debug)]
pub(crate) struct StoreHealth {
    well_since: AtomicI64,
}

impl StoreHealth {
    /// Health at the start of a term.
    pub(crate) const fn new(now: Timestamp) -> Self {
        Self {
            well_since: AtomicI64::new(now.0),
        }
    }

    /// Records a failed or slow statement.
    pub(crate) fn gap(&self, now: Timestamp) {
        self.well_since.fetch_max(now.0, Ordering::Relaxed);
    }

    /// Returns true if every statement was answered in time for this long.
    pub(crate) fn is_well_for(&self, length: Millis, now: Timestamp) -> bool {
        now.since(Timestamp(self.well_since.load(Ordering::Relaxed))) >= length
    }
}
