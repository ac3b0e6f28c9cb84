//! The [`Ledger`] of one process, behind a mutex, with the time of the [`Clock`] port.
//!
//! The state is lost with the process; the next start restores leases and levels from rows of deliveries.
//! For tests it can be flushed, as a shared limiter can, and handles beside each other stand for
//! processes that share it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chorus_core::id::{GroupId, Holder, LeaseId};
use chorus_core::limit::{
    Demand, End, GroupChange, GroupLevel, Lease, LimitSignals, QuotaGroup, Reserved, Restoration,
    Sent,
};
use chorus_core::port::limit_state::LimiterError;
use chorus_core::port::{Clock, LimitLevels, LimitState};
use chorus_core::time::Timestamp;
use futures_channel::mpsc;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use crate::ledger::{Ledger, Start};

/// Maximum hints that a listener has not read; more are dropped, as hints may be.
const HINTS: usize = 256;

/// Implementation of [`LimitState`] in memory.
pub struct Memory {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
    /// Number of the life in which this process last restored leases; 0 before it did.
    restored_in: AtomicU64,
}

struct State {
    ledger: Ledger,
    /// Number of the life, from 1: a loss ends one, the restore after it begins the next.
    life: u64,
    lost: bool,
    listeners: Vec<mpsc::Sender<GroupChange>>,
}

impl Memory {
    /// Creates a limiter that has lost its state: the first restore sets its levels. For a process that
    /// takes over from an earlier one.
    pub fn lost(clock: Arc<dyn Clock>) -> Self {
        let limiter = Self::new(clock, Start::Empty);
        limiter.lock().lost = true;
        limiter
    }

    /// Creates an empty limiter.
    pub fn new(clock: Arc<dyn Clock>, start: Start) -> Self {
        let state = State {
            ledger: Ledger::new(start),
            life: 1,
            lost: false,
            listeners: Vec::new(),
        };
        Self {
            clock,
            state: Arc::new(Mutex::new(state)),
            restored_in: AtomicU64::new(0),
        }
    }

    /// Returns a handle that stands for another process on the same state.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self {
            clock: Arc::clone(&self.clock),
            state: Arc::clone(&self.state),
            restored_in: AtomicU64::new(0),
        }
    }

    /// Forgets everything. Until leases are restored, every method returns
    /// [`LimiterError::StateLost`].
    pub fn flush(&self) {
        let mut state = self.lock();
        (state.ledger, state.lost) = (Ledger::new(Start::Empty), true);
    }

    /// Returns the levels of all groups seen so far, by id.
    pub fn all_levels(&self) -> Vec<GroupLevel> {
        self.with(Ledger::all_levels)
    }

    /// Returns the number of leases that hold a slot or an amount.
    pub fn live_leases(&self) -> usize {
        self.with(|ledger, now| {
            ledger.expire(now);
            ledger.live_leases()
        })
    }

    /// Opens a group that a quota or a spend limit had closed, after an operator put it right.
    pub fn open(&self, group: &GroupId) {
        self.with(|ledger, _| ledger.open(group));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Ledger, Timestamp) -> T) -> T {
        self.lock().act(self.clock.now(), act)
    }

    /// Runs an operation on the ledger, unless the state is lost.
    fn known<T>(&self, act: impl FnOnce(&mut Ledger, Timestamp) -> T) -> Result<T, LimiterError> {
        let now = self.clock.now();
        let mut state = self.lock();
        if state.lost {
            Err(LimiterError::StateLost)
        } else {
            Ok(state.act(now, act))
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Runs an operation on the ledger and sends hints of what it freed.
    fn act<T>(&mut self, now: Timestamp, act: impl FnOnce(&mut Ledger, Timestamp) -> T) -> T {
        let answer = act(&mut self.ledger, now);
        for group in self.ledger.take_freed() {
            if self.listeners.is_empty() {
                continue;
            }
            let level = self.ledger.level(&group, now);
            let change = GroupChange { group, level };
            self.listeners.retain_mut(|listener| {
                listener.try_send(change.clone()).is_ok() || !listener.is_closed()
            });
        }
        answer
    }
}

#[async_trait]
impl LimitState for Memory {
    async fn reserve(&self, demand: Demand) -> Result<Reserved, LimiterError> {
        let restored_in = self.restored_in.load(Ordering::Relaxed);
        if restored_in != 0 && restored_in != self.lock().life {
            return Err(LimiterError::StateLost);
        }
        self.known(|ledger, now| ledger.reserve(&demand, now))
    }

    async fn withdraw(&self, lease: LeaseId) -> Result<(), LimiterError> {
        self.with(|ledger, _| ledger.withdraw(lease));
        Ok(())
    }

    async fn send(
        &self,
        lease: &Lease,
        holder: &Holder,
        deadline: Timestamp,
    ) -> Result<Sent, LimiterError> {
        self.known(|ledger, now| ledger.send(lease.id, holder, deadline, now))
    }

    async fn end(&self, lease: LeaseId, end: End) -> Result<(), LimiterError> {
        self.known(|ledger, now| ledger.end(lease, &end, now))
    }

    async fn observe(&self, lease: LeaseId, signals: LimitSignals) -> Result<(), LimiterError> {
        self.known(|ledger, now| ledger.observe(lease, &signals, now))
    }

    async fn restore(&self, restoration: Restoration) -> Result<(), LimiterError> {
        let now = self.clock.now();
        let mut state = self.lock();
        if std::mem::take(&mut state.lost) {
            state.life += 1;
            if let Some(past) = &restoration.past {
                state.ledger = Ledger::after(past, now);
            }
        }
        state.act(now, |ledger, now| ledger.restore(restoration.leases, now));
        self.restored_in.store(state.life, Ordering::Relaxed);
        Ok(())
    }

    async fn intact(&self) -> Result<(), LimiterError> {
        self.known(|_, _| ())
    }
}

#[async_trait]
impl LimitLevels for Memory {
    async fn levels(&self, groups: &[Arc<QuotaGroup>]) -> Result<Vec<GroupLevel>, LimiterError> {
        self.known(|ledger, now| ledger.levels(groups, now))
    }

    fn changed(&self) -> BoxStream<'static, GroupChange> {
        let (listener, hints) = mpsc::channel(HINTS);
        self.lock().listeners.push(listener);
        hints.boxed()
    }
}
