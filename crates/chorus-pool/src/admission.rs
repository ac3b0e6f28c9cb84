//! Chooses a credential for each waiting call and reserves on it: the only async part of the pool.
//!
//! [`Admission`] asks the limiter what its [`Engine`] says, and sleeps until a head is expected to fit, a limit
//! changes, or [`Settings::poll`] has passed. The dispatcher runs one for all tasks, a gateway one for its
//! interactive calls. It never calls a provider and keeps nothing that cannot be rebuilt.

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::attempt::{CallSize, CallSummary, DispatchDecision, WaitReason};
use chorus_core::id::{
    AccountId, CredentialId, LeaseId, ModelSlug, Pool, ProjectId, ProviderId, Tenant,
};
use chorus_core::limit::{End, GroupChange};
use chorus_core::port::{Clock, LimitState};
use chorus_core::task_kind::{ModelRole, TaskKind};
use chorus_core::time::{Millis, Timestamp};
use futures_util::future::{Either, FutureExt, pending, select};
use futures_util::stream::{BoxStream, StreamExt};

use crate::endpoint_index::{EndpointIndex, RoleModels};
pub use crate::engine::{
    CallWait, ChoiceReason, EndpointStatus, MirroredLevel, PoolSlots, PoolStatus,
};
use crate::engine::{Counts, Effect, Engine};
use crate::estimate::Estimator;
use crate::order::Fairness;

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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
    /// Reason for which the endpoint was chosen; none for a call that was refused.
    pub because: Option<ChoiceReason>,
}

/// The limiter has lost its state: leases must be restored before the next reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the limiter has lost its state")]
pub struct StateLost;

