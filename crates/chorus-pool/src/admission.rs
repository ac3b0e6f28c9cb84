//! Choosing a credential for each waiting call and reserving on it: the pool's one async shell.
//!
//! It owns the queue, asks the limiter for the head of each line, and sleeps exactly until the head fits, a
//! limit changes, or a second has passed. The dispatcher runs one for all tasks, a gateway one for its
//! interactive calls. It never calls a provider and keeps nothing that cannot be rebuilt.

mod ask;
mod queue;

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::attempt::{CallSize, CallSummary, DispatchDecision};
use chorus_core::catalog::Model;
use chorus_core::id::{AccountId, GroupId, LeaseId, ModelSlug, ProviderId, Tenant};
use chorus_core::port::{Clock, LimitState};
use chorus_core::task_kind::{ModelRole, TaskKind};
use chorus_core::time::{Millis, Timestamp};
use futures_util::future::{Either, FutureExt, pending, select};
use futures_util::stream::{BoxStream, StreamExt};

use crate::breaker::{Breakers, RouteReport};
use crate::endpoint_index::{EndpointIndex, RoleModels};
use crate::estimate::{Estimator, Lesson};
use crate::health::AccountHealth;
use queue::{LineKey, Queue};

/// How admission behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long a reservation may wait for its call to begin.
    pub lease_lasts: Millis,
    /// How long admission sleeps at most while something waits.
    pub poll: Millis,
    /// Most grants handed out at once.
    pub batch: usize,
    /// Parts per thousand of each limit that calls leave free.
    pub floor_permille: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease_lasts: Millis::from_secs(30),
            poll: Millis::from_secs(1),
            batch: 64,
            floor_permille: 0,
        }
    }
}

/// A call that wants to be admitted.
#[derive(Debug, Clone, PartialEq)]
pub struct AdmissionRequest {
    /// The lease that it will run under, drawn before it is queued: asking twice reserves once.
    pub lease: LeaseId,
    /// Whose it is.
    pub tenant: Tenant,
    /// A person waits for it.
    pub interactive: bool,
    /// Which model it selector.
    pub selector: ModelSelector,
    /// What it is for; predicts its output.
    pub kind: TaskKind,
    /// How large it will be.
    pub size: CallSize,
    /// Higher goes first.
    pub priority: u8,
    /// Predicted time from here to the project's end.
    pub path: Millis,
    /// When it was queued for the first time.
    pub since: Timestamp,
    /// Not before this time.
    pub not_before: Timestamp,
    /// It goes on from an earlier delivery: before its peers.
    pub ahead: bool,
    /// The account whose rate limit refused it last.
    pub refused_by: Option<AccountId>,
}

/// Which model a call selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSelector {
    /// The one that serves this role.
    Role(ModelRole),
    /// This one.
    Model(ModelSlug),
}

/// A request that has left the queue, with the decision on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// The request.
    pub request: Box<AdmissionRequest>,
    /// [`DispatchDecision::Send`] with the reserved lease, or the cause for which no account will
    /// ever admit it.
    pub decision: DispatchDecision,
}

/// The limiter has lost its state: leases must be restored before anything is reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the limiter has lost its state")]
pub struct StateLost;

/// The queue with its limiter.
pub struct Admission {
    limits: Arc<dyn LimitState>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    index: EndpointIndex,
    roles: RoleModels,
    estimator: Estimator,
    breakers: Breakers,
    health: AccountHealth,
    queue: Queue,
    resting: BTreeMap<LineKey, Rest>,
    decided: Vec<Decided>,
    lost: bool,
    changes: BoxStream<'static, GroupId>,
}

/// A line whose head did not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rest {
    head: LeaseId,
    until: Timestamp,
}

impl Admission {
    /// An empty queue over a limiter.
    pub fn new(
        limits: Arc<dyn LimitState>,
        clock: Arc<dyn Clock>,
        settings: Settings,
        index: EndpointIndex,
        roles: RoleModels,
    ) -> Self {
        let changes = limits.changed();
        Self {
            limits,
            clock,
            settings,
            index,
            roles,
            estimator: Estimator::default(),
            breakers: Breakers::default(),
            health: AccountHealth::default(),
            queue: Queue::default(),
            resting: BTreeMap::new(),
            decided: Vec::new(),
            lost: false,
            changes,
        }
    }

