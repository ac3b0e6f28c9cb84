//! An attempt's row and the arrows on it. Each arrow is guarded by state and epoch (and holder once claimed)
//! where it is asked for; the rules here say what the row looks like afterwards.

use chorus_core::attempt::{AttemptState, NewAttempt, Outcome, QueuedAttempt, Requeue};
use chorus_core::id::{AccountId, Epoch, Holder};
use chorus_core::time::Timestamp;

/// An attempt as a store keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRow {
    /// What the orchestrator asked for; `order` and `not_before` are the newest.
    pub attempt: NewAttempt,
    /// Its state.
    pub state: AttemptState,
    /// Its epoch; it only grows.
    pub epoch: Epoch,
    /// Who runs it, while it runs.
    pub holder: Option<Holder>,
    /// When its holder was last heard of, while it runs.
    pub beat_at: Option<Timestamp>,
    /// When it was queued for the first time.
    pub created_at: Timestamp,
    /// When it was queued last.
    pub queued_at: Timestamp,
    /// Deliveries lost with their workers.
    pub lost: u32,
    /// Deliveries that ended in `Retry`.
    pub retries: u32,
    /// Deliveries that ended in `Continue`.
    pub continues: u32,
    /// Account that refused the last delivery, if the failure may not move to a sibling.
    pub refused_by: Option<AccountId>,
}

impl AttemptRow {
    /// A row in state `Queued` at epoch 0.
    pub const fn new(attempt: NewAttempt, now: Timestamp) -> Self {
        Self {
            attempt,
            state: AttemptState::Queued,
            epoch: Epoch(0),
            holder: None,
            beat_at: None,
            created_at: now,
            queued_at: now,
            lost: 0,
            retries: 0,
            continues: 0,
            refused_by: None,
        }
    }

    /// The row as the dispatcher sees it.
    pub fn queued(&self) -> QueuedAttempt {
        QueuedAttempt {
            attempt: self.attempt.clone(),
            epoch: self.epoch,
            created_at: self.created_at,
            queued_at: self.queued_at,
            lost: self.lost,
            continues: self.continues,
            refused_by: self.refused_by,
        }
    }

    /// Whether this is the one who runs it.
    pub fn is_held_by(&self, epoch: Epoch, holder: &Holder) -> bool {
        self.state == AttemptState::Running
            && self.epoch == epoch
            && self.holder.as_ref() == Some(holder)
    }

    /// `Dispatched -> Running`.
    pub fn claim(&mut self, holder: Holder, now: Timestamp) {
        self.state = AttemptState::Running;
        self.holder = Some(holder);
        self.beat_at = Some(now);
    }

    /// `Running -> Succeeded | Asked | Failed | Queued` as the outcome says; `account` is the one it ran on.
    pub fn finish(&mut self, outcome: &Outcome, account: AccountId, now: Timestamp) {
        match outcome {
            Outcome::Succeeded { .. } => self.end(AttemptState::Succeeded),
            Outcome::Asked { .. } => self.end(AttemptState::Asked),
            Outcome::Failed { .. } => self.end(AttemptState::Failed),
            Outcome::Requeue {
                reason,
                not_before,
                order,
            } => {
                self.requeue(now);
                self.attempt.not_before = *not_before;
                self.attempt.order = order.unwrap_or(self.attempt.order);
                self.retries += u32::from(matches!(reason, Requeue::Retry { .. }));
                self.continues += u32::from(*reason == Requeue::Continue);
                self.refused_by = reason
                    .failure_class()
                    .filter(|class| !class.rule().may_move_to_sibling)
                    .map(|_| account);
            }
        }
    }

    /// `Dispatched -> Queued` or `Running -> Queued`: the epoch grows, so that no word of the old delivery counts.
    pub fn requeue(&mut self, now: Timestamp) {
        self.end(AttemptState::Queued);
        self.epoch = self.epoch.next();
        self.queued_at = now;
    }

    /// Enters a state in which nobody runs it.
    pub fn end(&mut self, state: AttemptState) {
        self.state = state;
        self.holder = None;
        self.beat_at = None;
    }
}

/// Whether no arrow leaves this state.
pub const fn is_terminal(state: AttemptState) -> bool {
    match state {
        AttemptState::Queued | AttemptState::Dispatched | AttemptState::Running => false,
        AttemptState::Succeeded
        | AttemptState::Asked
        | AttemptState::Failed
        | AttemptState::Cancelled => true,
    }
}
