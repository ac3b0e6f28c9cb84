//! The ledger for one process: behind a mutex, with the time of the `Clock` port. The state is lost with the
//! process; whoever starts anew restores the leases that the store still knows.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chorus_core::id::{GroupId, Holder, LeaseId};
use chorus_core::limit::{Demand, End, HeldLease, Observation, Reserved, Sent};
use chorus_core::port::limit_state::LimiterError;
use chorus_core::port::{Clock, LimitState};
use chorus_core::time::Timestamp;
use futures_channel::mpsc;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use crate::ledger::{Ledger, Level, Start};

/// Hints that a listener has not read yet; more are dropped, they are only hints.
const HINTS: usize = 256;

/// Limiter state in memory.
pub struct Memory {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    ledger: Ledger,
    listeners: Vec<mpsc::Sender<GroupId>>,
}

impl Memory {
    /// An empty limiter. `Start::Empty` is for a process that takes over from one whose state was lost.
    pub fn new(clock: Arc<dyn Clock>, start: Start) -> Self {
        Self { clock, state: Mutex::new(State { ledger: Ledger::new(start), listeners: Vec::new() }) }
    }

    /// All limits seen so far, as they stand now.
    pub fn levels(&self) -> Vec<Level> {
        self.with(Ledger::levels)
    }

    /// How many leases hold a slot or an amount now.
    pub fn live_leases(&self) -> usize {
        self.with(|ledger, now| {
            ledger.expire(now);
            ledger.live_leases()
        })
    }

    /// Opens a group that was closed for a quota or for money, because a person put it right.
    pub fn open(&self, group: &GroupId) {
        self.with(|ledger, _| ledger.open(group));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Ledger, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let mut state = self.lock();
        let answer = act(&mut state.ledger, now);
        let freed = state.ledger.take_freed();
        tell(&mut state.listeners, &freed);
        answer
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(listeners: &mut Vec<mpsc::Sender<GroupId>>, freed: &BTreeSet<GroupId>) {
    for group in freed {
        listeners.retain_mut(|listener| listener.try_send(group.clone()).is_ok() || !listener.is_closed());
    }
}

#[async_trait]
impl LimitState for Memory {
    async fn reserve(&self, demand: Demand) -> Result<Reserved, LimiterError> {
        Ok(self.with(|ledger, now| ledger.reserve(&demand, now)))
    }

    async fn send(&self, lease: LeaseId, holder: &Holder, deadline: Timestamp) -> Result<Sent, LimiterError> {
        Ok(self.with(|ledger, now| ledger.send(lease, holder, deadline, now)))
    }

    async fn end(&self, lease: LeaseId, end: End) -> Result<(), LimiterError> {
        self.with(|ledger, now| ledger.end(lease, &end, now));
        Ok(())
    }

    async fn observe(&self, observation: Observation) -> Result<(), LimiterError> {
        self.with(|ledger, now| ledger.observe(&observation, now));
        Ok(())
    }

    async fn restore(&self, leases: Vec<HeldLease>) -> Result<(), LimiterError> {
        self.with(|ledger, now| ledger.restore(leases, now));
        Ok(())
    }

    fn changed(&self) -> BoxStream<'static, GroupId> {
        let (listener, hints) = mpsc::channel(HINTS);
        self.lock().listeners.push(listener);
        hints.boxed()
    }
}
