//! Offsets of the partitions that a member owns now: acknowledgements that count, and how far they move a group.
//!
//! An acknowledgement counts for a record that was delivered under this ownership. Poison is skipped: it is
//! covered as soon as every record before it is. Pure: [`super::reader`] stores the offsets that come out.

use std::collections::{BTreeMap, VecDeque};

use chorus_core::port::bus::{Partition, Position};

/// Offsets of one member, by owned partition.
#[derive(Debug, Default)]
pub(super) struct OffsetTracker {
    owned: BTreeMap<Partition, Offsets>,
}

/// Offsets of one partition since it was assigned.
#[derive(Debug, Default)]
struct Offsets {
    /// First and last delivered record.
    delivered: Option<(u64, u64)>,
    /// Offset at which the group continues.
    next: Option<u64>,
    /// Poison that is not covered yet: offset of the record delivered before it, and its own.
    skipped: VecDeque<(u64, u64)>,
}

impl OffsetTracker {
    /// Starts to track these partitions.
    pub(super) fn assign(&mut self, partitions: &[Partition]) {
        self.owned.extend(
            partitions
                .iter()
                .map(|partition| (partition.clone(), Offsets::default())),
        );
    }

    /// Forgets these partitions: acknowledgements in them no longer count.
    pub(super) fn revoke(&mut self, partitions: &[Partition]) {
        self.owned
            .retain(|partition, _| !partitions.contains(partition));
    }

    /// Notes a delivered record; false when its partition is not owned.
    pub(super) fn deliver(&mut self, at: &Position) -> bool {
        let Some(offsets) = self.owned.get_mut(&at.partition) else {
            return false;
        };
        offsets.delivered = match offsets.delivered {
            Some((first, last)) if last < at.offset => Some((first, at.offset)),
            // A lower offset means that the topic was deleted and created again.
            Some(_) => {
                *offsets = Offsets::default();
                Some((at.offset, at.offset))
            }
            None => Some((at.offset, at.offset)),
        };
        true
    }

    /// Notes poison that went to the dead letters; returns the group's next offset when it moves at once.
    pub(super) fn skip(&mut self, at: &Position) -> Option<u64> {
        let offsets = self.owned.get_mut(&at.partition)?;
        match offsets.delivered {
            Some((_, last)) if offsets.next.is_none_or(|next| next <= last) => {
                offsets.skipped.push_back((last, at.offset));
                None
            }
            _ => offsets.advance(at.offset + 1),
        }
    }

    /// Acknowledges a record; returns the group's next offset when it moved.
    pub(super) fn ack(&mut self, at: &Position) -> Option<u64> {
        let offsets = self.owned.get_mut(&at.partition)?;
        let (first, last) = offsets.delivered?;
        if !(first..=last).contains(&at.offset) {
            return None;
        }
        let mut next = at.offset + 1;
        while let Some((_, poison)) = offsets.skipped.pop_front_if(|(before, _)| *before < next) {
            next = next.max(poison + 1);
        }
        offsets.advance(next)
    }
}

impl Offsets {
    fn advance(&mut self, next: u64) -> Option<u64> {
        if self.next.is_some_and(|known| known >= next) {
            return None;
        }
        self.next = Some(next);
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use chorus_core::port::bus::Topic;

    use super::*;

    fn at(offset: u64) -> Position {
        Position {
            partition: Partition {
                topic: Topic::TaskDone,
                number: 3,
            },
            offset,
        }
    }

    fn tracker(delivered: &[u64]) -> OffsetTracker {
        let mut tracker = OffsetTracker::default();
        tracker.assign(&[at(0).partition]);
        delivered
            .iter()
            .for_each(|offset| assert!(tracker.deliver(&at(*offset))));
        tracker
    }

    #[test]
    fn an_acknowledgement_moves_the_group_forward_only() {
        let mut tracker = tracker(&[5, 6, 7]);
        assert_eq!(tracker.ack(&at(6)), Some(7));
        assert_eq!(tracker.ack(&at(5)), None);
        assert_eq!(tracker.ack(&at(7)), Some(8));
    }

    #[test]
    fn what_was_not_given_under_this_ownership_does_not_count() {
        let mut tracker = tracker(&[5]);
        for offset in [4, 6] {
            assert_eq!(tracker.ack(&at(offset)), None);
        }
        tracker.revoke(&[at(0).partition]);
        assert_eq!(tracker.ack(&at(5)), None);
        assert!(!tracker.deliver(&at(6)));
        tracker.assign(&[at(0).partition]);
        assert_eq!(tracker.ack(&at(5)), None);
    }

    #[test]
    fn poison_is_covered_when_everything_before_it_is() {
        let mut tracker = tracker(&[]);
        assert_eq!(tracker.skip(&at(0)), Some(1));
        tracker.deliver(&at(1));
        assert_eq!(tracker.skip(&at(2)), None);
        assert_eq!(tracker.skip(&at(3)), None);
        tracker.deliver(&at(4));
        assert_eq!(tracker.skip(&at(5)), None);
        assert_eq!(tracker.ack(&at(1)), Some(4));
        assert_eq!(tracker.ack(&at(4)), Some(6));
        assert_eq!(tracker.skip(&at(6)), Some(7));
    }

    #[test]
    fn a_log_that_began_anew_is_counted_anew() {
        let mut tracker = tracker(&[500]);
        assert_eq!(tracker.ack(&at(500)), Some(501));
        tracker.deliver(&at(0));
        assert_eq!(tracker.ack(&at(500)), None);
        assert_eq!(tracker.ack(&at(0)), Some(1));
    }
}
