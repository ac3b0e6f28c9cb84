//! The row of an attempt and its change along one arrow of [`chorus_core::attempt::ARROWS`].
//!
//! The memory store keeps the row that a step returns, the SQL store writes it under a guard of state, epoch
//! and holder. Neither knows an arrow of its own.

use chorus_core::attempt::{
    self, Assignment, AttemptArrow, AttemptState, AttemptTrigger, Claim, Counter, EpochRule,
    Finish, Holding, NewAttempt, Outcome, QueuedAttempt, UnfitModel,
};
use chorus_core::id::{AccountId, Epoch, Holder, ProjectId};
use chorus_core::task_kind::TaskKind;
use chorus_core::time::Timestamp;

/// An attempt as a store keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRow {
    /// Attempt as it was created, with the newest `order` and `not_before`.
    pub attempt: NewAttempt,
    /// State; changed by [`AttemptRow::step`] only.
    pub state: AttemptState,
    /// Fence: grows with every requeue.
    pub epoch: Epoch,
    /// Worker that runs it; none in other states.
    pub holder: Option<Holder>,
    /// Time of the holder's last heartbeat; none in other states.
    pub heartbeat_at: Option<Timestamp>,
    /// Time of the first queueing.
    pub created_at: Timestamp,
    /// Time of the last queueing.
    pub queued_at: Timestamp,
    /// Deliveries lost with their workers.
    pub lost: u32,
    /// Deliveries that ended in `Retry`.
    pub retries: u32,
    /// Deliveries that ended in `Continue`.
    pub continues: u32,
    /// Account that refused the last delivery, if the failure may not move to a sibling.
    pub refused_by: Option<AccountId>,
    /// Models that refused the request itself.
    pub unfit: Vec<UnfitModel>,
}

impl AttemptRow {
    /// A row in state `Queued` at epoch 0.
    pub fn new(attempt: NewAttempt, now: Timestamp) -> Self {
        Self {
            attempt,
            state: AttemptState::Queued,
            epoch: Epoch(0),
            holder: None,
            heartbeat_at: None,
            created_at: now,
            queued_at: now,
            lost: 0,
            retries: 0,
            continues: 0,
            refused_by: None,
            unfit: Vec::new(),
        }
    }

    /// Name of the attempt's line: its project and the kind of its task.
    pub fn line(attempt: &NewAttempt) -> String {
        Self::line_of(attempt.project, attempt.kind)
    }

    /// Name of the line of a project and kind of task.
    pub fn line_of(project: ProjectId, kind: TaskKind) -> String {
        format!("{project}/{}", kind.as_str())
    }

    /// Copies the columns that the dispatcher reads as [`QueuedAttempt`].
    pub fn queued(&self) -> QueuedAttempt {
        QueuedAttempt {
            attempt: self.attempt.clone(),
            epoch: self.epoch,
            created_at: self.created_at,
            queued_at: self.queued_at,
            lost: self.lost,
            continues: self.continues,
            refused_by: self.refused_by,
            unfit: self.unfit.clone(),
        }
    }

    /// Returns true if this holder runs the attempt at this epoch.
    pub fn is_held_by(&self, epoch: Epoch, holder: &Holder) -> bool {
        self.state == AttemptState::Running
            && self.epoch == epoch
            && self.holder.as_ref() == Some(holder)
    }

    /// The row after the arrow of `trigger`; none when the table has no arrow from this state, or the
    /// arrow compares epochs and the row has another one than the statement.
    pub fn step(&self, trigger: AttemptTrigger, epoch: Epoch, now: Timestamp) -> Option<Self> {
        let arrow = attempt::step(self.state, trigger)?;
        let fenced = arrow.epoch != EpochRule::Any && self.epoch != epoch;
        (!fenced).then(|| self.after(arrow, now))
    }

    fn after(&self, arrow: &AttemptArrow, now: Timestamp) -> Self {
        let grows = |counter| u32::from(arrow.counter == counter);
        let running = arrow.to == AttemptState::Running;
        Self {
            attempt: self.attempt.clone(),
            state: arrow.to,
            epoch: match arrow.epoch {
                EpochRule::Kept | EpochRule::Any => self.epoch,
                EpochRule::Next => self.epoch.next(),
            },
            holder: self.holder.clone().filter(|_| running),
            heartbeat_at: self.heartbeat_at.filter(|_| running),
            created_at: self.created_at,
            queued_at: if arrow.to == AttemptState::Queued {
                now
            } else {
                self.queued_at
            },
            lost: self.lost + grows(Counter::WorkerLost),
            retries: self.retries + grows(Counter::Retries),
            continues: self.continues + grows(Counter::Continues),
            refused_by: self.refused_by,
            unfit: self.unfit.clone(),
        }
    }

    /// The row after a claim; the caller has checked the lease's `not_after`.
    pub fn claim(&self, claim: &Claim, now: Timestamp) -> Option<Self> {
        let next = self.step(AttemptTrigger::Claimed, claim.epoch, now)?;
        Some(Self {
            holder: Some(claim.holder.clone()),
            heartbeat_at: Some(now),
            ..next
        })
    }

    /// The row after a delivery with this assignment ended; none when another holder or none runs it.
    pub fn finish(&self, finish: &Finish, assignment: &Assignment, now: Timestamp) -> Option<Self> {
        let Holding { epoch, holder, .. } = &finish.holding;
        if !self.is_held_by(*epoch, holder) {
            return None;
        }
        let mut next = self.step(AttemptTrigger::from(&finish.outcome), *epoch, now)?;
        if let Outcome::Requeue {
            reason,
            not_before,
            order,
            ..
        } = &finish.outcome
        {
            next.attempt.not_before = *not_before;
            next.attempt.order = order.unwrap_or(next.attempt.order);
            next.refused_by = reason
                .failure_class()
                .filter(|class| !class.rule().may_move_to_sibling)
                .map(|_| assignment.account);
            next.unfit
                .extend(finish.outcome.unfit_model(&assignment.model));
        }
        Some(next)
    }
}
