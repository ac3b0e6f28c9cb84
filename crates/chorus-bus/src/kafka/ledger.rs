//! Which acknowledgements count, and how far they move a group: pure bookkeeping for the partitions that a
//! member owns now.
//!
//! An acknowledgement counts for a record that was given under this ownership. Poison is passed over: it is
//! covered as soon as everything before it is.

use std::collections::{BTreeMap, VecDeque};

use chorus_core::port::bus::{Partition, Position};

/// The partitions of one member.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    owned: BTreeMap<Partition, Place>,
}

/// How far a partition is.
#[derive(Debug, Default)]
struct Place {
    /// First and last record given, since the partition is ours.
    given: Option<(u64, u64)>,
    /// Where the group would go on.
    next: Option<u64>,
    /// Poisons that are not covered yet, each with the record given before it.
    passed: VecDeque<(u64, u64)>,
}

impl Ledger {
    /// These partitions are ours.
    pub(super) fn assign(&mut self, partitions: &[Partition]) {
        self.owned.extend(
            partitions
                .iter()
                .map(|partition| (partition.clone(), Place::default())),
        );
    }

    /// These are not any more.
    pub(super) fn revoke(&mut self, partitions: &[Partition]) {
        self.owned
            .retain(|partition, _| !partitions.contains(partition));
    }

    /// A record came; false when its partition is not ours.
    pub(super) fn give(&mut self, at: &Position) -> bool {
        let Some(place) = self.owned.get_mut(&at.partition) else {
            return false;
        };
        place.given = match place.given {
            Some((first, last)) if last < at.offset => Some((first, at.offset)),
            // Going back means that the log began anew.
            Some(_) => {
                *place = Place::default();
                Some((at.offset, at.offset))
            }
            None => Some((at.offset, at.offset)),
        };
        true
    }

    /// A poison was set aside; where the group goes on, when it may be passed over at once.
    pub(super) fn pass(&mut self, at: &Position) -> Option<u64> {
        let place = self.owned.get_mut(&at.partition)?;
        match place.given {
            Some((_, last)) if place.next.is_none_or(|next| next <= last) => {
                place.passed.push_back((last, at.offset));
                None
            }
            _ => place.advance(at.offset + 1),
        }
    }

    /// A record is done with; where the group goes on, when that moved.
    pub(super) fn ack(&mut self, at: &Position) -> Option<u64> {
        let place = self.owned.get_mut(&at.partition)?;
        let (first, last) = place.given?;
        if !(first..=last).contains(&at.offset) {
            return None;
        }
        let mut next = at.offset + 1;
        while let Some((_, poison)) = place.passed.pop_front_if(|(before, _)| *before < next) {
            next = next.max(poison + 1);
        }
        place.advance(next)
    }
}

impl Place {
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

    fn ledger(given: &[u64]) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.assign(&[at(0).partition]);
        given
            .iter()
            .for_each(|offset| assert!(ledger.give(&at(*offset))));
        ledger
    }

    #[test]
    fn an_acknowledgement_moves_the_group_forward_only() {
        let mut ledger = ledger(&[5, 6, 7]);
        assert_eq!(ledger.ack(&at(6)), Some(7));
        assert_eq!(ledger.ack(&at(5)), None);
        assert_eq!(ledger.ack(&at(7)), Some(8));
    }

    #[test]
    fn what_was_not_given_under_this_ownership_does_not_count() {
        let mut ledger = ledger(&[5]);
        for offset in [4, 6] {
            assert_eq!(ledger.ack(&at(offset)), None);
        }
        ledger.revoke(&[at(0).partition]);
        assert_eq!(ledger.ack(&at(5)), None);
        assert!(!ledger.give(&at(6)));
        ledger.assign(&[at(0).partition]);
        assert_eq!(ledger.ack(&at(5)), None);
    }

    #[test]
    fn poison_is_covered_when_everything_before_it_is() {
        let mut ledger = ledger(&[]);
        assert_eq!(ledger.pass(&at(0)), Some(1));
        ledger.give(&at(1));
        assert_eq!(ledger.pass(&at(2)), None);
        assert_eq!(ledger.pass(&at(3)), None);
        ledger.give(&at(4));
        assert_eq!(ledger.pass(&at(5)), None);
        assert_eq!(ledger.ack(&at(1)), Some(4));
        assert_eq!(ledger.ack(&at(4)), Some(6));
        assert_eq!(ledger.pass(&at(6)), Some(7));
    }

    #[test]
    fn a_log_that_began_anew_is_counted_anew() {
        let mut ledger = ledger(&[500]);
        assert_eq!(ledger.ack(&at(500)), Some(501));
        ledger.give(&at(0));
        assert_eq!(ledger.ack(&at(500)), None);
        assert_eq!(ledger.ack(&at(0)), Some(1));
    }
}
