//! Waiting calls in few bytes: names are numbers, rare facts are beside the row.
//!
//! A row gives back its [`AdmissionRequest`] as it was pushed.

use std::collections::BTreeMap;

use chorus_core::attempt::CallSize;
use chorus_core::id::{AccountId, LeaseId, ProjectId, Tenant};
use chorus_core::task_kind::TaskKind;
use chorus_core::time::{Millis, Timestamp};

use super::selectors::SelectorNo;
use crate::order::{PayerId, Place, RowId, Work};
use crate::request::{AdmissionRequest, ModelSelector, Prefix};
use crate::targets::LineNo;

/// Rows of one piece of memory: rows never move, and no copy of all of them is ever made.
const PIECE: usize = 1_024;

/// A waiting call.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) lease: LeaseId,
    pub(crate) payer: PayerId,
    pub(crate) selector: SelectorNo,
    pub(crate) size: CallSize,
    pub(crate) since: Timestamp,
    pub(crate) not_before: Timestamp,
    pub(crate) refused_until: Timestamp,
    /// Time from which no longer path goes before it.
    pub(crate) overdue_at: Timestamp,
    pub(crate) slot: RowSlot,
    path: u32,
    sequence: u32,
    work: [u32; 3],
    pub(crate) kind: TaskKind,
    pub(crate) priority: u8,
    pub(crate) is_interactive: bool,
    pub(crate) is_ahead: bool,
    pub(crate) was_staggered: bool,
}

/// Where a waiting call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowSlot {
    /// Removed, or not placed yet.
    Nowhere,
    /// Deferred to a time.
    Asleep(Timestamp),
    /// In a line.
    InLine(LineNo),
}

/// All waiting calls.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pieces: Vec<Vec<Row>>,
    free: Vec<RowId>,
    of_lease: BTreeMap<LeaseId, RowId>,
    refused: BTreeMap<RowId, AccountId>,
    prefixes: BTreeMap<RowId, Prefix>,
    sequence: u32,
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.of_lease.len()
    }

    pub(crate) fn find(&self, lease: LeaseId) -> Option<RowId> {
        self.of_lease.get(&lease).copied()
    }

    pub(crate) fn row(&self, row: RowId) -> &Row {
        &self.pieces[row as usize / PIECE][row as usize % PIECE]
    }

    pub(crate) fn row_mut(&mut self, row: RowId) -> &mut Row {
        &mut self.pieces[row as usize / PIECE][row as usize % PIECE]
    }

    /// Account to which a refused call is bound.
    pub(crate) fn refused_by(&self, row: RowId) -> Option<AccountId> {
        self.refused.get(&row).copied()
    }

    /// Ends the binding of a refused call.
    pub(crate) fn unbind(&mut self, row: RowId) {
        self.refused.remove(&row);
    }

    pub(crate) fn prefix(&self, row: RowId) -> Option<Prefix> {
        self.prefixes.get(&row).copied()
    }

    /// Rows that are bound to the account that refused them.
    pub(crate) fn bound(&self) -> Vec<RowId> {
        self.refused.keys().copied().collect()
    }

    pub(crate) fn insert(
        &mut self,
        request: &AdmissionRequest,
        payer: PayerId,
        selector: SelectorNo,
    ) -> RowId {
        self.sequence = self.sequence.wrapping_add(1);
        let row = Row {
            lease: request.lease,
            payer,
            selector,
            size: request.size,
            since: request.since,
            not_before: request.not_before,
            refused_until: request.refused_until,
            overdue_at: crate::targets::NEVER,
            slot: RowSlot::Nowhere,
            path: narrow(request.path.0),
            sequence: self.sequence,
            work: [0; 3],
            kind: request.kind,
            priority: request.priority,
            is_interactive: request.interactive,
            is_ahead: request.ahead,
            was_staggered: false,
        };
        let number = self.put(row);
        self.of_lease.insert(request.lease, number);
        if let Some(account) = request.refused_by {
            self.refused.insert(number, account);
        }
        if let Some(prefix) = request.prefix {
            self.prefixes.insert(number, prefix);
        }
        number
    }

    fn put(&mut self, row: Row) -> RowId {
        if let Some(number) = self.free.pop() {
            *self.row_mut(number) = row;
            return number;
        }
        if self.pieces.last().is_none_or(|piece| piece.len() == PIECE) {
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        let before = (self.pieces.len() - 1) * PIECE;
        let piece = self.pieces.last_mut().expect("one was pushed above");
        piece.push(row);
        (before + piece.len() - 1) as RowId
    }

    /// Removes a row and returns its request.
    pub(crate) fn remove(&mut self, number: RowId, names: &Names) -> AdmissionRequest {
        let request = self.request(number, names);
        self.of_lease.remove(&request.lease);
        self.refused.remove(&number);
        self.prefixes.remove(&number);
        self.row_mut(number).slot = RowSlot::Nowhere;
        if self.of_lease.is_empty() {
            // The memory of a large queue is given back with its last row.
            *self = Self {
                sequence: self.sequence,
                ..Self::default()
            };
        } else {
            self.free.push(number);
        }
        request
    }

    /// Request of a row, as it was pushed.
    pub(crate) fn request(&self, number: RowId, names: &Names) -> AdmissionRequest {
        let row = self.row(number);
        AdmissionRequest {
            lease: row.lease,
            tenant: names.tenant.clone(),
            interactive: row.is_interactive,
            selector: names.selector.clone(),
            kind: row.kind,
            size: row.size,
            priority: row.priority,
            path: Millis(u64::from(row.path)),
            since: row.since,
            not_before: row.not_before,
            ahead: row.is_ahead,
            project: names.project,
            refused_by: self.refused_by(number),
            refused_until: row.refused_until,
            prefix: self.prefix(number),
        }
    }

    /// Numbers of all rows with their leases.
    pub(crate) fn all(&self) -> impl Iterator<Item = RowId> {
        self.of_lease.values().copied()
    }
}

/// Names of the numbers in a [`Row`].
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) tenant: Tenant,
    pub(crate) project: Option<ProjectId>,
    pub(crate) selector: ModelSelector,
}

impl Row {
    pub(crate) fn place(&self, number: RowId) -> Place {
        Place {
            row: number,
            payer: self.payer,
            priority: self.priority,
            path: Millis(u64::from(self.path)),
            since: self.since,
            sequence: self.sequence,
            ahead: self.is_ahead,
        }
    }

    /// Rest of the path after a call of this length.
    pub(crate) fn path_after(&self, own: Millis) -> Millis {
        Millis(u64::from(self.path).saturating_sub(own.0))
    }

    pub(crate) const fn sequence(&self) -> u32 {
        self.sequence
    }

    pub(crate) fn set_work(&mut self, work: Work) {
        self.work = [
            narrow(work.input),
            narrow(work.output),
            narrow(work.service.0),
        ];
    }

    pub(crate) fn work(&self) -> Work {
        let [input, output, service] = self.work.map(u64::from);
        Work {
            calls: 1,
            input,
            output,
            service: Millis(service),
        }
    }
}

fn narrow(amount: u64) -> u32 {
    u32::try_from(amount).unwrap_or(u32::MAX)
}
