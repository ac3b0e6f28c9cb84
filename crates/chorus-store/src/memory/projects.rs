//! Projects: submissions, commands, reads. Decisions are in [`super::commit`].

use async_trait::async_trait;
use chorus_core::id::{ProjectId, Seq, Tenant, Version};
use chorus_core::port::bus::Record;
use chorus_core::port::projects::{
    Commit, Committed, Cursor, Loaded, LoadedHead, NewProject, StoredEvent, Submitted,
};
use chorus_core::port::{Projects, StoreError};
use chorus_core::project::{Project, Summary};
use chorus_core::time::Timestamp;

use super::{State, Store};
use crate::rows::{OutboxRow, ProjectRow};

#[async_trait]
impl Projects for Store {
    async fn submit(&self, new: NewProject) -> Result<Submitted, StoreError> {
        Ok(self.change(|state, now| state.submit(new, now)))
    }

    async fn command(
        &self,
        tenant: &Tenant,
        project: ProjectId,
        record: Record,
    ) -> Result<bool, StoreError> {
        Ok(self.change(|state, now| {
            let known = state
                .rows
                .projects
                .get(&project)
                .is_some_and(|row| row.tenant == *tenant);
            if known {
                state.put_record(record, now);
            }
            known
        }))
    }

    async fn load(&self, project: ProjectId) -> Result<Option<Loaded>, StoreError> {
        Ok(self.with_rows(|rows| {
            rows.projects.get(&project).map(|row| Loaded {
                version: row.version,
                seq: row.seq,
                project: row.project.clone(),
            })
        }))
    }

    async fn head(&self, project: ProjectId) -> Result<Option<LoadedHead>, StoreError> {
        Ok(self.with_rows(|rows| {
            rows.projects.get(&project).map(|row| LoadedHead {
                version: row.version,
                seq: row.seq,
                head: row.project.head.clone(),
            })
        }))
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        self.change(|state, now| state.commit(commit, now))
    }

    async fn list(
        &self,
        tenant: &Tenant,
        before: Option<Cursor>,
        limit: u32,
    ) -> Result<Vec<Summary>, StoreError> {
        Ok(self.with_rows(|rows| {
            let place = |summary: &Summary| Cursor {
                created_at: summary.created_at,
                id: summary.id,
            };
            let mut found: Vec<_> = rows
                .projects
                .values()
                .filter(|row| row.tenant == *tenant)
                .map(summary)
                .collect();
            found.retain(|summary| before.is_none_or(|before| place(summary) < before));
            found.sort_by_key(|summary| std::cmp::Reverse(place(summary)));
            found.truncate(limit as usize);
            found
        }))
    }

    async fn events(
        &self,
        project: ProjectId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        Ok(self.with_rows(|rows| {
            let later = rows
                .events
                .range((project, Seq(after.0.saturating_add(1)))..=(project, Seq(u64::MAX)));
            later
                .map(|(_, event)| event.clone())
                .take(limit as usize)
                .collect()
        }))
    }
}

impl State {
    fn submit(&mut self, new: NewProject, now: Timestamp) -> Submitted {
        let same_key = |row: &&ProjectRow| {
            row.tenant == new.tenant && row.idempotency_key == new.idempotency_key
        };
        if let Some(row) = self.rows.projects.values().find(same_key) {
            let id = row.project.head.id;
            return if row.body == new.body {
                Submitted::Accepted(id)
            } else {
                Submitted::KeyReused(id)
            };
        }
        let money = chorus_core::money::ProjectMoney {
            budget: new.budget,
            ..Default::default()
        };
        let row = ProjectRow {
            tenant: new.tenant,
            idempotency_key: new.idempotency_key,
            body: new.body,
            version: Version(0),
            seq: Seq(0),
            project: Project {
                head: new.head,
                tasks: std::collections::BTreeMap::new(),
            },
            money,
            decided: None,
        };
        self.rows.projects.insert(new.id, row);
        self.put_record(new.record, now);
        Submitted::Accepted(new.id)
    }

    /// Puts a record into the outbox; a second time changes nothing.
    pub(super) fn put_record(&mut self, record: Record, now: Timestamp) {
        self.rows
            .outbox
            .entry(record.id)
            .or_insert_with(|| OutboxRow::new(record, now));
    }
}

fn summary(row: &ProjectRow) -> Summary {
    let head = &row.project.head;
    Summary {
        id: head.id,
        title: head.title.clone(),
        state: head.state.as_str().to_owned(),
        is_terminal: head.is_terminal(),
        created_at: head.created_at,
        spent: row.money.spent,
    }
}
