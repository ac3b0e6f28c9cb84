//! Logs, groups and tails of the embedded bus, behind one lock.
//!
//! Methods that end the wait of a reader return its wakers; the caller wakes them after releasing the lock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::task::{Poll, Waker};

use chorus_core::port::bus::{Incoming, Partition, Position, Record, Topic, partition_of};

use super::group::{Group, Membership, partitions};
use super::log::Log;

/// Records kept in a partition of a topic that has no group yet.
const KEPT_WITHOUT_GROUP: usize = 256;
/// Most records kept in one partition for groups that lag; the sweep publishes dropped ones again from the rows.
const KEPT_FOR_GROUPS: usize = 65_536;
/// Most unread records of one tail; the oldest is dropped beyond it.
const KEPT_FOR_TAIL: usize = 8_192;

/// State of one bus.
#[derive(Default)]
pub(super) struct State {
    logs: BTreeMap<Partition, Log>,
    groups: BTreeMap<String, Group>,
    tails: BTreeMap<u64, TailState>,
    published: u64,
    readers: u64,
}

/// Topics and unread records of one tail.
#[derive(Default)]
struct TailState {
    topics: BTreeSet<Topic>,
    waiting: VecDeque<(Arc<Record>, Position)>,
    paused: bool,
    waker: Option<Waker>,
}

impl State {
    /// Appends records to their partitions and to the tails.
    pub(super) fn publish(&mut self, records: Vec<Record>) -> Vec<Waker> {
        let mut wakers = Vec::new();
        for record in records {
            let number = partition_of(&record.key, record.topic.partitions());
            let partition = Partition {
                topic: record.topic.clone(),
                number,
            };
            let record = Arc::new(record);
            let offset = self
                .logs
                .entry(partition.clone())
                .or_default()
                .push(self.published, record.clone());
            self.published += 1;
            let owners = self
                .groups
                .values_mut()
                .filter_map(|group| group.owner(&partition));
            wakers.extend(
                owners
                    .filter(|member| !member.paused)
                    .filter_map(|member| member.waker.take()),
            );
            wakers.extend(self.feed_tails(
                &record,
                &Position {
                    partition: partition.clone(),
                    offset,
                },
            ));
            self.trim(&partition);
        }
        wakers
    }

    /// Adds a member to a group and returns its number.
    pub(super) fn join(&mut self, group: &str, topics: Vec<Topic>) -> (u64, Vec<Waker>) {
        let id = self.next_reader();
        let topics: BTreeSet<Topic> = topics.into_iter().collect();
        let group = self.groups.entry(group.to_owned()).or_default();
        for partition in topics.iter().flat_map(partitions) {
            let first = self.logs.get(&partition).map_or(0, Log::first);
            group.acked.entry(partition).or_insert(first);
        }
        group.members.insert(
            id,
            Membership {
                topics: topics.clone(),
                ..Membership::default()
            },
        );
        (
            id,
            topics
                .iter()
                .flat_map(|topic| group.rebalance(topic))
                .collect(),
        )
    }

    /// Removes a member; its partitions go to the others.
    pub(super) fn leave(&mut self, group: &str, id: u64) -> Vec<Waker> {
        let Some(group) = self.groups.get_mut(group) else {
            return Vec::new();
        };
        let Some(member) = group.members.remove(&id) else {
            return Vec::new();
        };
        member
            .topics
            .iter()
            .flat_map(|topic| group.rebalance(topic))
            .collect()
    }

    /// Takes the next notice of a member, or else its oldest unread record.
    pub(super) fn poll_member(&mut self, group: &str, id: u64, waker: &Waker) -> Poll<Incoming> {
        let Some(member) = self.member(group, id) else {
            return Poll::Pending;
        };
        if let Some(notice) = member.notices.pop_front() {
            return Poll::Ready(notice);
        }
        member.waker = Some(waker.clone());
        if member.paused {
            return Poll::Pending;
        }
        let Some(at) = self.oldest_unread(group, id) else {
            return Poll::Pending;
        };
        let record = self.logs[&at.partition]
            .at_or_after(at.offset)
            .map(|(_, kept)| kept.record.as_ref().clone());
        let (Some(record), Some(member)) = (record, self.member(group, id)) else {
            return Poll::Pending;
        };
        member.read.insert(at.partition.clone(), at.offset + 1);
        Poll::Ready(Incoming::Record { record, at })
    }

