//! Records on their way: queued by project, acknowledged in the order of their partition.
//!
//! Acknowledging a record acknowledges all before it, so a record that is folded waits for those that came
//! earlier in its partition.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chorus_core::id::ProjectId;
use chorus_core::port::bus::{Partition, Position, Record};

/// A record with its place.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) record: Record,
    pub(crate) at: Position,
}

/// Records that were taken in and are not acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    waiting: BTreeMap<ProjectId, VecDeque<Taken>>,
    busy: BTreeSet<ProjectId>,
    open: BTreeMap<Partition, BTreeMap<u64, bool>>,
}

impl Intake {
    /// Records that are not acknowledged.
    pub(crate) fn len(&self) -> usize {
        self.open.values().map(BTreeMap::len).sum()
    }

    /// Takes a record of a project; one that is at hand already is not taken twice.
    pub(crate) fn take(&mut self, project: ProjectId, taken: Taken) {
        if self.note(&taken.at) {
            self.waiting.entry(project).or_default().push_back(taken);
        }
    }

    /// Notes a record's place; false when it was noted before.
    pub(crate) fn note(&mut self, at: &Position) -> bool {
        let places = self.open.entry(at.partition.clone()).or_default();
        if places.contains_key(&at.offset) {
            return false;
        }
        places.insert(at.offset, false);
        true
    }

    /// The next project that is not being folded, with at most `most` of its records.
    pub(crate) fn begin(&mut self, most: usize) -> Option<(ProjectId, Vec<Taken>)> {
        let project = *self
            .waiting
            .keys()
            .find(|project| !self.busy.contains(project))?;
        let waiting = self.waiting.get_mut(&project)?;
        let batch = waiting.drain(..most.min(waiting.len())).collect();
        if waiting.is_empty() {
            self.waiting.remove(&project);
        }
        self.busy.insert(project);
        Some((project, batch))
    }

    /// Projects that are being folded.
    pub(crate) fn busy(&self) -> impl Iterator<Item = ProjectId> {
        self.busy.iter().copied()
    }

    /// A batch is folded: the places that can be acknowledged now, one a partition.
    pub(crate) fn end(
        &mut self,
        project: ProjectId,
        places: impl IntoIterator<Item = Position>,
    ) -> Vec<Position> {
        self.busy.remove(&project);
        let mut partitions = BTreeSet::new();
        for at in places {
            if let Some(folded) = self
                .open
                .get_mut(&at.partition)
                .and_then(|places| places.get_mut(&at.offset))
            {
                *folded = true;
                partitions.insert(at.partition);
            }
        }
        partitions
            .into_iter()
            .filter_map(|partition| self.advance(partition))
            .collect()
    }

    /// The last place of the partition before which everything is folded.
    pub(crate) fn advance(&mut self, partition: Partition) -> Option<Position> {
        let places = self.open.get_mut(&partition)?;
        let mut last = None;
        while let Some(first) = places.first_entry() {
            if !*first.get() {
                break;
            }
            last = Some(*first.key());
            first.remove();
        }
        if places.is_empty() {
            self.open.remove(&partition);
        }
        last.map(|offset| Position { partition, offset })
    }

    /// These partitions are somebody else's: their records will be given to them.
    pub(crate) fn forget(&mut self, mut gone: impl FnMut(&Partition) -> bool) {
        self.open.retain(|partition, _| !gone(partition));
        self.waiting
            .values_mut()
            .for_each(|waiting| waiting.retain(|taken| !gone(&taken.at.partition)));
        self.waiting.retain(|_, waiting| !waiting.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use chorus_core::id::EventId;
    use chorus_core::port::bus::Topic;

    fn taken(offset: u64) -> Taken {
        let record = Record {
            id: EventId::new(u128::from(offset)),
            topic: Topic::TaskDone,
            key: String::new(),
            headers: Vec::new(),
            payload: Bytes::new(),
        };
        Taken {
            record,
            at: Position {
                partition: Partition {
                    topic: Topic::TaskDone,
                    number: 0,
                },
                offset,
            },
        }
    }

    #[test]
    fn a_folded_record_waits_for_those_before_it() {
        let (first, second) = (ProjectId::new(1), ProjectId::new(2));
        let mut intake = Intake::default();
        intake.take(first, taken(5));
        intake.take(second, taken(6));
        intake.take(second, taken(6));
        assert_eq!(intake.len(), 2, "a record at hand is not taken twice");
        let (project, one) = intake.begin(9).expect("two projects wait");
        let (other, two) = intake.begin(9).expect("one project waits");
        assert_eq!((project, other), (first, second));
        assert!(
            intake
                .end(second, two.into_iter().map(|taken| taken.at))
                .is_empty()
        );
        let acknowledged = intake.end(first, one.into_iter().map(|taken| taken.at));
        assert_eq!(
            acknowledged.iter().map(|at| at.offset).collect::<Vec<_>>(),
            [6]
        );
        assert_eq!(intake.len(), 0);
    }

    #[test]
    fn a_project_is_folded_by_one_batch_at_a_time() {
        let project = ProjectId::new(1);
        let mut intake = Intake::default();
        intake.take(project, taken(1));
        assert!(intake.begin(9).is_some());
        intake.take(project, taken(2));
        assert!(intake.begin(9).is_none());
        intake.end(project, [taken(1).at]);
        assert!(intake.begin(9).is_some());
    }

    #[test]
    fn records_of_a_lost_partition_are_forgotten() {
        let mut intake = Intake::default();
        intake.take(ProjectId::new(1), taken(1));
        intake.forget(|partition| partition.number == 0);
        assert_eq!(intake.len(), 0);
        assert!(intake.begin(9).is_none());
    }
}
