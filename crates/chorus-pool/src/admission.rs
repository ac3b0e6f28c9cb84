//! Chooses a credential for each waiting call and reserves on it: the only async part of the pool.
//!
//! [`Admission`] owns the queue, asks the limiter for the head of each line, and sleeps until the head fits, a limit
//! changes, or [`Settings::poll`] has passed. The dispatcher runs one for all tasks, a gateway one for its
//! interactive calls. It never calls a provider and keeps nothing that cannot be rebuilt.

mod ask;
mod queue;
mod reason;
mod slots;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chorus_core::attempt::{CallSize, CallSummary, DispatchDecision, WaitReason};
use chorus_core::catalog::Model;
use chorus_core::id::{
    AccountId, CredentialId, GroupId, LeaseId, ModelSlug, Pool, ProjectId, ProviderId, Tenant,
};
use chorus_core::limit::GroupChange;
use chorus_core::port::directory::{CredentialState, Mark};
use chorus_core::port::{Clock, LimitState};
use chorus_core::task_kind::{ModelRole, TaskKind};
use chorus_core::time::{Millis, Timestamp};
use futures_util::future::{Either, FutureExt, pending, select};
use futures_util::stream::{BoxStream, StreamExt};

use crate::breaker::{Breakers, RouteReport};
use crate::endpoint_index::{Endpoint, EndpointIndex, RoleModels};
use crate::estimate::{Estimator, UsageSample};
use crate::health::AccountHealth;
use crate::order::Fairness;
use queue::{LineKey, Queue};
pub use slots::PoolSlots;

/// Behaviour of [`Admission`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Time for which a reservation waits for its call to begin.
    pub lease_lasts: Millis,
    /// Maximum time between two questions to the limiter while a call waits.
    pub poll: Millis,
    /// Maximum number of decisions returned at once.
    pub batch: usize,
    /// Share of each limit that calls leave free, in thousandths.
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

/// A call that asks for admission.
#[derive(Debug, Clone, PartialEq)]
pub struct AdmissionRequest {
    /// Id of the lease that the call will run under. Drawn before it is queued, so repeated requests reserve once.
    pub lease: LeaseId,
    /// Tenant that owns the call.
    pub tenant: Tenant,
    /// True if a person waits for the reply: such calls are admitted first.
    pub interactive: bool,
    /// Models that may serve the call.
    pub selector: ModelSelector,
    /// Kind of the task, which predicts the size of the reply.
    pub kind: TaskKind,
    /// Estimated size of the call.
    pub size: CallSize,
    /// Priority; a higher one goes first.
    pub priority: u8,
    /// Predicted time from the start of the call to the end of its project.
    pub path: Millis,
    /// Time at which the attempt was queued first.
    pub since: Timestamp,
    /// Earliest time of admission.
    pub not_before: Timestamp,
    /// True if the call continues a cut answer: it goes before its peers.
    pub ahead: bool,
    /// Project of the call; none for a call outside of one.
    pub project: Option<ProjectId>,
    /// Account that refused the attempt last.
    pub refused_by: Option<AccountId>,
    /// Time from which siblings of the account that refused it may serve the call.
    pub refused_until: Timestamp,
    /// Start of the prompt that the call has in common with others; none when it is not known.
    pub prefix: Option<Prefix>,
}

/// Start of a prompt that several calls have in common, so that a provider may have it in its cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// Key of the text; equal texts have equal keys.
    pub key: u64,
    /// Length of the text in tokens.
    pub tokens: u32,
}

/// Calls that wait in the rows and were not pushed: their work counts for the time that the pool still needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// Tenant that owns the calls.
    pub tenant: Tenant,
    /// Kind of the tasks.
    pub kind: TaskKind,
    /// Number of calls.
    pub calls: u64,
    /// Mean of their estimated sizes.
    pub size: CallSize,
}

/// Models that may serve a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSelector {
    /// Models of a role, chosen by [`EndpointIndex::choose`].
    Role(ModelRole),
    /// Models of a role without those that refused the request.
    RoleExcept {
        /// Role that is served.
        role: ModelRole,
        /// Models that refused the request.
        unfit: Vec<ModelSlug>,
    },
    /// One model by its name in the catalogue.
    Model(ModelSlug),
}

