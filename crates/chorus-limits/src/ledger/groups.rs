//! Groups by dense keys, so that leases and bookings name them without their texts.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use chorus_core::id::GroupId;

use super::group::Group;
use super::group_key::GroupKey;

/// Map whose keys come from this installation, so that a fast hash serves.
pub(super) type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<FastHasher>>;

/// Groups that were named, with their state once they are configured.
#[derive(Debug, Clone, Default)]
pub(super) struct Groups {
    keys: FastMap<GroupId, GroupKey>,
    slots: Vec<Slot>,
    freed: Vec<GroupKey>,
}

#[derive(Debug, Clone)]
struct Slot {
    id: GroupId,
    group: Option<Group>,
    is_freed: bool,
}

impl Groups {
    /// Returns the key of a group; a new one for a group that was not named before.
    pub(super) fn key(&mut self, id: &GroupId) -> GroupKey {
        visit();
        if let Some(key) = self.keys.get(id) {
            return *key;
        }
        let key = GroupKey::at(self.slots.len());
        self.slots.push(Slot {
            id: id.clone(),
            group: None,
            is_freed: false,
        });
        self.keys.insert(id.clone(), key);
        key
    }

    /// Returns the key of a group that was named.
    pub(super) fn find(&self, id: &GroupId) -> Option<GroupKey> {
        visit();
        self.keys.get(id).copied()
    }

    pub(super) fn id(&self, key: GroupKey) -> &GroupId {
        &self.slots[key.place()].id
    }

    pub(super) fn get(&self, key: GroupKey) -> Option<&Group> {
        visit();
        self.slots[key.place()].group.as_ref()
    }

    pub(super) fn get_mut(&mut self, key: GroupKey) -> Option<&mut Group> {
        visit();
        self.slots[key.place()].group.as_mut()
    }

    pub(super) fn named(&mut self, id: &GroupId) -> Option<&mut Group> {
        let key = self.find(id)?;
        self.get_mut(key)
    }

    pub(super) fn insert(&mut self, key: GroupKey, group: Group) {
        self.slots[key.place()].group = Some(group);
    }

    /// Returns the configured groups by id.
    pub(super) fn sorted(&mut self) -> Vec<(&GroupId, &mut Group)> {
        let slots = self.slots.iter_mut();
        let mut groups: Vec<_> = slots
            .filter_map(|slot| Some((&slot.id, slot.group.as_mut()?)))
            .collect();
        groups.sort_unstable_by_key(|(id, _)| *id);
        groups
    }

    /// Notes that a group was freed or corrected.
    pub(super) fn freed(&mut self, key: GroupKey) {
        let slot = &mut self.slots[key.place()];
        if !slot.is_freed {
            slot.is_freed = true;
            self.freed.push(key);
        }
    }

    /// Returns the groups that were freed or corrected since the last call.
    pub(super) fn take_freed(&mut self) -> Vec<GroupId> {
        let freed = std::mem::take(&mut self.freed);
        let id = |key: GroupKey| {
            let slot = &mut self.slots[key.place()];
            slot.is_freed = false;
            slot.id.clone()
        };
        freed.into_iter().map(id).collect()
    }
}

#[cfg(test)]
thread_local! {
    static VISITS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Counts a look for a group, or at a lease.
#[cfg(test)]
pub(super) fn visit() {
    VISITS.with(|visits| visits.set(visits.get() + 1));
}

#[cfg(not(test))]
pub(super) const fn visit() {}

/// Returns the number of looks for groups and at leases on this thread.
#[cfg(test)]
pub(super) fn visits() -> u64 {
    VISITS.with(std::cell::Cell::get)
}

/// Multiplicative hash of random ids and short names.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FastHasher(u64);

impl Hasher for FastHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        // Ids that count upwards differ in few bits: all of them must reach the low ones.
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 32)
    }
}
