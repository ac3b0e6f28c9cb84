//! What the reading thread lays down and the subscription takes up.
//!
//! Reports of partitions go before records. What was read of a partition that is taken away is thrown away
//! with it: its next owner reads it. Neighbours: `reader` fills the desk, `subscription` empties it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use chorus_core::port::bus::{BusError, Incoming, Partition, Position, Record};

use super::ledger::Ledger;

/// Records at hand above which the brokers are asked for no more.
const FULL: usize = 1_024;
/// Records at hand below which they are asked again.
const LOW: usize = 256;

/// The place where a thread and a subscription meet.
#[derive(Default)]
pub(super) struct Desk {
    papers: Mutex<Papers>,
}

#[derive(Default)]
struct Papers {
    notices: VecDeque<Incoming>,
    records: VecDeque<(Record, Position)>,
    ledger: Ledger,
    broken: Option<BusError>,
    closed: bool,
    /// The brokers were asked to send no more.
    held: bool,
    /// Partitions came since, of which they were not.
    uneven: bool,
    waker: Option<Waker>,
}

/// What the reading thread has to do about the flow of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// Nothing.
    Keep,
    /// Ask for no more.
    Hold,
    /// Ask again.
    Release,
}

impl Desk {
    /// These partitions are this member's.
    pub(super) fn assign(&self, partitions: Vec<Partition>, notice: bool) {
        self.change(|papers| {
            papers.ledger.assign(&partitions);
            papers.uneven = papers.held;
            if notice && !partitions.is_empty() {
                papers.notices.push_back(Incoming::Assigned(partitions));
            }
        });
    }

    /// They are somebody else's now.
    pub(super) fn revoke(&self, partitions: Vec<Partition>) {
        self.change(|papers| {
            papers.ledger.revoke(&partitions);
            papers
                .records
                .retain(|(_, at)| !partitions.contains(&at.partition));
            if !partitions.is_empty() {
                papers.notices.push_back(Incoming::Revoked(partitions));
            }
        });
    }

    /// A record came.
    pub(super) fn give(&self, record: Record, at: Position) {
        self.change(|papers| {
            if papers.ledger.give(&at) {
                papers.records.push_back((record, at));
            }
        });
    }

    /// A poison was set aside; where the group goes on.
    pub(super) fn pass(&self, at: &Position) -> Option<u64> {
        self.papers().ledger.pass(at)
    }

    /// A record is done with; where the group goes on.
    pub(super) fn ack(&self, at: &Position) -> Option<u64> {
        self.papers().ledger.ack(at)
    }

    /// Nothing will come any more.
    pub(super) fn fail(&self, error: BusError) {
        self.change(|papers| papers.broken = Some(error));
    }

    /// The subscription is gone.
    pub(super) fn close(&self) {
        self.papers().closed = true;
    }

    /// Whether somebody still reads.
    pub(super) fn open(&self) -> bool {
        let papers = self.papers();
        !papers.closed && papers.broken.is_none()
    }

    /// What to do about the flow now; it counts as done.
    pub(super) fn flow(&self) -> Flow {
        let mut papers = self.papers();
        let flow = if papers.held && papers.records.len() <= LOW {
            Flow::Release
        } else if papers.uneven || (!papers.held && papers.records.len() >= FULL) {
            Flow::Hold
        } else {
            return Flow::Keep;
        };
        (papers.held, papers.uneven) = (flow == Flow::Hold, false);
        flow
    }

    /// What comes next; only reports of partitions while the reader paused.
    pub(super) fn poll(&self, paused: bool, waker: &Waker) -> Poll<Result<Incoming, BusError>> {
        let mut papers = self.papers();
        if let Some(notice) = papers.notices.pop_front() {
            return Poll::Ready(Ok(notice));
        }
        if let Some(error) = &papers.broken {
            return Poll::Ready(Err(error.clone()));
        }
        if !paused && let Some((record, at)) = papers.records.pop_front() {
            return Poll::Ready(Ok(Incoming::Record { record, at }));
        }
        papers.waker = Some(waker.clone());
        Poll::Pending
    }

    fn change(&self, act: impl FnOnce(&mut Papers)) {
        let waker = {
            let mut papers = self.papers();
            act(&mut papers);
            papers.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Nobody waits or panics half-way through a change, so a poisoned lock holds good papers.
    fn papers(&self) -> MutexGuard<'_, Papers> {
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