/// A request that has left the queue, with the decision on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// Request as it was pushed.
    pub request: Box<AdmissionRequest>,
    /// [`DispatchDecision::Send`] with the reserved lease, or the cause for which no account will
    /// ever admit it.
    pub decision: DispatchDecision,
    /// Weighted tokens that were charged to tenant and project, for [`Admission::correct`].
    pub charged: u64,
}

/// The limiter has lost its state: leases must be restored before the next reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the limiter has lost its state")]
pub struct StateLost;

/// Queue of calls over a limiter.
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
    resting: BTreeMap<LineKey, Pause>,
    decided: Vec<Decided>,
    lost: bool,
    /// Leases that may be reserved: they were asked for, and the answer was lost or is not returned yet.
    asked: BTreeSet<LeaseId>,
    /// True if calls are to be assigned to lines again, because endpoints opened or closed.
    line_up_again: bool,
    /// Calls that the workers of each pool can begin; none while they are not counted.
    slots: Option<BTreeMap<Pool, PoolSlots>>,
    /// State of each credential as it was seen last.
    states: BTreeMap<CredentialId, (CredentialState, Option<Mark>)>,
    changes: BoxStream<'static, GroupChange>,
}

/// A line that is not asked for until its head may fit.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pause {
    head: LeaseId,
    until: Timestamp,
    /// Reason of the wait; none when the limiter did not answer.
    why: Option<WaitReason>,
    /// Groups from which no later head takes while this one waits.
    books: Vec<GroupId>,
}

