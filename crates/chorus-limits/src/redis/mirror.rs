//! Levels that this process last saw of each group: rates restart from them after the shared state was
//! lost, and [`Alone`](super::alone::Alone) uses them without the server.

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::id::GroupId;
use chorus_core::limit::{GroupClosure, QuotaGroup};

use super::reply::Rooms;
use super::text::config;

/// Group as it was last seen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mirror {
    /// Limits of the group.
    pub(super) group: Arc<QuotaGroup>,
    /// Limits as the script reads them.
    pub(super) config: String,
    /// Amount left of each limit; reservations count as used, as their end may never be seen here.
    pub(super) rooms: Vec<i64>,
    /// GroupClosure by a refusal; none while the group is open.
    pub(super) closed: Option<GroupClosure>,
}

/// [`Mirror`] of each group that this process saw.
#[derive(Debug, Clone, Default)]
pub(super) struct Mirrors {
    groups: BTreeMap<GroupId, Mirror>,
}

impl Mirrors {
    /// Updates groups by their rooms; their limits are among `groups`.
    pub(super) fn saw<'a>(
        &mut self,
        groups: impl IntoIterator<Item = &'a Arc<QuotaGroup>>,
        rooms: Rooms,
    ) {
        let groups: BTreeMap<&GroupId, &Arc<QuotaGroup>> =
            groups.into_iter().map(|group| (&group.id, group)).collect();
        for (id, rooms) in rooms {
            let Some(group) = groups
                .get(&id)
                .filter(|group| group.limits.len() == rooms.len())
            else {
                continue;
            };
            let closed = self.groups.get(&id).and_then(|mirror| mirror.closed);
            let known = self
                .groups
                .get(&id)
                .filter(|mirror| Arc::ptr_eq(&mirror.group, group))
                .map(|mirror| mirror.config.clone());
            let config = known.unwrap_or_else(|| config(group));
            self.groups.insert(
                id,
                Mirror {
                    group: Arc::clone(group),
                    config,
                    rooms,
                    closed,
                },
            );
        }
    }

    /// Updates the rooms of groups that were seen before.
    pub(super) fn saw_again(&mut self, rooms: Rooms) {
        for (id, rooms) in rooms {
            if let Some(mirror) = self.groups.get_mut(&id)
                && mirror.group.limits.len() == rooms.len()
            {
                mirror.rooms = rooms;
            }
        }
    }

    /// Sets or clears the closure of a group.
    pub(super) fn closed(&mut self, group: &GroupId, closed: Option<GroupClosure>) {
        if let Some(mirror) = self.groups.get_mut(group) {
            mirror.closed = closed;
        }
    }

    /// Returns a group that was seen.
    pub(super) fn get(&self, group: &GroupId) -> Option<&Mirror> {
        self.groups.get(group)
    }

    /// Returns all groups that were seen.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&GroupId, &Mirror)> {
        self.groups.iter()
    }
}
