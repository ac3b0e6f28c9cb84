//! Records and reports of partitions between a reading thread and its subscription.
//!
//! [`super::reader`] fills the inbox, [`super::subscription`] empties it. Reports of partitions come before
//! records. When a partition is revoked, its unread records are dropped: its next owner reads them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use chorus_core::port::bus::{BusError, Incoming, Partition, Position, Record};

use super::offset_tracker::OffsetTracker;

/// Unread records above which the brokers are asked for no more.
const FULL: usize = 1_024;
/// Unread records below which the brokers are asked again.
const LOW: usize = 256;

/// Shared by one thread and one subscription.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    notices: VecDeque<Incoming>,
    records: VecDeque<(Record, Position)>,
    offsets: OffsetTracker,
    failure: Option<BusError>,
    is_closed: bool,
    /// True while the brokers are asked to send no more.
    is_paused: bool,
    /// True when partitions were assigned after the pause, which does not cover them.
    is_pause_partial: bool,
    waker: Option<Waker>,
}

/// Change that the reading thread makes to the flow of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    /// No change.
    Keep,
    /// Pause all owned partitions.
    Pause,
    /// Resume all owned partitions.
    Resume,
}

impl Inbox {
    /// Starts to track partitions that this member owns now; `notice` reports them to the subscription.
    pub(super) fn assign(&self, partitions: Vec<Partition>, notice: bool) {
        self.change(|state| {
            state.offsets.assign(&partitions);
            state.is_pause_partial = state.is_paused;
            if notice && !partitions.is_empty() {
                state.notices.push_back(Incoming::Assigned(partitions));
            }
        });
    }

    /// Drops partitions that another member owns now, with their unread records.
    pub(super) fn revoke(&self, partitions: Vec<Partition>) {
        self.change(|state| {
            state.offsets.revoke(&partitions);
            state
                .records
                .retain(|(_, at)| !partitions.contains(&at.partition));
            if !partitions.is_empty() {
                state.notices.push_back(Incoming::Revoked(partitions));
            }
        });
    }

    /// Adds a record, unless its partition is not owned any more.
    pub(super) fn push(&self, record: Record, at: Position) {
        self.change(|state| {
            if state.offsets.deliver(&at) {
                state.records.push_back((record, at));
            }
        });
    }

    /// Skips poison; returns the group's next offset when it moved ([`OffsetTracker::skip`]).
    pub(super) fn skip(&self, at: &Position) -> Option<u64> {
        self.state().offsets.skip(at)
    }

    /// Acknowledges a record; returns the group's next offset when it moved ([`OffsetTracker::ack`]).
    pub(super) fn ack(&self, at: &Position) -> Option<u64> {
        self.state().offsets.ack(at)
    }

    /// Ends the subscription with an error: no further record comes.
    pub(super) fn fail(&self, error: BusError) {
        self.change(|state| state.failure = Some(error));
    }

    /// Ends the reading thread: the subscription was dropped.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
    }

    /// Returns true until the subscription is closed or failed.
    pub(super) fn is_open(&self) -> bool {
        let state = self.state();
        !state.is_closed && state.failure.is_none()
    }

    /// Returns the change that is due and takes it as made.
    pub(super) fn take_flow_change(&self) -> Flow {
        let mut state = self.state();
        let flow = if state.is_paused && state.records.len() <= LOW {
            Flow::Resume
        } else if state.is_pause_partial || (!state.is_paused && state.records.len() >= FULL) {
            Flow::Pause
        } else {
            return Flow::Keep;
        };
        (state.is_paused, state.is_pause_partial) = (flow == Flow::Pause, false);
        flow
    }

    /// Takes the next notice or record; only notices while the subscriber has paused.
    pub(super) fn poll(&self, paused: bool, waker: &Waker) -> Poll<Result<Incoming, BusError>> {
        let mut state = self.state();
        if let Some(notice) = state.notices.pop_front() {
            return Poll::Ready(Ok(notice));
        }
        if let Some(error) = &state.failure {
            return Poll::Ready(Err(error.clone()));
        }
        if !paused && let Some((record, at)) = state.records.pop_front() {
            return Poll::Ready(Ok(Incoming::Record { record, at }));
        }
        state.waker = Some(waker.clone());
        Poll::Pending
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let mut state = self.state();
            change(&mut state);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// No code waits or panics half-way through a change, so a poisoned lock holds a whole state.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
