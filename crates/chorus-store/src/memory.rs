//! The plain model of a store: ordered maps behind one lock, every method atomic.
//!
//! It waits for nothing and starts nothing, so it runs under virtual time; faults (lost replies, outages) are
//! wrapped around it by whoever wants them. One file for each port beside this one.

mod artifacts;
mod attempts;
mod commit;
mod deliveries;
mod directory;
mod dispatch;
mod keys;
mod leaders;
mod outbox;
mod projects;
mod reclaim;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use chorus_core::artifact::ArtifactHash;
use chorus_core::port::Clock;
use chorus_core::time::Timestamp;

use crate::rows::Rows;
use directory::Accounts;
use keys::KeptKeys;

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
    keys: KeptKeys,
    artifacts: BTreeMap<ArtifactHash, Bytes>,
}

impl Store {
    /// An empty store whose times are judged by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Arc::default(),
        }
    }

    /// Looks at the rows as they are between two calls, without copying them.
    pub fn with_rows<R>(&self, look: impl FnOnce(&Rows) -> R) -> R {
        look(
            &self
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .rows,
        )
    }

    /// A copy of the rows.
    pub fn snapshot(&self) -> Rows {
        self.with_rows(Rows::clone)
    }

    /// One act, whole: nobody sees its middle.
    fn act<R>(&self, act: impl FnOnce(&mut State, Timestamp) -> R) -> R {
        let now = self.clock.now();
        act(
            &mut self.state.lock().unwrap_or_else(PoisonError::into_inner),
            now,
        )
    }
}
