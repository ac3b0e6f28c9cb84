//! Queue of records, by project for folding and by partition for acknowledgement.
//!
//! Acknowledging a record acknowledges all before it in its [`Partition`], so a folded record waits for those
//! that came earlier. The [`Orchestrator`](crate::Orchestrator) takes batches from here and acknowledges the
//! returned positions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chorus_core::id::ProjectId;
use chorus_core::port::bus::{Partition, Position, Record};

/// A record with its [`Position`].
#[derive(Debug, Clone)]
pub(crate) struct QueuedRecord {
    pub(crate) record: Record,
    pub(crate) at: Position,
}

/// Records that were received and are not acknowledged.
#[derive(Debug, Default)]
pub(crate) struct RecordQueue {
    waiting: BTreeMap<ProjectId, VecDeque<QueuedRecord>>,
    busy: BTreeSet<ProjectId>,
    open: BTreeMap<Partition, BTreeMap<u64, bool>>,
}

impl RecordQueue {
    /// Number of records that are not acknowledged.
    pub(crate) fn len(&self) -> usize {
        self.open.values().map(BTreeMap::len).sum()
    }

    /// Adds a record of a project, unless it is queued or being folded already.
    pub(crate) fn push(&mut self, project: ProjectId, taken: QueuedRecord) {
        if self.mark(&taken.at) {
            self.waiting.entry(project).or_default().push_back(taken);
        }
    }

    /// Marks a position as received; returns false if it was marked before.
    pub(crate) fn mark(&mut self, at: &Position) -> bool {
        let places = self.open.entry(at.partition.clone()).or_default();
        if places.contains_key(&at.offset) {
            return false;
        }
        places.insert(at.offset, false);
        true
    }

    /// Takes a batch of at most `most` records of one project; none if every project with records is being folded.
    pub(crate) fn begin(&mut self, most: usize) -> Option<(ProjectId, Vec<QueuedRecord>)> {
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

    /// Projects with a batch under way.
    pub(crate) fn busy(&self) -> impl Iterator<Item = ProjectId> {
        self.busy.iter().copied()
    }

    /// Ends the batch of a project; returns the positions that can be acknowledged now, one for each partition.
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

    /// The last position of the partition up to which every record is folded.
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

    /// Drops the records of partitions that another process reads now.
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

    fn taken(offset: u64) -> QueuedRecord {
        let record = Record {
            id: EventId::new(u128::from(offset)),
            topic: Topic::TaskDone,
            key: String::new(),
            headers: Vec::new(),
            payload: Bytes::new(),
        };
        QueuedRecord {
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
        let mut queue = RecordQueue::default();
        queue.push(first, taken(5));
        queue.push(second, taken(6));
        queue.push(second, taken(6));
        assert_eq!(queue.len(), 2, "a queued record is not added twice");
        let (project, one) = queue.begin(9).expect("two projects wait");
        let (other, two) = queue.begin(9).expect("one project waits");
        assert_eq!((project, other), (first, second));
        assert!(
            queue
                .end(second, two.into_iter().map(|taken| taken.at))
                .is_empty()
        );
        let acknowledged = queue.end(first, one.into_iter().map(|taken| taken.at));
        assert_eq!(
            acknowledged.iter().map(|at| at.offset).collect::<Vec<_>>(),
            [6]
        );
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn a_project_is_folded_by_one_batch_at_a_time() {
        let project = ProjectId::new(1);
        let mut queue = RecordQueue::default();
        queue.push(project, taken(1));
        assert!(queue.begin(9).is_some());
        queue.push(project, taken(2));
        assert!(queue.begin(9).is_none());
        queue.end(project, [taken(1).at]);
        assert!(queue.begin(9).is_some());
    }

    #[test]
    fn records_of_a_lost_partition_are_forgotten() {
        let mut queue = RecordQueue::default();
        queue.push(ProjectId::new(1), taken(1));
        queue.forget(|partition| partition.number == 0);
        assert_eq!(queue.len(), 0);
        assert!(queue.begin(9).is_none());
    }
}
