//! Records of one partition, from the oldest that a reader may still need.

use std::collections::VecDeque;
use std::sync::Arc;

use chorus_core::port::bus::Record;

/// Kept records of one partition, with the offset of the first.
#[derive(Default)]
pub(super) struct Log {
    first: u64,
    records: VecDeque<Kept>,
}

/// A record, with its number among all publications.
pub(super) struct Kept {
    pub(super) sequence: u64,
    pub(super) record: Arc<Record>,
}

impl Log {
    /// Appends a record and returns its offset.
    pub(super) fn push(&mut self, sequence: u64, record: Arc<Record>) -> u64 {
        self.records.push_back(Kept { sequence, record });
        self.end() - 1
    }

    /// Offset of the oldest kept record.
    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// Offset of the next record to be appended.
    pub(super) fn end(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    /// Oldest kept record at or after `offset`, with its own offset.
    pub(super) fn at_or_after(&self, offset: u64) -> Option<(u64, &Kept)> {
        let offset = offset.max(self.first);
        let index = usize::try_from(offset - self.first).ok()?;
        self.records.get(index).map(|kept| (offset, kept))
    }

    /// Drops records before `offset`, as [`Log::keep_newest`] does beyond a count.
    pub(super) fn drop_before(&mut self, offset: u64) {
        while self.first < offset && self.records.pop_front().is_some() {
            self.first += 1;
        }
    }

    /// Drops the oldest records beyond `count`; returns their number.
    pub(super) fn keep_newest(&mut self, count: usize) -> u64 {
        let surplus = self.records.len().saturating_sub(count) as u64;
        self.drop_before(self.first + surplus);
        surplus
    }
}
