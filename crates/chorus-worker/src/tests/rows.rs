//! One attempt's row with the arrows of the store, lost replies, and times of silence.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chorus_core::attempt::{
    Assignment, AttemptTrigger, Claim, Delivery, DeliveryRow, Dispatch, Dispatched, EndedCall,
    Finish, Holding, LateUsage, NewAttempt, Outstanding, QueuedAttempt, Reclaim, Reclaimed,
};
use chorus_core::id::{EventId, ProjectId};
use chorus_core::money::ProjectMoney;
use chorus_core::port::attempts::{QueuePage, QueueSelection};
use chorus_core::port::bus::Record;
use chorus_core::port::deliveries::{ChargedPage, EndPosition};
use chorus_core::port::{Attempts, Clock, Deliveries, Outbox, StoreError};
use chorus_core::time::{Millis, Timestamp};
use chorus_store::rows::AttemptRow;

/// The row, and the operations on it.
pub(super) struct Rows {
    clock: Arc<dyn Clock>,
    pub(super) state: Mutex<State>,
}

pub(super) struct State {
    pub(super) row: AttemptRow,
    pub(super) assignment: Option<Assignment>,
    /// Number of replies to claims and finishes that will be lost after the change.
    pub(super) lost_replies: u32,
    /// Between these times nothing is answered, and nothing is done.
    pub(super) silent: Option<(Timestamp, Timestamp)>,
    pub(super) claims: u32,
    pub(super) beats: u32,
    /// Finishes that were done, in order.
    pub(super) finishes: Vec<Finish>,
    pub(super) late: Vec<LateUsage>,
    pub(super) sent: Vec<EventId>,
}

impl Rows {
    pub(super) fn new(clock: Arc<dyn Clock>, attempt: NewAttempt) -> Self {
        let state = State {
            row: AttemptRow::new(attempt, clock.now()),
            assignment: None,
            lost_replies: 0,
            silent: None,
            claims: 0,
            beats: 0,
            finishes: Vec::new(),
            late: Vec::new(),
            sent: Vec::new(),
        };
        Self {
            clock,
            state: Mutex::new(state),
        }
    }

    pub(super) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }

    fn act<T>(&self, act: impl FnOnce(&mut State, Timestamp) -> T) -> Result<T, StoreError> {
        let now = self.clock.now();
        self.with(|state| match state.silent {
            Some((from, to)) if from <= now && now < to => Err(StoreError::unavailable("silence")),
            _ => Ok(act(state, now)),
        })
    }

    /// As [`Self::act`], but the reply may be lost.
    fn change<T>(&self, act: impl FnOnce(&mut State, Timestamp) -> T) -> Result<T, StoreError> {
        let answer = self.act(act)?;
        self.with(|state| match state.lost_replies {
            0 => Ok(answer),
            _ => {
                state.lost_replies -= 1;
                Err(StoreError::unavailable("the reply was lost"))
            }
        })
    }
}

#[async_trait]
impl Attempts for Rows {
    async fn queued(&self, _: u32) -> Result<Vec<QueuedAttempt>, StoreError> {
        Ok(Vec::new())
    }

    async fn read_queue(
        &self,
        selection: QueueSelection,
        limit: u32,
    ) -> Result<QueuePage, StoreError> {
        drop((selection, limit));
        Ok(QueuePage::default())
    }

    async fn dispatch(&self, _: Vec<Dispatch>) -> Result<Vec<Dispatched>, StoreError> {
        Ok(Vec::new())
    }

    async fn claim(&self, claim: Claim) -> Result<Option<Box<Delivery>>, StoreError> {
        self.change(|state, now| {
            state.claims += 1;
            let row = &mut state.row;
            if !row.is_held_by(claim.epoch, &claim.holder) {
                *row = row.claim(&claim, now)?;
            }
            let assignment = state.assignment.clone()?;
            let (attempt, epoch) = (row.attempt.clone(), row.epoch);
            Some(Box::new(Delivery {
                attempt,
                epoch,
                assignment,
                retries: row.retries,
                continues: row.continues,
            }))
        })
    }

    async fn beat(&self, held: Vec<Holding>) -> Result<Vec<Holding>, StoreError> {
        self.act(|state, _| {
            state.beats += 1;
            held.into_iter()
                .filter(|holding| !state.row.is_held_by(holding.epoch, &holding.holder))
                .collect()
        })
    }

    async fn finish(&self, finish: Finish) -> Result<bool, StoreError> {
        self.change(|state, now| {
            let Some(assignment) = &state.assignment else {
                return false;
            };
            let Some(next) = state.row.finish(&finish, assignment, now) else {
                return state
                    .finishes
                    .iter()
                    .any(|done| done.holding == finish.holding);
            };
            state.row = next;
            state.finishes.push(finish);
            true
        })
    }

    async fn reclaim(&self, _: Reclaim) -> Result<Vec<Reclaimed>, StoreError> {
        self.act(|state, now| {
            let row = &state.row;
            let steps = [AttemptTrigger::WorkerLost, AttemptTrigger::Unclaimed];
            let next = steps
                .into_iter()
                .find_map(|trigger| row.step(trigger, row.epoch, now));
            state.row = next.expect("only what is under way is taken back");
            Vec::new()
        })
    }
}

#[async_trait]
impl Deliveries for Rows {
    async fn outstanding(&self) -> Result<Vec<Outstanding>, StoreError> {
        Ok(Vec::new())
    }

    async fn of_project(&self, _: ProjectId) -> Result<Vec<DeliveryRow>, StoreError> {
        Ok(Vec::new())
    }

    async fn ended_since(&self, _: Timestamp, _: u32) -> Result<Vec<EndedCall>, StoreError> {
        Ok(Vec::new())
    }

    async fn charged_since(
        &self,
        _: Timestamp,
        _: Option<EndPosition>,
        _: u32,
    ) -> Result<ChargedPage, StoreError> {
        Ok(ChargedPage::default())
    }

    async fn late(&self, late: LateUsage) -> Result<(), StoreError> {
        self.act(|state, _| state.late.push(late))
    }

    async fn money(&self, _: ProjectId) -> Result<Option<ProjectMoney>, StoreError> {
        Ok(None)
    }
}

#[async_trait]
impl Outbox for Rows {
    async fn unsent(&self, _: Millis, _: u32) -> Result<Vec<Record>, StoreError> {
        Ok(Vec::new())
    }

    async fn mark_sent(&self, ids: Vec<EventId>) -> Result<(), StoreError> {
        self.act(|state, _| state.sent.extend(ids))
    }

    async fn unfolded(&self, _: Millis, _: u32) -> Result<Vec<Record>, StoreError> {
        Ok(Vec::new())
    }

    async fn forget(&self, _: Millis, _: u32) -> Result<u32, StoreError> {
        Ok(0)
    }
}
