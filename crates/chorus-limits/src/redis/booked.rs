//! Groups that waiting calls of this process have booked ([`Booked`]), so that a booking is removed where it stands.

use std::collections::HashMap;

use chorus_core::id::{GroupId, LeaseId};
use chorus_core::port::limit_state::BOOKING_LASTS;
use chorus_core::time::Timestamp;

/// Number of calls from which forgotten ones are looked for.
const MANY: usize = 1_024;

/// Booked groups of each call.
#[derive(Debug, Default)]
pub(super) struct Booked {
    calls: HashMap<LeaseId, (Vec<GroupId>, Timestamp)>,
    sweep_at: usize,
}

impl Booked {
    /// Returns and forgets the groups of a call.
    pub(super) fn take(&mut self, lease: LeaseId) -> Vec<GroupId> {
        self.calls.remove(&lease).unwrap_or_default().0
    }

    /// Notes the groups of a call. Calls that were neither renewed nor withdrawn are forgotten.
    pub(super) fn put(&mut self, lease: LeaseId, groups: Vec<GroupId>, now: Timestamp) {
        if self.calls.len() >= self.sweep_at.max(MANY) {
            self.calls
                .retain(|_, (_, at)| now.since(*at) < BOOKING_LASTS);
            self.sweep_at = self.calls.len() * 2;
        }
        self.calls.insert(lease, (groups, now));
    }
}
