//! Which queued row waits under which lease. Pure: rows in, what to queue and what to drop out.

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::attempt::QueuedAttempt;
use chorus_core::id::{AttemptId, LeaseId};
use chorus_pool::AdmissionRequest;
use chorus_pool::admission::ModelSelector;

/// The rows that wait for admission.
#[derive(Debug, Default)]
pub(crate) struct Book {
    rows: BTreeMap<LeaseId, QueuedAttempt>,
    leases: BTreeMap<AttemptId, LeaseId>,
}

/// What a reading of the queued rows changes.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Rows that are not in the book, or at another epoch.
    pub(crate) fresh: Vec<QueuedAttempt>,
    /// Leases of rows that are not queued any more.
    pub(crate) gone: Vec<LeaseId>,
}

impl Book {
    /// Compares the book with the queued rows, oldest first; `whole` when there are no more than these.
    pub(crate) fn compare(&self, rows: Vec<QueuedAttempt>, whole: bool) -> Changes {
        let newest = rows.last().map(|row| row.created_at);
        let seen: BTreeSet<AttemptId> = rows.iter().map(|row| row.attempt.id).collect();
        let is_gone = |row: &QueuedAttempt| {
            !seen.contains(&row.attempt.id)
                && (whole || newest.is_some_and(|newest| row.created_at < newest))
        };
        let mut gone: Vec<LeaseId> = self
            .rows
            .iter()
            .filter(|(_, row)| is_gone(row))
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

    /// Enters a row under a lease; the request to be admitted.
    pub(crate) fn enter(&mut self, lease: LeaseId, row: QueuedAttempt) -> AdmissionRequest {
        let request = request(lease, &row);
        self.leases.insert(row.attempt.id, lease);
        self.rows.insert(lease, row);
        request
    }

    /// Takes a row out.
    pub(crate) fn take(&mut self, lease: LeaseId) -> Option<QueuedAttempt> {
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
        selector: ModelSelector::Role(attempt.kind.role()),
        kind: attempt.kind,
        size: attempt.size,
        priority: attempt.priority,
        path: attempt.path,
        since: row.created_at,
        not_before: attempt.not_before,
        ahead: row.continues > 0,
        refused_by: row.refused_by,
    }
}