    /// Queues a call, in place of one with the same lease.
    pub fn push(&mut self, request: AdmissionRequest) {
        self.remove(request.lease);
        self.place(request, self.clock.now());
    }

    /// Takes a call out. Its lease may have been reserved unnoticed: end it unused.
    pub fn remove(&mut self, lease: LeaseId) -> Option<AdmissionRequest> {
        self.queue.remove(lease)
    }

    /// Whether the call waits here.
    pub fn waits(&self, lease: LeaseId) -> bool {
        self.queue.contains(lease)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.queue.len() == 0
    }

    /// The accounts that calls may go to.
    pub const fn index(&self) -> &EndpointIndex {
        &self.index
    }

    /// Changes the accounts; `change` says whether it changed anything, and then every call finds its line anew.
    pub fn update_endpoints(&mut self, change: impl FnOnce(&mut EndpointIndex) -> bool) {
        if change(&mut self.index) {
            self.line_up_again();
        }
    }

    /// What a call will likely use on a provider's route to a model.
    pub const fn estimator(&self) -> &Estimator {
        &self.estimator
    }

    /// Learns from the end of a call that ended now, as [`call_ended_at`](Self::call_ended_at) does.
    pub fn call_ended(&mut self, call: &CallSummary) {
        self.call_ended_at(call, self.clock.now());
    }

    /// Learns from the end of a call at `at`: estimates from a complete reply, the breaker of its route
    /// and the health of its account from every end.
    pub fn call_ended_at(&mut self, call: &CallSummary, at: Timestamp) {
        if let Some(usage) = call.usage.filter(|_| call.complete) {
            self.estimator.learn(&Lesson {
                provider: call.provider.clone(),
                model: call.model.clone(),
                kind: call.kind,
                size: call.size,
                usage,
                took: call.took,
            });
        }
        if call.complete || call.class.is_some() {
            self.health.record(call.account, call.class, at);
        }
        let report = RouteReport::of(call.class, call.complete);
        self.breakers
            .ended(&call.provider, &call.model, report, at);
        self.resting.clear();
    }

    /// Gives back the breaker's slot of a dispatched call that was never made: nobody claimed it,
    /// or its delivery was cancelled.
    pub fn call_dropped(&mut self, provider: &ProviderId, model: &ModelSlug) {
        let now = self.clock.now();
        self.breakers
            .ended(provider, model, RouteReport::Ignored, now);
        self.resting.clear();
    }

    /// Waits until something was decided, and returns all of it. Dropping the wait loses nothing: what was
    /// reserved meanwhile is returned by the next one. What was decided before a loss comes before the news of it.
    pub async fn next(&mut self) -> Result<Vec<Decided>, StateLost> {
        loop {
            let now = self.clock.now();
            self.wake(now);
            self.ask_all_lines(now).await;
            if !self.decided.is_empty() {
                return Ok(std::mem::take(&mut self.decided));
            }
            if std::mem::take(&mut self.lost) {
                return Err(StateLost);
            }
            self.sleep(now).await;
        }
    }

    /// Brings calls whose time has come into their lines.
    fn wake(&mut self, now: Timestamp) {
        for request in self.queue.due(now) {
            self.place(request, now);
        }
        if self.queue.line_up_at.is_some_and(|at| at <= now) {
            self.line_up_again();
        }
    }

    async fn sleep(&mut self, now: Timestamp) {
        if self.is_empty() {
            return pending().await;
        }
        let resting = self.resting.values().map(|rest| rest.until);
        let until = resting
            .chain(self.queue.next_due())
            .fold(now + self.settings.poll, Timestamp::min);
        match select(self.changes.next(), self.clock.sleep_until(until)).await {
            Either::Left((Some(_), _)) => {
                while let Some(Some(_)) = self.changes.next().now_or_never() {}
                self.resting.clear();
            }
            Either::Left((None, timer)) => timer.await,
            Either::Right(((), _)) => {}
        }
    }

    fn model(&self, slug: &ModelSlug) -> Option<&Model> {
        self.index.model(slug)
    }
}

#[cfg(test)]
mod tests;
