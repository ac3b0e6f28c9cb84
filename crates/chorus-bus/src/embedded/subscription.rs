//! Subscriptions of the embedded bus: a member of a group, or a tail. Dropping one leaves.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chorus_core::port::bus::{BusError, Incoming, Position, Subscription};

use super::lock;
use super::state::State;

/// A member of a group; its partitions go to the others when it is dropped.
pub(super) struct Member {
    state: Arc<Mutex<State>>,
    group: String,
    id: u64,
}

impl Member {
    pub(super) const fn new(state: Arc<Mutex<State>>, group: String, id: u64) -> Self {
        Self { state, group, id }
    }
}

#[async_trait]
impl Subscription for Member {
    async fn next(&mut self) -> Result<Incoming, BusError> {
        Ok(
            poll_fn(|context| lock(&self.state).poll_member(&self.group, self.id, context.waker()))
                .await,
        )
    }

    async fn ack(&mut self, at: &Position) -> Result<(), BusError> {
        lock(&self.state).ack(&self.group, self.id, at);
        Ok(())
    }

    async fn pause(&mut self, paused: bool) -> Result<(), BusError> {
        lock(&self.state).pause_member(&self.group, self.id, paused);
        Ok(())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let wakers = lock(&self.state).leave(&self.group, self.id);
        wakers.into_iter().for_each(std::task::Waker::wake);
    }
}

/// A reader of every record that is published while it exists.
pub(super) struct Tail {
    state: Arc<Mutex<State>>,
    id: u64,
}

impl Tail {
    pub(super) const fn new(state: Arc<Mutex<State>>, id: u64) -> Self {
        Self { state, id }
    }
}

#[async_trait]
impl Subscription for Tail {
    async fn next(&mut self) -> Result<Incoming, BusError> {
        Ok(poll_fn(|context| lock(&self.state).poll_tail(self.id, context.waker())).await)
    }

    async fn ack(&mut self, _at: &Position) -> Result<(), BusError> {
        Ok(())
    }

    async fn pause(&mut self, paused: bool) -> Result<(), BusError> {
        lock(&self.state).pause_tail(self.id, paused);
        Ok(())
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        lock(&self.state).drop_tail(self.id);
    }
}