impl Admission {
    /// An empty queue over a [`LimitState`].
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
            asked: BTreeSet::new(),
            line_up_again: false,
            slots: None,
            states: BTreeMap::new(),
            changes,
        }
    }

    /// Queues a call; one with the same lease is replaced.
    pub fn push(&mut self, request: AdmissionRequest) {
        self.remove(request.lease);
        self.place(request, self.clock.now());
    }

    /// Removes a call. Its lease may be reserved although no decision was returned: see [`Admission::may_hold`].
    pub fn remove(&mut self, lease: LeaseId) -> Option<AdmissionRequest> {
        self.queue.remove(lease)
    }

    /// Returns true if the lease of a removed call may be reserved; the caller ends it as unused.
    pub fn may_hold(&mut self, lease: LeaseId) -> bool {
        self.asked.remove(&lease)
    }

    /// Replaces the calls that wait in the rows and were not pushed.
    pub fn set_rest(&mut self, rest: &[Rest]) {
        self.queue.rest = self.work_of(rest, self.clock.now());
    }

    /// Returns true if the call of this lease is queued.
    pub fn waits(&self, lease: LeaseId) -> bool {
        self.queue.contains(lease)
    }

    /// Number of queued calls.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Returns true if no call is queued.
    pub fn is_empty(&self) -> bool {
        self.queue.len() == 0
    }

    /// Index of the endpoints that calls may use.
    pub const fn index(&self) -> &EndpointIndex {
        &self.index
    }

    /// Changes the endpoints. If `change` returns true, every queued call is assigned to a line again.
    pub fn update_endpoints(&mut self, change: impl FnOnce(&mut EndpointIndex) -> bool) {
        if change(&mut self.index) {
            self.learn_states();
            self.line_up_again();
        }
    }

    /// Rests accounts with parked credentials until a probe, and forgets the failures of those with newer evidence.
    fn learn_states(&mut self) {
        for endpoint in self.index.all() {
            let state = (endpoint.state.clone(), endpoint.mark);
            if self.states.get(&endpoint.credential) == Some(&state) {
                continue;
            }
            match &endpoint.state {
                CredentialState::Active => {
                    // The first sight of an account is no news of it.
                    let mut others = self.index.all().filter(|other| {
                        (other.account, &other.provider) == (endpoint.account, &endpoint.provider)
                    });
                    if others.any(|other| self.states.contains_key(&other.credential)) {
                        self.health.forget(endpoint.account, &endpoint.provider);
                    }
                }
                CredentialState::Parked { until, .. } => {
                    // Other keys of the account go on; its last one is tried by one call.
                    let mut all = self.index.all().filter(|other| {
                        (other.account, &other.provider) == (endpoint.account, &endpoint.provider)
                    });
                    if all.all(|other| !matches!(other.state, CredentialState::Active)) {
                        self.health
                            .rest_until(endpoint.account, &endpoint.provider, *until);
                    }
                }
                CredentialState::Refused { .. }
                | CredentialState::Paused { .. }
                | CredentialState::Draining { .. } => {}
            }
            self.states.insert(endpoint.credential, state);
        }
    }

    /// Returns the credentials of an account that answers although they were parked.
    pub fn answers_again(&self, tenant: &Tenant, call: &CallSummary) -> Vec<CredentialId> {
        let now = self.clock.now();
        let is_parked = |endpoint: &&Endpoint| {
            endpoint.account == call.account
                && endpoint.provider == call.provider
                && matches!(&endpoint.state, CredentialState::Parked { until, .. } if *until <= now)
        };
        let endpoints = self.index.endpoints(tenant).iter();
        let parked = endpoints
            .filter(is_parked)
            .map(|endpoint| endpoint.credential);
        parked
            .filter(|_| call.complete && call.class.is_none())
            .collect()
    }

    /// Replaces the estimated use of an ended call by its real use, so that tenants and projects share fairly.
    pub fn correct(
        &mut self,
        tenant: &Tenant,
        project: Option<ProjectId>,
        charged: u64,
        call: &CallSummary,
    ) {
        let used = call
            .usage
            .map_or(0, |usage| Fairness::weight(usage.prompt(), usage.output));
        self.queue.fairness.correct(tenant, project, charged, used);
    }

    /// Counts the real use of a call that this queue did not admit: one of an earlier term.
    pub fn count_use(&mut self, tenant: &Tenant, project: Option<ProjectId>, call: &CallSummary) {
        if let Some(usage) = call.usage {
            let fairness = &mut self.queue.fairness;
            fairness.serve(tenant, project, usage.prompt(), usage.output);
        }
    }

    /// Estimator of the use of calls.
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
            self.estimator.learn(&UsageSample {
                provider: call.provider.clone(),
                model: call.model.clone(),
                kind: call.kind,
                size: call.size,
                usage,
                took: call.took,
            });
        }
        self.line_up_again |= self.health.ended(call, at);
        let report = RouteReport::of(call.class, call.complete);
        self.line_up_again |=
            self.breakers
                .ended(&call.provider, &call.model, call.account, report, at);
        self.resting.clear();
    }

    /// Gives back the probe's slot of a dispatched call that was never made: its delivery was not claimed or was
    /// cancelled.
    pub fn call_dropped(&mut self, account: AccountId, provider: &ProviderId, model: &ModelSlug) {
        let now = self.clock.now();
        self.health.dropped(account, provider, model);
        self.breakers
            .ended(provider, model, account, RouteReport::Ignored, now);
        self.resting.clear();
    }

    /// Waits for decisions and returns all of them. Dropping the wait loses nothing: decisions made meanwhile are
    /// returned by the next call. Decisions made before the limiter lost its state come before [`StateLost`].
    pub async fn next(&mut self) -> Result<Vec<Decided>, StateLost> {
        loop {
            let now = self.clock.now();
            self.wake(now);
            self.ask_all_lines(now).await;
            if !self.decided.is_empty() {
                let decided = std::mem::take(&mut self.decided);
                for one in &decided {
                    self.asked.remove(&one.request.lease);
                }
                return Ok(decided);
            }
            if std::mem::take(&mut self.lost) {
                return Err(StateLost);
            }
            self.sleep(now).await;
        }
    }

    /// Moves calls that were deferred until now into their lines.
    fn wake(&mut self, now: Timestamp) {
        for request in self.queue.due(now) {
            self.place(request, now);
        }
        if self.line_up_again || self.queue.line_up_at.is_some_and(|at| at <= now) {
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
