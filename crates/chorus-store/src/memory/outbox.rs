//! Records of the outbox: unsent, unfolded, forgotten.

use async_trait::async_trait;
use chorus_core::id::EventId;
use chorus_core::port::bus::Record;
use chorus_core::port::{Outbox, StoreError};
use chorus_core::time::{Millis, Timestamp};

use super::{State, Store};
use crate::rows::{OutboxRow, is_folded};

#[async_trait]
impl Outbox for Store {
    async fn unsent(&self, older_than: Millis, limit: u32) -> Result<Vec<Record>, StoreError> {
        Ok(self.change(|state, now| {
            let waiting = |row: &OutboxRow| row.sent_at.is_none().then_some(row.created_at);
            state.oldest(waiting, now - older_than, limit)
        }))
    }

    async fn mark_sent(&self, ids: Vec<EventId>) -> Result<(), StoreError> {
        self.change(|state, now| {
            for id in ids {
                state
                    .rows
                    .outbox
                    .get_mut(&id)
                    .into_iter()
                    .for_each(|row| row.sent_at = Some(now));
            }
        });
        Ok(())
    }

    async fn unfolded(&self, older_than: Millis, limit: u32) -> Result<Vec<Record>, StoreError> {
        Ok(self.change(|state, now| {
            let waiting = |row: &OutboxRow| {
                row.sent_at
                    .filter(|_| row.folded_at.is_none() && is_folded(&row.record.topic))
            };
            state.oldest(waiting, now - older_than, limit)
        }))
    }

    async fn forget(&self, older_than: Millis, limit: u32) -> Result<u32, StoreError> {
        Ok(self.change(|state, now| {
            let by = now - older_than;
            let settled = |row: &OutboxRow| {
                !is_folded(&row.record.topic) || row.folded_at.is_some_and(|folded| folded <= by)
            };
            let done = state.oldest(|row| row.sent_at.filter(|_| settled(row)), by, limit);
            for record in &done {
                state.rows.outbox.remove(&record.id);
                state.rows.folded.remove(&record.id);
            }
            u32::try_from(done.len()).unwrap_or(limit)
        }))
    }
}

impl State {
    /// Records that have waited since `by` or longer, longest first.
    fn oldest(
        &self,
        waiting: impl Fn(&OutboxRow) -> Option<Timestamp>,
        by: Timestamp,
        limit: u32,
    ) -> Vec<Record> {
        let mut found: Vec<_> = self
            .rows
            .outbox
            .values()
            .filter_map(|row| {
                waiting(row)
                    .filter(|since| *since <= by)
                    .map(|since| (since, row.record.id, &row.record))
            })
            .collect();
        found.sort_by_key(|(since, id, _)| (*since, *id));
        found
            .into_iter()
            .take(limit as usize)
            .map(|(_, _, record)| record.clone())
            .collect()
    }
}
