//! Bookings of waiting calls on one group, by the EASY rule: a later call may take what is above a
//! booking, or what comes back before its instant.

use chorus_core::id::LeaseId;
use chorus_core::limit::ObstacleKind;
use chorus_core::time::Timestamp;

/// Amounts that a waiting call has booked on a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Booking {
    /// Lease of the waiting call.
    pub(crate) lease: LeaseId,
    /// True if a person waits for the call: it goes before bookings of tasks.
    pub(crate) interactive: bool,
    /// Amount needed of each limit of the group, with the floor that must stay free.
    pub(crate) needs: Vec<i64>,
    /// Time at which the call fits; none while it waits for a slot.
    pub(crate) at: Option<Timestamp>,
    /// End of the booking unless it is renewed.
    pub(crate) until: Timestamp,
}

impl Booking {
    /// Returns the obstacle of a call that this booking holds back.
    pub(crate) const fn obstacle(&self) -> ObstacleKind {
        if self.interactive {
            ObstacleKind::InteractiveCall
        } else {
            ObstacleKind::BookedCall
        }
    }

    /// Returns the time for which a later call must leave the booked amounts.
    pub(crate) fn due(&self, now: Timestamp) -> Timestamp {
        self.at.unwrap_or(now).max(now)
    }
}

/// Bookings of one group: those of interactive calls first, then the oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bookings {
    list: Vec<Booking>,
}

impl Bookings {
    /// Adds a booking, or renews it in its place.
    pub(crate) fn put(&mut self, booking: Booking) {
        let known = self.list.iter_mut().find(|one| one.lease == booking.lease);
        match known {
            Some(one) if one.interactive == booking.interactive => *one = booking,
            _ => {
                self.remove(booking.lease);
                let place = if booking.interactive {
                    self.list.partition_point(|one| one.interactive)
                } else {
                    self.list.len()
                };
                self.list.insert(place, booking);
            }
        }
    }

    /// Removes the booking of a lease; returns true if there was one.
    pub(crate) fn remove(&mut self, lease: LeaseId) -> bool {
        let before = self.list.len();
        self.list.retain(|one| one.lease != lease);
        self.list.len() < before
    }

    /// Removes all bookings: the limits that they name are no longer those of the group.
    pub(crate) fn clear(&mut self) {
        self.list.clear();
    }

    /// Removes bookings that were not renewed in time.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        if self.list.iter().any(|one| one.until <= now) {
            self.list.retain(|one| one.until > now);
        }
    }

    /// Returns true if the lease has a booking in force.
    pub(crate) fn is_in_force(&self, lease: LeaseId, now: Timestamp) -> bool {
        let mut list = self.list.iter();
        list.any(|one| one.lease == lease && one.until > now)
    }

    /// Returns the number of bookings in force.
    pub(crate) fn count(&self, now: Timestamp) -> usize {
        self.list.iter().filter(|one| one.until > now).count()
    }

    /// Returns the bookings that a call must heed: all ahead of its own, of interactive calls only where a
    /// person waits for it.
    pub(crate) fn ahead_of(&self, lease: LeaseId, interactive: bool) -> Vec<&Booking> {
        let before = self.list.iter().take_while(|one| one.lease != lease);
        before
            .filter(|one| one.interactive || !interactive)
            .collect()
    }
}

/// Returns the amount of one limit that a call must leave, with the booking that needs it last: for each
/// booking that the call would delay, the sum of all that are due until then.
pub(crate) fn left_for<'a>(
    heeded: &[&'a Booking],
    place: usize,
    need: i64,
    now: Timestamp,
    projected: impl Fn(Timestamp) -> i64,
) -> (i64, Option<&'a Booking>) {
    let (mut left, mut cause) = (0, None);
    for booking in heeded {
        let due = booking.due(now);
        let until_then = heeded.iter().filter(|one| one.due(now) <= due);
        let booked: i64 = until_then
            .map(|one| one.needs.get(place).copied().unwrap_or(0))
            .sum();
        if booked > left && projected(due) - need < booked {
            (left, cause) = (booked, Some(*booking));
        }
    }
    (left, cause)
}
