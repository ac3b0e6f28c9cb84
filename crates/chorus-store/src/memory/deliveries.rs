//! The story of deliveries.

use async_trait::async_trait;
use chorus_core::attempt::{DeliveryRow, LateUsage, Outstanding};
use chorus_core::id::ProjectId;
use chorus_core::money::ProjectMoney;
use chorus_core::port::{Deliveries, StoreError};

use super::{State, Store};
use crate::rows::KeptDelivery;
use crate::rows::money::Movement;

#[async_trait]
impl Deliveries for Store {
    async fn outstanding(&self) -> Result<Vec<Outstanding>, StoreError> {
        Ok(self.act(|state, now| {
            let of = |delivery: &KeptDelivery| {
                let project = state.rows.projects.get(&delivery.project)?;
                delivery.outstanding(&project.tenant, now)
            };
            state.rows.deliveries.values().filter_map(of).collect()
        }))
    }

    async fn of_project(&self, project: ProjectId) -> Result<Vec<DeliveryRow>, StoreError> {
        Ok(self.with_rows(|rows| {
            let mut stories: Vec<_> = rows
                .deliveries
                .values()
                .filter(|row| row.project == project)
                .map(|row| row.story.clone())
                .collect();
            stories.sort_by_key(|story| (story.dispatched_at, story.attempt, story.epoch));
            stories
        }))
    }

    async fn late(&self, late: LateUsage) -> Result<(), StoreError> {
        self.act(|state, _| state.late(&late));
        Ok(())
    }

    async fn money(&self, project: ProjectId) -> Result<Option<ProjectMoney>, StoreError> {
        Ok(self.with_rows(|rows| rows.projects.get(&project).map(|row| row.money)))
    }
}

impl State {
    fn late(&mut self, late: &LateUsage) {
        let delivery = self.rows.deliveries.get_mut(&(late.attempt, late.epoch));
        let Some(delivery) = delivery.filter(|delivery| delivery.may_be_corrected()) else {
            return;
        };
        let movement = Movement::corrected(delivery.story.cost, late.cost);
        delivery.late = Some(late.event);
        delivery.story.usage = Some(late.usage);
        delivery.story.cost = late.cost;
        self.rows
            .projects
            .get_mut(&delivery.project)
            .into_iter()
            .for_each(|project| project.pay(movement));
    }
}
