//! Attempts: the queue, claims, heartbeats, finishes. Dispatches and reclaims have files of their own.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chorus_core::attempt::{
    AttemptState, Claim, Delivery, DeliveryEnd, Dispatch, Dispatched, Finish, Holding,
    QueuedAttempt, Reclaim, Reclaimed,
};
use chorus_core::port::attempts::{DUE_SOON, QueuePage, QueueSelection};
use chorus_core::port::{Attempts, StoreError};
use chorus_core::time::Timestamp;

use super::{State, Store};
use crate::rows::AttemptRow;
use crate::rows::money::Movement;
use crate::rows::wait::share;

#[async_trait]
impl Attempts for Store {
    async fn queued(&self, limit: u32) -> Result<Vec<QueuedAttempt>, StoreError> {
        Ok(self.change(|state, now| {
            let mut lines: BTreeMap<String, Vec<&AttemptRow>> = BTreeMap::new();
            for row in state.rows.attempts.values() {
                if row.state == AttemptState::Queued {
                    let line = lines.entry(AttemptRow::line(&row.attempt)).or_default();
                    line.extend(Some(row).filter(|row| row.attempt.not_before <= now + DUE_SOON));
                }
            }
            let share = share(limit, lines.len()) as usize;
            let read = lines.into_values().flat_map(|mut line| {
                line.sort_by_key(|row| (row.created_at, row.attempt.id));
                line.into_iter().take(share)
            });
            let mut queued: Vec<_> = read.map(AttemptRow::queued).collect();
            queued.sort_by_key(|row| (row.created_at, row.attempt.id));
            queued
        }))
    }

    async fn read_queue(
        &self,
        selection: QueueSelection,
        limit: u32,
    ) -> Result<QueuePage, StoreError> {
        Ok(self.change(|state, now| state.queue_page(&selection, limit, now)))
    }

    async fn dispatch(&self, batch: Vec<Dispatch>) -> Result<Vec<Dispatched>, StoreError> {
        Ok(self.change(|state, now| {
            batch
                .into_iter()
                .map(|dispatch| state.dispatch(dispatch, now))
                .collect()
        }))
    }

    async fn claim(&self, claim: Claim) -> Result<Option<Box<Delivery>>, StoreError> {
        Ok(self
            .change(|state, now| state.claim(&claim, now))
            .map(Box::new))
    }

    async fn beat(&self, held: Vec<Holding>) -> Result<Vec<Holding>, StoreError> {
        Ok(self.change(|state, now| {
            held.into_iter()
                .filter(|holding| !state.beat(holding, now))
                .collect()
        }))
    }

    async fn finish(&self, finish: Finish) -> Result<bool, StoreError> {
        Ok(self.change(|state, now| state.finish(finish, now)))
    }

    async fn reclaim(&self, reclaim: Reclaim) -> Result<Vec<Reclaimed>, StoreError> {
        Ok(self.change(|state, now| state.reclaim(reclaim, now)))
    }
}

impl State {
    fn claim(&mut self, claim: &Claim, now: Timestamp) -> Option<Delivery> {
        let row = self.rows.attempts.get_mut(&claim.attempt)?;
        let stored = self
            .rows
            .deliveries
            .get_mut(&(claim.attempt, claim.epoch))?;
        if !row.is_held_by(claim.epoch, &claim.holder) {
            if now > stored.delivery.assignment.lease.not_after {
                return None;
            }
            *row = row.claim(claim, now)?;
            stored.holder = Some(claim.holder.clone());
            stored.delivery.claimed_at = Some(now);
            stored.delivery.deadline = Some(claim.deadline);
        }
        Some(Delivery {
            attempt: row.attempt.clone(),
            epoch: row.epoch,
            assignment: stored.delivery.assignment.clone(),
            retries: row.retries,
            continues: row.continues,
        })
    }

    /// Records a heartbeat; false when the attempt is not held any more.
    fn beat(&mut self, holding: &Holding, now: Timestamp) -> bool {
        let held = self
            .rows
            .attempts
            .get_mut(&holding.attempt)
            .filter(|row| row.is_held_by(holding.epoch, &holding.holder));
        held.map(|row| row.heartbeat_at = Some(now)).is_some()
    }

    fn finish(&mut self, finish: Finish, now: Timestamp) -> bool {
        let Holding {
            attempt,
            epoch,
            holder,
        } = &finish.holding;
        let Some(row) = self.rows.attempts.get_mut(attempt) else {
            return false;
        };
        let Some(stored) = self.rows.deliveries.get_mut(&(*attempt, *epoch)) else {
            return false;
        };
        let Some(next) = row.finish(&finish, &stored.delivery.assignment, now) else {
            return stored.was_finished_by(holder);
        };
        *row = next;
        let movement = Movement::finished(
            stored.delivery.assignment.estimate,
            finish.cost,
            &finish.outcome,
        );
        stored.delivery.end = Some(DeliveryEnd::Finished {
            outcome: finish.outcome,
        });
        stored.delivery.ended_at = Some(now);
        stored.delivery.usage = finish.usage;
        stored.delivery.cost = finish.cost;
        self.rows
            .projects
            .get_mut(&stored.project)
            .into_iter()
            .for_each(|project| project.pay(movement));
        self.put_record(finish.record, now);
        true
    }
}
