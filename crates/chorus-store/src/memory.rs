//! The model of a store: ordered maps behind one lock, every method atomic.
//!
//! It waits for nothing and starts no task, so it runs under virtual time; the simulation wraps faults (lost
//! replies, outages) around it. One file for each port.

mod artifacts;
mod attempts;
mod audit;
mod commit;
mod deliveries;
mod directory;
mod dispatch;
mod keys;
mod leaders;
mod outbox;
mod projects;
mod queue;
mod reclaim;
mod waits;
mod workers;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::AttemptWait;
use chorus_core::id::{AttemptId, AuditId};
use chorus_core::port::Clock;
use chorus_core::port::audit::AuditEntry;
use chorus_core::time::Timestamp;

use crate::rows::Rows;
use directory::Accounts;
use keys::StoredKeys;
use workers::Announcements;

/// A store in memory; clones share it.
#[derive(Clone)]
pub struct Store {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    rows: Rows,
    accounts: Accounts,
    keys: StoredKeys,
    audit: BTreeMap<AuditId, AuditEntry>,
    waits: BTreeMap<AttemptId, AttemptWait>,
    workers: Announcements,
    artifacts: BTreeMap<ArtifactHash, Bytes>,
}

impl Store {
    /// Creates an empty store on this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Arc::default(),
        }
    }

    /// Reads the rows between two calls, without copying them.
    pub fn with_rows<R>(&self, read: impl FnOnce(&Rows) -> R) -> R {
        read(
            &self
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .rows,
        )
    }

    /// Copies the rows, as [`crate::sql::Store::snapshot`] does.
    pub fn snapshot(&self) -> Rows {
        self.with_rows(Rows::clone)
    }

    /// Runs one change under the lock, at one time of the clock.
    fn change<R>(&self, change: impl FnOnce(&mut State, Timestamp) -> R) -> R {
        let now = self.clock.now();
        change(
            &mut self.state.lock().unwrap_or_else(PoisonError::into_inner),
            now,
        )
    }
}
