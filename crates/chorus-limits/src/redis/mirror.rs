//! What this process last saw of each group: where rates restart from after the shared state was lost, and what a
//! process goes by that must do without it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::id::GroupId;
use chorus_core::limit::QuotaGroup;
use chorus_core::time::Timestamp;

use super::reply::Rooms;
use super::text::config;

/// One group as it was last seen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mirror {
    /// Its limits.
    pub(super) group: Arc<QuotaGroup>,
    /// Their text.
    pub(super) config: String,
    /// What was left of each; what was set aside counts as used, as nobody here may hear how it ends.
    pub(super) rooms: Vec<i64>,
    /// When it opens, if a refusal closed it.
    pub(super) closed_until: Option<Timestamp>,
}

/// All groups that this process saw.
#[derive(Debug, Clone, Default)]
pub(super) struct Mirrors {
    groups: BTreeMap<GroupId, Mirror>,
}

impl Mirrors {
    /// Some groups were seen; their limits are among `groups`.
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
            let closed_until = self.groups.get(&id).and_then(|mirror| mirror.closed_until);
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
                    closed_until,
                },
            );
        }
    }

    /// Groups that were seen before have other rooms now.
    pub(super) fn saw_again(&mut self, rooms: Rooms) {
        for (id, rooms) in rooms {
            if let Some(mirror) = self.groups.get_mut(&id)
                && mirror.group.limits.len() == rooms.len()
            {
                mirror.rooms = rooms;
            }
        }
    }

    /// A refusal closed a group, or it is open again.
    pub(super) fn closed(&mut self, group: &GroupId, until: Option<Timestamp>) {
        if let Some(mirror) = self.groups.get_mut(group) {
            mirror.closed_until = until;
        }
    }

    /// One group.
    pub(super) fn get(&self, group: &GroupId) -> Option<&Mirror> {
        self.groups.get(group)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&GroupId, &Mirror)> {
        self.groups.iter()
    }
}
