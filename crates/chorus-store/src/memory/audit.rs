//! Audit.

use async_trait::async_trait;
use chorus_core::id::Tenant;
use chorus_core::port::audit::{AccountUse, AuditAction, AuditEntry, AuditFilter};
use chorus_core::port::{Audit, StoreError};

use super::{State, Store};
use crate::rows::StoredDelivery;

#[async_trait]
impl Audit for Store {
    async fn append(&self, entry: AuditEntry) -> Result<(), StoreError> {
        self.change(|state, _| {
            state.audit.entry(entry.id).or_insert(entry);
        });
        Ok(())
    }

    async fn entries(
        &self,
        tenant: &Tenant,
        filter: AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        Ok(self.change(|state, _| {
            let entries = state.audit.values();
            let mut found: Vec<AuditEntry> = entries
                .filter(|entry| entry.tenant == *tenant && filter.takes(entry))
                .cloned()
                .collect();
            found.sort_by_key(|entry| std::cmp::Reverse((entry.at, entry.id)));
            found.truncate(limit as usize);
            found
        }))
    }

    async fn uses(
        &self,
        tenant: &Tenant,
        filter: AuditFilter,
        limit: u32,
    ) -> Result<Vec<AccountUse>, StoreError> {
        Ok(self.change(|state, _| {
            let rows = state.rows.deliveries.values();
            let of_tenant = rows.filter(|row| {
                let project = state.rows.projects.get(&row.project);
                project.is_some_and(|project| project.tenant == *tenant)
            });
            let mut found: Vec<AccountUse> = of_tenant
                .map(|row| row.account_use(state.submitter(row)))
                .filter(|one| filter.takes_use(one))
                .collect();
            found.sort_by_key(|one| std::cmp::Reverse((one.at, one.attempt, one.epoch)));
            found.truncate(limit as usize);
            found
        }))
    }
}

impl State {
    /// Author of the submission of the delivery's project.
    fn submitter(&self, row: &StoredDelivery) -> Option<String> {
        let mut entries = self.audit.values();
        let submission = entries.find(|entry| {
            entry.action == AuditAction::Submit && entry.project == Some(row.project)
        });
        submission.map(|entry| entry.caller.clone())
    }
}
