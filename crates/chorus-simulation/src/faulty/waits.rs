//! The [`Waits`] and [`Workers`] ports with faults.

use async_trait::async_trait;
use chorus_core::attempt::AttemptWait;
use chorus_core::id::ProjectId;
use chorus_core::port::waits::HeldUpProject;
use chorus_core::port::workers::{AnnouncedWorker, TakenSlots, WorkerSlots};
use chorus_core::port::{StoreError, Waits, Workers};
use chorus_core::time::Millis;

use super::{Faulty, done};
use crate::fault::Part;

#[async_trait]
impl Waits for Faulty<dyn Waits> {
    async fn record_waits(&self, waits: Vec<AttemptWait>) -> Result<(), StoreError> {
        let what = format!("record {} waits", waits.len());
        let recorded = self.inner.record_waits(waits);
        self.point.call(Part::Store, &what, done, recorded).await
    }

    async fn waits_of(
        &self,
        project: ProjectId,
        limit: u32,
    ) -> Result<Vec<AttemptWait>, StoreError> {
        let show = |found: &Vec<AttemptWait>| format!("{} waits", found.len());
        let found = self.inner.waits_of(project, limit);
        self.point.call(Part::Store, "waits", show, found).await
    }

    async fn held_up(
        &self,
        after: Option<ProjectId>,
        limit: u32,
    ) -> Result<Vec<HeldUpProject>, StoreError> {
        let show = |found: &Vec<HeldUpProject>| format!("{} projects", found.len());
        let found = self.inner.held_up(after, limit);
        self.point.call(Part::Store, "held up", show, found).await
    }
}

#[async_trait]
impl Workers for Faulty<dyn Workers> {
    async fn announce(&self, worker: WorkerSlots, lasts: Millis) -> Result<(), StoreError> {
        let what = format!("announce {} slots for {}", worker.slots, worker.pool);
        let announced = self.inner.announce(worker, lasts);
        self.point.call(Part::Store, &what, done, announced).await
    }

    async fn announced(&self) -> Result<Vec<AnnouncedWorker>, StoreError> {
        let show = |found: &Vec<AnnouncedWorker>| format!("{} announcements", found.len());
        let found = self.inner.announced();
        self.point.call(Part::Store, "announced", show, found).await
    }

    async fn taken_slots(&self) -> Result<Vec<TakenSlots>, StoreError> {
        let show = |found: &Vec<TakenSlots>| format!("{} entries", found.len());
        let found = self.inner.taken_slots();
        self.point
            .call(Part::Store, "taken slots", show, found)
            .await
    }
}
