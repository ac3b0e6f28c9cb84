//! Reasons of waiting, beside the attempts.

use async_trait::async_trait;
use chorus_core::attempt::{AttemptState, AttemptWait};
use chorus_core::id::{Epoch, ProjectId};
use chorus_core::port::waits::{HeldUpProject, is_held_up};
use chorus_core::port::{StoreError, Waits};

use super::Store;
use crate::rows::wait::wait_of;

#[async_trait]
impl Waits for Store {
    async fn record_waits(&self, waits: Vec<AttemptWait>) -> Result<(), StoreError> {
        self.change(|state, _| {
            for wait in waits {
                let row = state.rows.attempts.get(&wait.attempt);
                if row
                    .is_some_and(|row| row.state == AttemptState::Queued && row.epoch == wait.epoch)
                {
                    state.waits.insert(wait.attempt, wait);
                }
            }
        });
        Ok(())
    }

    async fn waits_of(
        &self,
        project: ProjectId,
        limit: u32,
    ) -> Result<Vec<AttemptWait>, StoreError> {
        Ok(self.change(|state, now| {
            let is_queued = |row: &&crate::rows::AttemptRow| {
                row.attempt.project == project && row.state == AttemptState::Queued
            };
            let mut queued: Vec<_> = state.rows.attempts.values().filter(is_queued).collect();
            queued.sort_by_key(|row| (row.created_at, row.attempt.id));
            let waits = (0_u32..)
                .zip(queued)
                .take(limit as usize)
                .map(|(ahead, row)| {
                    let recorded = state.waits.get(&row.attempt.id).cloned();
                    let last = row.epoch.0.checked_sub(1).and_then(|epoch| {
                        state.rows.deliveries.get(&(row.attempt.id, Epoch(epoch)))
                    });
                    wait_of(row, recorded, last.map(|last| &last.delivery), ahead, now)
                });
            waits.collect()
        }))
    }

    async fn held_up(
        &self,
        after: Option<ProjectId>,
        limit: u32,
    ) -> Result<Vec<HeldUpProject>, StoreError> {
        Ok(self.with_rows(|rows| {
            let later = rows.projects.iter().filter(|(id, row)| {
                is_held_up(&row.project.head.state) && after.is_none_or(|after| **id > after)
            });
            later
                .map(|(id, row)| HeldUpProject {
                    tenant: row.tenant.clone(),
                    project: *id,
                })
                .take(limit as usize)
                .collect()
        }))
    }
}