/// Queue of calls over a limiter.
pub struct Admission {
    limits: Arc<dyn LimitState>,
    clock: Arc<dyn Clock>,
    pub(crate) engine: Engine,
    is_lost: bool,
    /// A lease that was granted on a credential that is gone, to be ended.
    unused: Option<LeaseId>,
    changes: BoxStream<'static, GroupChange>,
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
            engine: Engine::new(settings, index, roles),
            is_lost: false,
            unused: None,
            changes,
        }
    }

    /// Queues a call; one with the same lease is replaced.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the queue takes the call and gives it back with its decision"
    )]
    pub fn push(&mut self, request: AdmissionRequest) {
        self.engine.push(&request, self.clock.now());
    }

    /// Removes a call. Its lease may be reserved although no decision was returned: see [`Admission::may_hold`].
    pub fn remove(&mut self, lease: LeaseId) -> Option<AdmissionRequest> {
        self.engine.remove(lease)
    }

    /// Returns true if the lease of a removed call may be reserved; the caller ends it as unused.
    pub fn may_hold(&mut self, lease: LeaseId) -> bool {
        self.engine.asked.remove(&lease)
    }

    /// Replaces the calls that wait in the rows and were not pushed.
    pub fn set_rest(&mut self, rest: &[Rest]) {
        self.engine.set_rest(rest, self.clock.now());
    }

    /// Returns true if the call of this lease is queued.
    pub fn waits(&self, lease: LeaseId) -> bool {
        self.engine.contains(lease)
    }

    /// Number of queued calls.
    pub fn len(&self) -> usize {
        self.engine.len()
    }

    /// Returns true if no call is queued.
    pub fn is_empty(&self) -> bool {
        self.engine.len() == 0
    }

    /// Index of the endpoints that calls may use.
    pub const fn index(&self) -> &EndpointIndex {
        &self.engine.index
    }

    /// Changes the endpoints. If `change` returns true, the lines that may use other endpoints than before get them,
    /// and calls move to other lines where other models serve them.
    pub fn update_endpoints(&mut self, change: impl FnOnce(&mut EndpointIndex) -> bool) {
        self.engine.update_endpoints(change, self.clock.now());
    }

    /// Returns the credentials of an account that answers although they were parked.
    pub fn answers_again(&self, tenant: &Tenant, call: &CallSummary) -> Vec<CredentialId> {
        self.engine.answers_again(tenant, call, self.clock.now())
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
        self.engine.correct(tenant, project, charged, used);
    }

    /// Weighted tokens that each project has used: what a successor needs to share as fairly.
    pub fn use_of_projects(&self) -> Vec<(Tenant, Option<ProjectId>, u64)> {
        self.engine.export_use()
    }

    /// Counts the real use of a call that this queue did not admit: one of an earlier term.
    pub fn count_use(&mut self, tenant: &Tenant, project: Option<ProjectId>, call: &CallSummary) {
        if let Some(usage) = call.usage {
            let used = Fairness::weight(usage.prompt(), usage.output);
            self.engine.import_use(tenant, project, used);
        }
    }

    /// Estimator of the use of calls.
    pub const fn estimator(&self) -> &Estimator {
        &self.engine.estimator
    }

    /// Numbers of operations so far.
    pub const fn counts(&self) -> Counts {
        self.engine.counts
    }

    /// Learns from the end of a call that ended now, as [`call_ended_at`](Self::call_ended_at) does.
    pub fn call_ended(&mut self, call: &CallSummary) {
        self.call_ended_at(call, self.clock.now());
    }

    /// Learns from the end of a call at `at`: estimates from a complete reply, the breaker of its route
    /// and the health of its account from every end.
    pub fn call_ended_at(&mut self, call: &CallSummary, at: Timestamp) {
        self.engine.call_ended(call, at, self.clock.now());
    }

    /// Gives back the probe's slot of a dispatched call that was never made: its delivery was not claimed or was
    /// cancelled.
    pub fn call_dropped(&mut self, account: AccountId, provider: &ProviderId, model: &ModelSlug) {
        let now = self.clock.now();
        self.engine.call_dropped(account, provider, model, now);
    }

    /// Replaces the slots of all pools. Without a first call of this method, slots are not counted.
    pub fn set_slots(&mut self, slots: BTreeMap<Pool, PoolSlots>) {
        self.engine.set_slots(slots);
    }

    /// Gives back the slot of a call that has ended.
    pub fn slot_freed(&mut self, pool: &Pool) {
        self.engine.slot_freed(pool);
    }

    /// Returns the reason why a queued call waits; none when it may be admitted at the next question, or waits
    /// only for its `not_before`.
    pub fn wait_reason(&self, lease: LeaseId) -> Option<WaitReason> {
        self.engine.wait_reason(lease, self.clock.now())
    }

    /// State of every pool with waiting calls or calls under way, for operators.
    pub fn pool_status(&mut self) -> Vec<PoolStatus> {
        self.engine.pool_status(self.clock.now())
    }

    /// Place and reason of a waiting call, for operators; none if it does not wait.
    pub fn why(&self, lease: LeaseId) -> Option<CallWait> {
        self.engine.why(lease, self.clock.now())
    }

    /// Waits for decisions and returns all of them. Dropping the wait loses nothing: decisions made meanwhile are
    /// returned by the next call. Decisions made before the limiter lost its state come before [`StateLost`].
    pub async fn next(&mut self) -> Result<Vec<Decided>, StateLost> {
        loop {
            self.take_changes();
            self.engine.wake(self.clock.now());
            self.ask().await;
            if !self.engine.decided.is_empty() {
                let decided = std::mem::take(&mut self.engine.decided);
                for one in &decided {
                    self.engine.asked.remove(&one.request.lease);
                }
                return Ok(decided);
            }
            if std::mem::take(&mut self.is_lost) {
                return Err(StateLost);
            }
            self.sleep().await;
        }
    }

    /// Asks the limiter until every head waits or the batch is full.
    async fn ask(&mut self) {
        self.end_unused().await;
        while let Some(question) = self.engine.question(self.clock.now()) {
            let answer = self.limits.reserve(question.demand.clone()).await;
            match self.engine.answered(&question, answer, self.clock.now()) {
                Effect::Nothing => {}
                Effect::End(lease) => {
                    self.unused = Some(lease);
                    self.end_unused().await;
                }
                Effect::Lost => {
                    self.is_lost = true;
                    return;
                }
            }
        }
    }

    async fn end_unused(&mut self) {
        let Some(lease) = self.unused else {
            return;
        };
        if let Err(problem) = self.limits.end(lease, End::Unused).await {
            tracing::warn!(lease.id = %lease, error = %problem, "failed to end a lease on a credential that is gone");
        }
        self.unused = None;
    }

    /// Takes the hints of the limiter that have come.
    fn take_changes(&mut self) {
        let now = self.clock.now();
        while let Some(Some(change)) = self.changes.next().now_or_never() {
            self.engine.group_changed(&change, now);
        }
    }

    async fn sleep(&mut self) {
        let at = self.engine.wakes_at(self.clock.now());
        let timer = match at {
            Some(at) => self.clock.sleep_until(at),
            None => pending().boxed(),
        };
        let hint = self.changes.next();
        if let Either::Left((Some(change), _)) = select(hint, timer).await {
            self.engine.group_changed(&change, self.clock.now());
        }
    }
}

#[cfg(test)]
mod tests;
