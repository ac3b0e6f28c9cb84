//! The bus of one process: partitioned logs in memory, groups that share them, tails that read all.
//!
//! No runtime, no timer, no chance: everything happens inside the call that causes it, so the same calls in
//! the same order give the same records in the same order. A member receives records in the order of their
//! publication, over all its partitions. Memory is bounded: a record is dropped when every group of its topic
//! has acknowledged it, and [`state`] holds the ceilings for readers that lag.

mod group;
mod log;
mod state;
mod subscription;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chorus_core::port::Bus;
use chorus_core::port::bus::{BusError, Record, Subscription, Topic};

use self::state::State;
use self::subscription::{Member, Tail};

/// The bus of one process; clones share it.
#[derive(Clone, Default)]
pub struct Embedded {
    state: Arc<Mutex<State>>,
}

impl Embedded {
    /// Creates a bus without records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of records of the topic that the group has not acknowledged; for a group that was never joined,
    /// those that its first member would receive.
    pub fn depth(&self, topic: &Topic, group: &str) -> u64 {
        lock(&self.state).depth(topic, group)
    }
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").finish_non_exhaustive()
    }
}

#[async_trait]
impl Bus for Embedded {
    async fn publish(&self, records: Vec<Record>) -> Result<(), BusError> {
        let wakers = lock(&self.state).publish(records);
        wakers.into_iter().for_each(std::task::Waker::wake);
        Ok(())
    }

    async fn subscribe(
        &self,
        topics: Vec<Topic>,
        group: &str,
    ) -> Result<Box<dyn Subscription>, BusError> {
        let (id, wakers) = lock(&self.state).join(group, topics);
        wakers.into_iter().for_each(std::task::Waker::wake);
        Ok(Box::new(Member::new(
            self.state.clone(),
            group.to_owned(),
            id,
        )))
    }

    async fn tail(&self, topics: Vec<Topic>) -> Result<Box<dyn Subscription>, BusError> {
        let id = lock(&self.state).add_tail(topics);
        Ok(Box::new(Tail::new(self.state.clone(), id)))
    }
}

/// No code waits or panics half-way through a change, so a poisoned lock holds a whole state.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
