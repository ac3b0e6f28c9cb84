//! Queued rows that wait for admission, each under its lease, and the counts of those that were not read. Pure:
//! compares rows with those known, and returns what to queue and what to drop.
//!
//! The term pushes each new row to [`Admission`](chorus_pool::Admission) as an [`AdmissionRequest`].

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::attempt::{CallSize, QueuedAttempt};
use chorus_core::failure::LONGEST_WAIT;
use chorus_core::id::{AttemptId, LeaseId, ProjectId, Tenant};
use chorus_core::port::attempts::{QueueLine, QueuePage};
use chorus_core::task_kind::TaskKind;
use chorus_core::time::Millis;
use chorus_pool::AdmissionRequest;
use chorus_pool::admission::{ModelSelector, Rest};

/// Project and kind of task of a line.
pub(crate) type LineName = (ProjectId, TaskKind);

/// Rows that wait for admission.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    rows: BTreeMap<LeaseId, QueuedAttempt>,
    leases: BTreeMap<AttemptId, LeaseId>,
    lines: BTreeMap<LineName, Line>,
    /// True if the rest has changed since it was returned last.
    has_new_rest: bool,
}

/// Differences between the backlog and the rows that were read.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Rows that are not in the backlog, or at a later epoch.
    pub(crate) fresh: Vec<QueuedAttempt>,
    /// Leases of rows that left the queue, or have a later epoch.
    pub(crate) gone: Vec<LeaseId>,
}

/// Counts of a line.
#[derive(Debug)]
struct Line {
    tenant: Tenant,
    /// Number of its rows in the backlog.
    here: u64,
    /// Number of rows in the backlog after the last reading of the line.
    read: u64,
    /// Number of queued rows that are not in the backlog.
    rest: u64,
    /// Mean size of all queued calls of the line.
    mean: CallSize,
}

impl Line {
    const fn new(tenant: Tenant) -> Self {
        Self {
            tenant,
            here: 0,
            read: 0,
            rest: 0,
            mean: CallSize {
                input: 0,
                output: 0,
                max_tokens: 0,
            },
        }
    }

    /// Returns true if rows wait outside of the backlog and half of those that were read have left it.
    const fn is_low(&self) -> bool {
        self.rest > 0 && self.read > 0 && self.here * 2 <= self.read
    }
}

impl Backlog {
    /// Compares the backlog with the rows of one reading. Rows of the backlog that were not read stay.
    pub(crate) fn compare(&mut self, page: QueuePage, changes: &mut Changes) {
        let mut added: BTreeMap<LineName, u64> = BTreeMap::new();
        let known_fresh: BTreeSet<AttemptId> =
            changes.fresh.iter().map(|row| row.attempt.id).collect();
        for row in page.rows {
            let known = self.leases.get(&row.attempt.id);
            let epoch = known
                .and_then(|lease| self.rows.get(lease))
                .map(|row| row.epoch);
            if epoch.is_some_and(|known| known >= row.epoch)
                || known_fresh.contains(&row.attempt.id)
            {
                continue;
            }
            if let Some(lease) = known {
                changes.gone.push(*lease);
            } else {
                *added.entry(line_of(&row)).or_default() += 1;
            }
            changes.fresh.push(row);
        }
        for line in page.lines {
            let new = added.get(&(line.project, line.kind)).copied().unwrap_or(0);
            self.count(&line, new);
        }
    }

    fn count(&mut self, counted: &QueueLine, new: u64) {
        let name = (counted.project, counted.kind);
        let line = self
            .lines
            .entry(name)
            .or_insert_with(|| Line::new(counted.tenant.clone()));
        line.read = line.here + new;
        line.rest = counted.calls.saturating_sub(line.read);
        let (calls, output) = (counted.calls.max(1), counted.output);
        line.mean = CallSize {
            input: counted.input / calls,
            output: output / calls,
            max_tokens: u32::try_from(output / calls * 2).unwrap_or(u32::MAX),
        };
        self.has_new_rest = true;
    }

    /// Notes that no further row of a line may start now: what comes due is read with the recent rows.
    pub(crate) fn nothing_due(&mut self, name: LineName, is_empty: bool) {
        if let Some(line) = self.lines.get_mut(&name) {
            line.read = 0;
            line.rest = if is_empty { 0 } else { line.rest };
            self.has_new_rest |= is_empty;
        }
    }

    /// Number of lines.
    pub(crate) fn lines(&self) -> usize {
        self.lines.len()
    }

    /// Returns a line of which few rows are left here while others wait outside.
    pub(crate) fn low_line(&self) -> Option<LineName> {
        let mut lines = self.lines.iter();
        lines.find(|(_, line)| line.is_low()).map(|(name, _)| *name)
    }

    /// Attempts of the backlog that a reading of the whole did not return.
    pub(crate) fn missing_in(&self, rows: &[QueuedAttempt]) -> Vec<AttemptId> {
        let seen: BTreeSet<AttemptId> = rows.iter().map(|row| row.attempt.id).collect();
        let missing = self.leases.keys().filter(|attempt| !seen.contains(attempt));
        missing.copied().collect()
    }

    /// Returns the calls that wait outside of the backlog, if they have changed.
    pub(crate) fn new_rest(&mut self) -> Option<Vec<Rest>> {
        std::mem::take(&mut self.has_new_rest).then(|| {
            let lines = self.lines.iter().filter(|(_, line)| line.rest > 0);
            lines
                .map(|((_, kind), line)| Rest {
                    tenant: line.tenant.clone(),
                    kind: *kind,
                    calls: line.rest,
                    size: line.mean,
                })
                .collect()
        })
    }

    /// Adds a row under a lease; returns the request for its admission. `path` is its time to the end of the project.
    pub(crate) fn insert(
        &mut self,
        lease: LeaseId,
        row: QueuedAttempt,
        path: Millis,
    ) -> AdmissionRequest {
        let request = request(lease, &row, path);
        let line = self
            .lines
            .entry(line_of(&row))
            .or_insert_with(|| Line::new(row.attempt.tenant.clone()));
        line.here += 1;
        self.leases.insert(row.attempt.id, lease);
        self.rows.insert(lease, row);
        request
    }

    /// Rows with their leases.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (LeaseId, &QueuedAttempt)> {
        self.rows.iter().map(|(lease, row)| (*lease, row))
    }

    /// Returns the lease of an attempt in the backlog.
    pub(crate) fn lease_of(&self, attempt: AttemptId) -> Option<LeaseId> {
        self.leases.get(&attempt).copied()
    }

    /// Removes the row of a lease.
    pub(crate) fn remove(&mut self, lease: LeaseId) -> Option<QueuedAttempt> {
        let row = self.rows.remove(&lease)?;
        if self.leases.get(&row.attempt.id) == Some(&lease) {
            self.leases.remove(&row.attempt.id);
        }
        let name = line_of(&row);
        if let Some(line) = self.lines.get_mut(&name) {
            line.here = line.here.saturating_sub(1);
            if line.here == 0 && line.rest == 0 {
                self.lines.remove(&name);
            }
        }
        Some(row)
    }
}

const fn line_of(row: &QueuedAttempt) -> LineName {
    (row.attempt.project, row.attempt.kind)
}

fn request(lease: LeaseId, row: &QueuedAttempt, path: Millis) -> AdmissionRequest {
    let attempt = &row.attempt;
    AdmissionRequest {
        lease,
        tenant: attempt.tenant.clone(),
        interactive: false,
        selector: selector(row),
        kind: attempt.kind,
        size: attempt.size.continued(row.continues),
        priority: attempt.priority,
        path,
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
