//! One consumer group: members, owned partitions and acknowledged offsets.
//!
//! A rebalance moves as few partitions as an even share allows, so that caches by partition survive. A moved
//! partition continues after the last acknowledged record: later records are delivered again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::task::Waker;

use chorus_core::port::bus::{Incoming, Partition, Topic};

/// A group, with members by number.
#[derive(Default)]
pub(super) struct Group {
    /// Offsets after the last acknowledged record, by partition.
    pub(super) acked: BTreeMap<Partition, u64>,
    pub(super) members: BTreeMap<u64, Membership>,
}

/// Topics, partitions and notices of one member.
#[derive(Default)]
pub(super) struct Membership {
    pub(super) topics: BTreeSet<Topic>,
    /// Offsets of the next record to deliver, by owned partition.
    pub(super) read: BTreeMap<Partition, u64>,
    pub(super) notices: VecDeque<Incoming>,
    pub(super) paused: bool,
    pub(super) waker: Option<Waker>,
}

impl Group {
    /// Shares the topic's partitions evenly and queues notices of gains and losses; returns the wakers of the
    /// members that have notices.
    pub(super) fn rebalance(&mut self, topic: &Topic) -> Vec<Waker> {
        let free = self.take_surplus(topic);
        self.hand_out(topic, free);
        self.members
            .values_mut()
            .filter(|member| !member.notices.is_empty())
            .filter_map(|member| member.waker.take())
            .collect()
    }

    /// [`Membership`] of a partition's owner, if it has one.
    pub(super) fn owner(&mut self, partition: &Partition) -> Option<&mut Membership> {
        self.members
            .values_mut()
            .find(|member| member.read.contains_key(partition))
    }

    /// Members of the topic with their even shares, largest owners first, so that few partitions move.
    fn shares(&self, topic: &Topic) -> Vec<(u64, usize)> {
        let mut owned: Vec<(usize, u64)> = self
            .members
            .iter()
            .filter(|(_, member)| member.topics.contains(topic))
            .map(|(id, member)| (member.owned(topic).len(), *id))
            .collect();
        owned.sort_by_key(|(count, id)| (std::cmp::Reverse(*count), *id));
        let (count, partitions) = (owned.len().max(1), topic.partitions() as usize);
        let share = |rank: usize| partitions / count + usize::from(rank < partitions % count);
        owned
            .into_iter()
            .enumerate()
            .map(|(rank, (_, id))| (id, share(rank)))
            .collect()
    }

    /// Revokes partitions beyond the shares; returns all partitions of the topic without an owner.
    fn take_surplus(&mut self, topic: &Topic) -> Vec<Partition> {
        for (id, share) in self.shares(topic) {
            let Some(member) = self.members.get_mut(&id) else {
                continue;
            };
            let surplus: Vec<Partition> = member.owned(topic).into_iter().skip(share).collect();
            for partition in &surplus {
                member.read.remove(partition);
            }
            if !surplus.is_empty() {
                member.notices.push_back(Incoming::Revoked(surplus));
            }
        }
        let owned: BTreeSet<&Partition> = self
            .members
            .values()
            .flat_map(|member| member.read.keys())
            .collect();
        partitions(topic)
            .filter(|partition| !owned.contains(partition))
            .collect()
    }

    fn hand_out(&mut self, topic: &Topic, free: Vec<Partition>) {
        let mut free = free.into_iter();
        for (id, share) in self.shares(topic) {
            let Some(member) = self.members.get_mut(&id) else {
                continue;
            };
            let missing = share.saturating_sub(member.owned(topic).len());
            let gained: Vec<Partition> = free.by_ref().take(missing).collect();
            for partition in &gained {
                let start = self.acked.get(partition).copied().unwrap_or(0);
                member.read.insert(partition.clone(), start);
            }
            if !gained.is_empty() {
                member.notices.push_back(Incoming::Assigned(gained));
            }
        }
    }
}

impl Membership {
    fn owned(&self, topic: &Topic) -> Vec<Partition> {
        self.read
            .keys()
            .filter(|partition| partition.topic == *topic)
            .cloned()
            .collect()
    }
}

/// Partitions of a topic in order of number.
pub(super) fn partitions(topic: &Topic) -> impl Iterator<Item = Partition> + use<> {
    let topic = topic.clone();
    (0..topic.partitions()).map(move |number| Partition {
        topic: topic.clone(),
        number,
    })
}
