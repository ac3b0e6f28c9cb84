//! A delivery's row: one dispatch of one attempt, kept after it is over.

use chorus_core::attempt::{Assignment, DeliveryEnd, DeliveryRow, Outstanding};
use chorus_core::id::{Epoch, EventId, Holder, ProjectId, Tenant, Term};
use chorus_core::money::MicroUsd;
use chorus_core::time::Timestamp;

use super::AttemptRow;

/// A delivery with what the store keeps beside its story.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptDelivery {
    /// Its story.
    pub story: DeliveryRow,
    /// The project.
    pub project: ProjectId,
    /// The dispatcher's term.
    pub term: Term,
    /// Who claimed it.
    pub holder: Option<Holder>,
    /// The late word that corrected its cost; the first one counts.
    pub late: Option<EventId>,
}

impl KeptDelivery {
    /// A delivery that was dispatched at `now`.
    pub const fn new(row: &AttemptRow, assignment: Assignment, term: Term, now: Timestamp) -> Self {
        let story = DeliveryRow {
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
            story,
            project: row.attempt.project,
            term,
            holder: None,
            late: None,
        }
    }

    /// It is over without its worker's word; a claimed one is assumed to have cost its estimate.
    pub fn take_back(&mut self, end: DeliveryEnd, now: Timestamp) {
        self.story.cost = if self.story.claimed_at.is_some() {
            self.story.assignment.estimate
        } else {
            MicroUsd::ZERO
        };
        self.story.end = Some(end);
        self.story.ended_at = Some(now);
    }

    /// Whether this holder's word ended it.
    pub fn was_finished_by(&self, holder: &Holder) -> bool {
        self.holder.as_ref() == Some(holder)
            && matches!(self.story.end, Some(DeliveryEnd::Finished { .. }))
    }

    /// Whether a late word on it may still change its cost: it was taken back and nothing was heard of it.
    pub const fn may_be_corrected(&self) -> bool {
        self.late.is_none()
            && matches!(
                self.story.end,
                Some(DeliveryEnd::WorkerLost | DeliveryEnd::Cancelled | DeliveryEnd::Unclaimed)
            )
    }

    /// Its lease, if that may still hold something at `now`. What was taken back after a claim may still be
    /// calling until its deadline; what was finished, or taken back before a claim, is not.
    pub fn outstanding(&self, tenant: &Tenant, now: Timestamp) -> Option<Outstanding> {
        let DeliveryRow {
            assignment,
            claimed_at,
            deadline,
            end,
            ..
        } = &self.story;
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
        })
    }

    /// Its epoch.
    pub const fn epoch(&self) -> Epoch {
        self.story.epoch
    }
}
