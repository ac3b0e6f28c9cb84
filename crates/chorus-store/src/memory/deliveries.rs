//! Deliveries: history, outstanding leases, late usage, money.

use async_trait::async_trait;
use chorus_core::attempt::{ChargedCall, DeliveryRow, EndedCall, LateUsage, Outstanding};
use chorus_core::id::ProjectId;
use chorus_core::money::ProjectMoney;
use chorus_core::port::deliveries::{ChargedPage, EndPosition};
use chorus_core::port::{Deliveries, StoreError};
use chorus_core::time::Timestamp;

use super::{State, Store};
use crate::rows::StoredDelivery;
use crate::rows::money::Movement;

#[async_trait]
impl Deliveries for Store {
    async fn outstanding(&self) -> Result<Vec<Outstanding>, StoreError> {
        Ok(self.change(|state, now| {
            let of = |stored: &StoredDelivery| {
                let project = state.rows.projects.get(&stored.project)?;
                stored.outstanding(&project.tenant, now)
            };
            state.rows.deliveries.values().filter_map(of).collect()
        }))
    }

    async fn of_project(&self, project: ProjectId) -> Result<Vec<DeliveryRow>, StoreError> {
        Ok(self.with_rows(|rows| {
            let mut found: Vec<_> = rows
                .deliveries
                .values()
                .filter(|row| row.project == project)
                .map(|row| row.delivery.clone())
                .collect();
            found.sort_by_key(|row| (row.dispatched_at, row.attempt, row.epoch));
            found
        }))
    }

    async fn ended_since(
        &self,
        since: Timestamp,
        limit: u32,
    ) -> Result<Vec<EndedCall>, StoreError> {
        Ok(self.with_rows(|rows| {
            let mut ended: Vec<_> = rows
                .deliveries
                .values()
                .filter_map(|row| Some((row.delivery.ended_at.filter(|at| *at >= since)?, row)))
                .collect();
            ended.sort_by_key(|(at, row)| (*at, row.delivery.attempt, row.delivery.epoch));
            let passed_over = ended.len().saturating_sub(limit as usize);
            let calls = ended.into_iter().skip(passed_over).filter_map(|(_, row)| {
                let attempt = rows.attempts.get(&row.delivery.attempt)?;
                EndedCall::of_row(&row.delivery, &attempt.attempt)
            });
            calls.collect()
        }))
    }

    async fn charged_since(
        &self,
        since: Timestamp,
        after: Option<EndPosition>,
        limit: u32,
    ) -> Result<ChargedPage, StoreError> {
        Ok(self.change(|state, now| {
            let rows = state.rows.deliveries.values();
            let mut ended: Vec<_> = rows
                .filter_map(|row| {
                    let end = EndPosition::of(&row.delivery).filter(|end| end.ended_at >= since)?;
                    (Some(end) > after).then_some((end, row))
                })
                .collect();
            ended.sort_by_key(|(end, _)| *end);
            let is_whole = ended.len() <= limit as usize;
            ended.truncate(limit as usize);
            let charged = |(_, row): &(EndPosition, &StoredDelivery)| {
                let project = state.rows.projects.get(&row.project)?;
                ChargedCall::of_row(&row.delivery, &project.tenant, now)
            };
            let last = ended.last().map(|(end, _)| *end);
            ChargedPage {
                calls: ended.iter().filter_map(charged).collect(),
                next: last.filter(|_| !is_whole),
            }
        }))
    }

    async fn late(&self, late: LateUsage) -> Result<(), StoreError> {
        self.change(|state, _| state.late(&late));
        Ok(())
    }

    async fn money(&self, project: ProjectId) -> Result<Option<ProjectMoney>, StoreError> {
        Ok(self.with_rows(|rows| rows.projects.get(&project).map(|row| row.money)))
    }
}

impl State {
    fn late(&mut self, late: &LateUsage) {
        let stored = self.rows.deliveries.get_mut(&(late.attempt, late.epoch));
        let Some(stored) = stored.filter(|stored| stored.may_be_corrected()) else {
            return;
        };
        let movement = Movement::corrected(stored.delivery.cost, late.cost);
        stored.late = Some(late.event);
        stored.delivery.usage = Some(late.usage);
        stored.delivery.cost = late.cost;
        self.rows
            .projects
            .get_mut(&stored.project)
            .into_iter()
            .for_each(|project| project.pay(movement));
    }
}
