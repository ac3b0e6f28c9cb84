//! Queued rows that wait for admission, each under its lease. Pure: compares rows with those known, and returns what
//! to queue and what to drop.
//!
//! The term pushes each new row to [`Admission`](chorus_pool::Admission) as an [`AdmissionRequest`].

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::attempt::QueuedAttempt;
use chorus_core::failure::LONGEST_WAIT;
use chorus_core::id::{AttemptId, LeaseId};
use chorus_pool::AdmissionRequest;
use chorus_pool::admission::ModelSelector;

/// Rows that wait for admission.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    rows: BTreeMap<LeaseId, QueuedAttempt>,
    leases: BTreeMap<AttemptId, LeaseId>,
}

/// Differences between the backlog and the queued rows.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Rows that are not in the backlog, or at another epoch.
    pub(crate) fresh: Vec<QueuedAttempt>,
    /// Leases of rows that were not read, or have another epoch.
    pub(crate) gone: Vec<LeaseId>,
}

impl Backlog {
    /// Compares the backlog with the rows of one reading. Rows that were not read leave the backlog: they are not
    /// queued any more, or wait behind others of their line and are read again later.
    pub(crate) fn compare(&self, rows: Vec<QueuedAttempt>) -> Changes {
        let seen: BTreeSet<AttemptId> = rows.iter().map(|row| row.attempt.id).collect();
        let mut gone: Vec<LeaseId> = self
            .rows
            .iter()
            .filter(|(_, row)| !seen.contains(&row.attempt.id))
            .map(|(lease, _)| *lease)
            .collect();
        let mut fresh = Vec::new();
        for row in rows {
            match self.leases.get(&row.attempt.id) {
                Some(lease)
                    if self
                        .rows
                        .get(lease)
                        .is_some_and(|known| known.epoch == row.epoch) => {}
                Some(lease) => {
                    gone.push(*lease);
                    fresh.push(row);
                }
                None => fresh.push(row),
            }
        }
        Changes { fresh, gone }
    }

    /// Adds a row under a lease; returns the request for its admission.
    pub(crate) fn insert(&mut self, lease: LeaseId, row: QueuedAttempt) -> AdmissionRequest {
        let request = request(lease, &row);
        self.leases.insert(row.attempt.id, lease);
        self.rows.insert(lease, row);
        request
    }

    /// Rows with their leases.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (LeaseId, &QueuedAttempt)> {
        self.rows.iter().map(|(lease, row)| (*lease, row))
    }

    /// Removes the row of a lease.
    pub(crate) fn remove(&mut self, lease: LeaseId) -> Option<QueuedAttempt> {
        let row = self.rows.remove(&lease)?;
        if self.leases.get(&row.attempt.id) == Some(&lease) {
            self.leases.remove(&row.attempt.id);
        }
        Some(row)
    }
}

fn request(lease: LeaseId, row: &QueuedAttempt) -> AdmissionRequest {
    let attempt = &row.attempt;
    AdmissionRequest {
        lease,
        tenant: attempt.tenant.clone(),
        interactive: false,
        selector: selector(row),
        kind: attempt.kind,
        size: attempt.size.continued(row.continues),
        priority: attempt.priority,
        path: attempt.path,
        since: row.created_at,
        not_before: attempt.not_before,
        ahead: row.continues > 0,
        project: Some(attempt.project),
        refused_by: row.refused_by,
        refused_until: row.queued_at + LONGEST_WAIT,
        prefix: None,
    }
}

fn selector(row: &QueuedAttempt) -> ModelSelector {
    let role = row.attempt.kind.role();
    if row.unfit.is_empty() {
        return ModelSelector::Role(role);
    }
    let unfit = row.unfit.iter().map(|unfit| unfit.model.clone());
    ModelSelector::RoleExcept {
        role,
        unfit: unfit.collect(),
    }
}
