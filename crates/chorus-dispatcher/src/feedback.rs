//! Passes the end of each call to the pool's [`Admission`], so that estimates, breakers and account health follow.
//!
//! Ends arrive as records through the [`RecordTail`](crate::record_tail::RecordTail); a new term begins with the
//! calls that [`Deliveries::ended_since`](chorus_core::port::Deliveries::ended_since) returns. Records may be
//! doubled: each delivery counts once. Records may be lost, for example when a process with an embedded bus
//! restarts: a lost one makes estimates and order worse, never safety, because limits and leases do not depend
//! on it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chorus_core::attempt::{Assignment, EndedCall, QueuedAttempt};
use chorus_core::id::{
    AccountId, AttemptId, CredentialId, Epoch, ModelSlug, Pool, ProjectId, ProviderId, Tenant,
};
use chorus_core::time::{Millis, Timestamp};
use chorus_pool::Admission;

use crate::record_tail::Ended;

/// Time after which a delivery without a reported end is given up.
const GIVEN_UP_AFTER: Millis = Millis::from_secs(1_800);

/// Time in which the record of a delivery is awaited once its row has moved on without one.
const RECORD_GRACE: Millis = Millis::from_secs(2);

/// Number of ended deliveries that are remembered, to recognise doubled records.
const REMEMBERED: usize = 10_000;

/// Age up to which ended calls are read when a term begins: their use counts for the fairness of this one.
pub(crate) const WARM_UP_AGE: Millis = Millis::from_secs(3_600);

/// Maximum number of ended calls that are read when a term begins, the latest ones.
pub(crate) const WARM_UP_CALLS: u32 = 5_000;

type Key = (AttemptId, Epoch);

/// Deliveries under way in this term, and those that were counted.
#[derive(Debug, Default)]
pub(crate) struct Feedback {
    under_way: BTreeMap<Key, UnderWay>,
    counted: BTreeSet<Key>,
    /// Calls of earlier terms of which the use is not counted yet.
    uses: Vec<EndedCall>,
    oldest_counted: VecDeque<Key>,
}

/// A delivery without a reported end.
#[derive(Debug)]
struct UnderWay {
    account: AccountId,
    provider: ProviderId,
    model: ModelSlug,
    pool: Pool,
    tenant: Tenant,
    project: ProjectId,
    /// Weighted tokens that were charged at admission.
    charged: u64,
    given_up_at: Timestamp,
}

impl Feedback {
    /// Expects the end of a delivery that was dispatched.
    pub(crate) fn expect(
        &mut self,
        row: &QueuedAttempt,
        assignment: &Assignment,
        charged: u64,
        now: Timestamp,
    ) {
        let under_way = UnderWay {
            account: assignment.account,
            pool: assignment.pool.clone(),
            tenant: row.attempt.tenant.clone(),
            project: row.attempt.project,
            charged,
            provider: assignment.provider.clone(),
            model: assignment.model.clone(),
            given_up_at: now + GIVEN_UP_AFTER,
        };
        self.under_way
            .insert((row.attempt.id, row.epoch), under_way);
    }

    /// Projects with a delivery under way.
    pub(crate) fn projects(&self) -> BTreeSet<ProjectId> {
        self.under_way
            .values()
            .map(|delivery| delivery.project)
            .collect()
    }

    /// Counts the use of calls that ended before this term. The queue must have been read: a project that joins it
    /// is lifted to the least served one, and those that waited before are not to be.
    pub(crate) fn count_uses(&mut self, admission: &mut Admission) {
        for ended in std::mem::take(&mut self.uses) {
            admission.count_use(&ended.tenant, Some(ended.project), &ended.call);
        }
    }

    /// Learns from calls that ended before this term, oldest first.
    pub(crate) fn warm_up(&mut self, calls: Vec<EndedCall>, admission: &mut Admission) {
        for ended in calls {
            if self.count((ended.attempt, ended.epoch)) {
                admission.call_ended_at(&ended.call, ended.ended_at);
                self.uses.push(ended);
            }
        }
    }

    /// Learns from the reported end of a delivery, unless it was counted before. Returns the credentials that
    /// answered although they were parked.
    pub(crate) fn ended(&mut self, ended: Ended, admission: &mut Admission) -> Vec<CredentialId> {
        let key = (ended.attempt, ended.epoch);
        let under_way = self.under_way.remove(&key);
        if !self.count(key) {
            return Vec::new();
        }
        if let Some(delivery) = &under_way {
            admission.slot_freed(&delivery.pool);
        }
        match (ended.call, under_way) {
            (Some(call), None) => {
                admission.call_ended(&call);
                if let Some((tenant, project)) = ended.owner {
                    admission.count_use(&tenant, Some(project), &call);
                }
            }
            (Some(call), Some(delivery)) => {
                admission.call_ended(&call);
                let project = Some(delivery.project);
                admission.correct(&delivery.tenant, project, delivery.charged, &call);
                return admission.answers_again(&delivery.tenant, &call);
            }
            (None, Some(delivery)) => delivery.drop_call(admission),
            (None, None) => {}
        }
        Vec::new()
    }

    /// Awaits the records of earlier deliveries of a queued row only a little longer: they have ended, and no
    /// record exists if the reconciler took them back.
    pub(crate) fn queued_again(&mut self, row: &QueuedAttempt, now: Timestamp) {
        let earlier = (row.attempt.id, Epoch(0))..(row.attempt.id, row.epoch);
        for (_, under_way) in self.under_way.range_mut(earlier) {
            under_way.await_until(now + RECORD_GRACE);
        }
    }

    /// Awaits the records of cancelled attempts only a little longer.
    pub(crate) fn cancelled(&mut self, attempts: &[AttemptId], now: Timestamp) {
        for attempt in attempts {
            let every = (*attempt, Epoch(0))..=(*attempt, Epoch(u32::MAX));
            for (_, under_way) in self.under_way.range_mut(every) {
                under_way.await_until(now + RECORD_GRACE);
            }
        }
    }

    /// Gives up deliveries that were awaited for long enough, so that a probe among them blocks no breaker.
    pub(crate) fn give_up(&mut self, admission: &mut Admission, now: Timestamp) {
        self.under_way.retain(|_, delivery| {
            let awaited = delivery.given_up_at > now;
            if !awaited {
                delivery.drop_call(admission);
            }
            awaited
        });
    }

    /// Marks a delivery as counted; returns false if it was counted before.
    fn count(&mut self, key: Key) -> bool {
        if !self.counted.insert(key) {
            return false;
        }
        self.oldest_counted.push_back(key);
        if self.oldest_counted.len() > REMEMBERED
            && let Some(oldest) = self.oldest_counted.pop_front()
        {
            self.counted.remove(&oldest);
        }
        true
    }
}

impl UnderWay {
    fn drop_call(&self, admission: &mut Admission) {
        admission.call_dropped(self.account, &self.provider, &self.model);
    }

    fn await_until(&mut self, until: Timestamp) {
        self.given_up_at = self.given_up_at.min(until);
    }
}
