//! The bus of one process: partitioned logs in memory, groups that share them out, tails that see all.
//!
//! No runtime, no timer, no chance: everything happens inside the call that causes it, so the same calls in
//! the same order always give the same records in the same order. Within a member, records come in the order
//! of their publication, over all its partitions. Memory is bounded: a record goes when every group of its
//! topic has acknowledged it, and [`state`] names the ceilings for readers that do not keep up.

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

/// The bus of one process. Clones speak to the same bus.
#[derive(Clone, Default)]
pub struct Embedded {
    state: Arc<Mutex<State>>,
}

impl Embedded {
    /// A bus without records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records of the topic that the group has not acknowledged yet; for a group that nobody ever joined, the
    /// records that it would be given.
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

/// No code that holds the lock waits or panics half-way through a change, so a poisoned lock holds good state.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
