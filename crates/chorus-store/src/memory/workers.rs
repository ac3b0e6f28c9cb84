//! Announcements of workers, and the deliveries that take their slots.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chorus_core::attempt::AttemptState;
use chorus_core::id::{BootId, Holder, Pool};
use chorus_core::port::workers::{AnnouncedWorker, TakenSlots, WorkerSlots};
use chorus_core::port::{StoreError, Workers};
use chorus_core::time::{Millis, Timestamp};

use super::Store;

/// Slots and end of each announcement.
pub(super) type Announcements = BTreeMap<(BootId, Pool), (u32, Timestamp)>;

#[async_trait]
impl Workers for Store {
    async fn announce(&self, worker: WorkerSlots, lasts: Millis) -> Result<(), StoreError> {
        self.change(|state, now| {
            state.workers.retain(|_, (_, until)| *until > now);
            let key = (worker.boot, worker.pool);
            if worker.slots == 0 {
                state.workers.remove(&key);
            } else {
                state.workers.insert(key, (worker.slots, now + lasts));
            }
        });
        Ok(())
    }

    async fn announced(&self) -> Result<Vec<AnnouncedWorker>, StoreError> {
        Ok(self.change(|state, now| {
            let live = state.workers.iter().filter(|(_, (_, until))| *until > now);
            live.map(|((boot, pool), (slots, until))| AnnouncedWorker {
                worker: WorkerSlots {
                    boot: *boot,
                    pool: pool.clone(),
                    slots: *slots,
                },
                until: *until,
            })
            .collect()
        }))
    }

    async fn taken_slots(&self) -> Result<Vec<TakenSlots>, StoreError> {
        let mut taken: BTreeMap<(Pool, Option<String>), u32> = BTreeMap::new();
        self.with_rows(|rows| {
            for row in rows.attempts.values() {
                let boot = match row.state {
                    AttemptState::Dispatched => None,
                    AttemptState::Running => row.holder.as_ref().map(Holder::process),
                    AttemptState::Queued
                    | AttemptState::Succeeded
                    | AttemptState::Asked
                    | AttemptState::Failed
                    | AttemptState::Cancelled => continue,
                };
                if let Some(stored) = rows.deliveries.get(&(row.attempt.id, row.epoch)) {
                    let pool = stored.delivery.assignment.pool.clone();
                    *taken.entry((pool, boot.map(str::to_owned))).or_default() += 1;
                }
            }
        });
        let slots = taken
            .into_iter()
            .map(|((pool, boot), deliveries)| TakenSlots {
                pool,
                boot,
                deliveries,
            });
        Ok(slots.collect())
    }
}