    /// Moves the group past a record if the member still owns the partition.
    pub(super) fn ack(&mut self, group: &str, id: u64, at: &Position) {
        let Some(group) = self.groups.get_mut(group) else {
            return;
        };
        let Some(read) = group
            .members
            .get_mut(&id)
            .and_then(|member| member.read.get_mut(&at.partition))
        else {
            return;
        };
        let acked = group.acked.entry(at.partition.clone()).or_insert(0);
        *acked = (*acked).max(at.offset + 1);
        *read = (*read).max(*acked);
        self.trim(&at.partition);
    }

    /// Pauses or resumes the records of a member.
    pub(super) fn pause_member(&mut self, group: &str, id: u64, paused: bool) {
        if let Some(member) = self.member(group, id) {
            member.paused = paused;
        }
    }

    /// Adds a tail and returns its number.
    pub(super) fn add_tail(&mut self, topics: Vec<Topic>) -> u64 {
        let id = self.next_reader();
        self.tails.insert(
            id,
            TailState {
                topics: topics.into_iter().collect(),
                ..TailState::default()
            },
        );
        id
    }

    /// Removes a tail with its unread records.
    pub(super) fn drop_tail(&mut self, id: u64) {
        self.tails.remove(&id);
    }

    /// Takes the oldest unread record of a tail.
    pub(super) fn poll_tail(&mut self, id: u64, waker: &Waker) -> Poll<Incoming> {
        let Some(tail) = self.tails.get_mut(&id) else {
            return Poll::Pending;
        };
        let next = if tail.paused {
            None
        } else {
            tail.waiting.pop_front()
        };
        match next {
            Some((record, at)) => Poll::Ready(Incoming::Record {
                record: record.as_ref().clone(),
                at,
            }),
            None => {
                tail.waker = Some(waker.clone());
                Poll::Pending
            }
        }
    }

    /// Pauses or resumes the records of a tail.
    pub(super) fn pause_tail(&mut self, id: u64, paused: bool) {
        if let Some(tail) = self.tails.get_mut(&id) {
            tail.paused = paused;
        }
    }

    /// Number of records of the topic that the group has not acknowledged.
    pub(super) fn depth(&self, topic: &Topic, group: &str) -> u64 {
        let acked = |partition: &Partition| {
            self.groups
                .get(group)
                .and_then(|group| group.acked.get(partition))
                .copied()
                .unwrap_or(0)
        };
        partitions(topic)
            .filter_map(|partition| {
                self.logs
                    .get(&partition)
                    .map(|log| log.end() - acked(&partition).max(log.first()))
            })
            .sum()
    }

    /// Records kept, by partition.
    #[cfg(test)]
    pub(super) fn kept(&self) -> BTreeMap<Partition, u64> {
        self.logs
            .iter()
            .map(|(partition, log)| (partition.clone(), log.end() - log.first()))
            .collect()
    }

    fn member(&mut self, group: &str, id: u64) -> Option<&mut Membership> {
        self.groups.get_mut(group)?.members.get_mut(&id)
    }

    fn next_reader(&mut self) -> u64 {
        self.readers += 1;
        self.readers
    }

    fn oldest_unread(&self, group: &str, id: u64) -> Option<Position> {
        let member = self.groups.get(group)?.members.get(&id)?;
        let unread = member.read.iter().filter_map(|(partition, read)| {
            let (offset, kept) = self.logs.get(partition)?.at_or_after(*read)?;
            Some((kept.sequence, partition, offset))
        });
        unread
            .min_by_key(|(sequence, _, _)| *sequence)
            .map(|(_, partition, offset)| Position {
                partition: partition.clone(),
                offset,
            })
    }

    fn feed_tails(&mut self, record: &Arc<Record>, at: &Position) -> Vec<Waker> {
        let mut wakers = Vec::new();
        for tail in self
            .tails
            .values_mut()
            .filter(|tail| tail.topics.contains(&record.topic))
        {
            tail.waiting.push_back((record.clone(), at.clone()));
            if tail.waiting.len() > KEPT_FOR_TAIL {
                tail.waiting.pop_front();
                tracing::debug!(bus.topic = %record.topic, "a tail lags too far; its oldest record was dropped");
            }
            wakers.extend(tail.waker.take().filter(|_| !tail.paused));
        }
        wakers
    }

    fn trim(&mut self, partition: &Partition) {
        let Some(log) = self.logs.get_mut(partition) else {
            return;
        };
        let Some(acked) = self
            .groups
            .values()
            .filter_map(|group| group.acked.get(partition))
            .min()
        else {
            log.keep_newest(KEPT_WITHOUT_GROUP);
            return;
        };
        log.drop_before(*acked);
        let dropped = log.keep_newest(KEPT_FOR_GROUPS);
        if dropped > 0 {
            tracing::warn!(bus.topic = %partition.topic, bus.partition = partition.number, "a group lags too far; its oldest record was dropped");
        }
    }
}
