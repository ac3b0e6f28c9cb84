//! Whether the store has been well for long enough that a missing beat means a lost worker.
//!
//! While the store was away nobody could beat. Whoever took attempts away right after an outage would make
//! every paid call again, so the wait of one whole lease starts anew with each term and after each gap that
//! our own statements saw, however short.

use std::sync::atomic::{AtomicI64, Ordering};

use chorus_core::time::{Millis, Timestamp};

/// Since when every statement of this term was answered in time.
#[derive(Debug)]
pub(crate) struct Watch {
    well_since: AtomicI64,
}

impl Watch {
    /// A term begins.
    pub(crate) const fn new(now: Timestamp) -> Self {
        Self {
            well_since: AtomicI64::new(now.0),
        }
    }

    /// A statement failed or was slow.
    pub(crate) fn gap(&self, now: Timestamp) {
        self.well_since.fetch_max(now.0, Ordering::Relaxed);
    }

    /// Whether the store has answered for this long.
    pub(crate) fn well_for(&self, length: Millis, now: Timestamp) -> bool {
        now.since(Timestamp(self.well_since.load(Ordering::Relaxed))) >= length
    }
}
