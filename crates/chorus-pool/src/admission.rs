//! Chooses a credential for each waiting call and reserves on it: the only async part of the pool.
//!
//! [`Admission`] asks the limiter what its [`Engine`] says, and sleeps until a head is expected to fit, a limit
//! changes, or [`Settings::poll`] has passed. The dispatcher runs one for all tasks, a gateway one for its
//! interactive calls. It never calls a provider and keeps nothing that cannot be rebuilt.

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::attempt::{CallSummary, WaitReason};
use chorus_core::id::{
    AccountId, CredentialId, LeaseId, ModelSlug, Pool, ProjectId, ProviderId, Tenant,
};
use chorus_core::limit::{End, GroupChange};
use chorus_core::port::{Clock, LimitState};
use chorus_core::time::Timestamp;
use futures_util::future::{Either, FutureExt, pending, select};
use futures_util::stream::{BoxStream, StreamExt};

pub use crate::decided::Decided;
use crate::endpoint_index::{EndpointIndex, RoleModels};
pub use crate::engine::{
    CallWait, ChoiceReason, EndpointStatus, MirroredLevel, PoolSlots, PoolStatus,
};
use crate::engine::{Counts, Effect, Engine};
use crate::estimate::Estimator;
use crate::order::Fairness;
pub use crate::request::{AdmissionRequest, ModelSelector, Prefix, Rest};
pub use crate::settings::Settings;

/// The limiter has lost its state: leases must be restored before the next reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the limiter has lost its state")]
pub struct StateLost;

/// Queue of calls over a [`LimitState`].
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

    /// [`EndpointIndex`] of the endpoints that calls may use.
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

    /// [`Estimator`] of the use of calls.
    pub const fn estimator(&self) -> &Estimator {
        &self.engine.estimator
    }

    /// [`Counts`] of operations so far.
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
