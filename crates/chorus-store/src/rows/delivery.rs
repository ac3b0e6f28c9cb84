//! The row of a delivery: one dispatch of one attempt, kept after it ended.

use chorus_core::attempt::{Assignment, DeliveryEnd, DeliveryRow, Outstanding};
use chorus_core::id::{Epoch, EventId, Holder, ProjectId, Tenant, Term};
use chorus_core::money::MicroUsd;
use chorus_core::port::audit::AccountUse;
use chorus_core::time::Timestamp;

use super::AttemptRow;

/// A [`DeliveryRow`], with project, term and holder.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDelivery {
    /// Row as [`chorus_core::port::Deliveries`] returns it.
    pub delivery: DeliveryRow,
    /// Project of the attempt.
    pub project: ProjectId,
    /// Term of the dispatcher.
    pub term: Term,
    /// Worker that claimed it.
    pub holder: Option<Holder>,
    /// Event of the late usage that corrected the cost; the first one counts.
    pub late: Option<EventId>,
}

impl StoredDelivery {
    /// A delivery dispatched at `now`.
    pub const fn new(row: &AttemptRow, assignment: Assignment, term: Term, now: Timestamp) -> Self {
        let delivery = DeliveryRow {
            attempt: row.attempt.id,
            epoch: row.epoch,
            task: row.attempt.task,
            kind: row.attempt.kind,
            assignment,
            dispatched_at: now,
            claimed_at: None,
            deadline: None,
            ended_at: None,
            end: None,
            usage: None,
            cost: MicroUsd::ZERO,
        };
        Self {
            delivery,
            project: row.attempt.project,
            term,
            holder: None,
            late: None,
        }
    }

    /// Ends a delivery that its worker did not finish; a claimed one is charged its estimate.
    pub fn take_back(&mut self, end: DeliveryEnd, now: Timestamp) {
        self.delivery.cost = if self.delivery.claimed_at.is_some() {
            self.delivery.assignment.estimate
        } else {
            MicroUsd::ZERO
        };
        self.delivery.end = Some(end);
        self.delivery.ended_at = Some(now);
    }

    /// Returns true if this holder finished it.
    pub fn was_finished_by(&self, holder: &Holder) -> bool {
        self.holder.as_ref() == Some(holder)
            && matches!(self.delivery.end, Some(DeliveryEnd::Finished { .. }))
    }

    /// Returns true if late usage may still correct the cost: it was taken back and no usage has arrived.
    pub const fn may_be_corrected(&self) -> bool {
        self.late.is_none()
            && matches!(
                self.delivery.end,
                Some(DeliveryEnd::WorkerLost | DeliveryEnd::Cancelled | DeliveryEnd::Unclaimed)
            )
    }

    /// The lease, if it may still hold something at `now`. A delivery taken back after its claim may be calling
    /// until its deadline; a finished one, or one taken back before its claim, is not.
    pub fn outstanding(&self, tenant: &Tenant, now: Timestamp) -> Option<Outstanding> {
        let DeliveryRow {
            assignment,
            claimed_at,
            deadline,
            end,
            ..
        } = &self.delivery;
        let calling = matches!(
            end,
            None | Some(DeliveryEnd::WorkerLost | DeliveryEnd::Cancelled)
        );
        let alive = match claimed_at {
            None => end.is_none() && now <= assignment.lease.not_after,
            Some(_) => calling && deadline.is_some_and(|deadline| now <= deadline),
        };
        alive.then(|| Outstanding {
            tenant: tenant.clone(),
            lease: assignment.lease.clone(),
            account: assignment.account,
            model: assignment.model.clone(),
            provider: assignment.provider.clone(),
            sent_until: *deadline,
            claimed_at: *claimed_at,
            lost_worker: *end == Some(DeliveryEnd::WorkerLost),
        })
    }

    /// The row as a use of its account; `caller` submitted the project.
    pub fn account_use(&self, caller: Option<String>) -> AccountUse {
        let row = &self.delivery;
        AccountUse {
            attempt: row.attempt,
            epoch: row.epoch,
            project: self.project,
            task: row.task,
            caller,
            account: row.assignment.account,
            credential: row.assignment.credential(),
            provider: row.assignment.provider.clone(),
            model: row.assignment.model.clone(),
            at: row.dispatched_at,
            ended_at: row.ended_at,
            usage: row.usage,
            cost: row.cost,
        }
    }

    /// Epoch of the attempt when it was dispatched.
    pub const fn epoch(&self) -> Epoch {
        self.delivery.epoch
    }
}
