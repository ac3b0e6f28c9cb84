//! Levels for mirrors, reports and operators.

use std::sync::Arc;

use chorus_core::id::GroupId;
use chorus_core::limit::{GroupLevel, QuotaGroup};
use chorus_core::time::Timestamp;

use super::Ledger;
use super::group::Group;

impl Ledger {
    /// Returns the levels of all groups seen so far, by id.
    pub fn all_levels(&mut self, now: Timestamp) -> Vec<GroupLevel> {
        self.expire(now);
        let groups = self.groups.sorted().into_iter();
        groups.map(|(id, group)| group.level(id, now)).collect()
    }

    /// Returns the levels of these groups, in order; one that is not known has the level with which it
    /// would begin.
    pub fn levels(&mut self, groups: &[Arc<QuotaGroup>], now: Timestamp) -> Vec<GroupLevel> {
        self.expire(now);
        let level = |config: &Arc<QuotaGroup>| match self.groups.named(&config.id) {
            Some(group) => group.level(&config.id, now),
            None => self.fresh(config, now).level(&config.id, now),
        };
        groups.iter().map(level).collect()
    }

    /// Returns the level of a group that is known.
    pub fn level(&mut self, group: &GroupId, now: Timestamp) -> Option<GroupLevel> {
        let known = self.groups.named(group)?;
        Some(known.level(group, now))
    }

    /// Returns the number of leases that hold a slot or an amount.
    pub fn live_leases(&self) -> usize {
        self.leases.values().filter(|entry| entry.is_live()).count()
    }
}

impl Group {
    /// Returns the level of every limit.
    pub(super) fn level(&mut self, id: &GroupId, now: Timestamp) -> GroupLevel {
        let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        GroupLevel {
            group: id.clone(),
            at: now,
            limits: self
                .meters
                .iter_mut()
                .map(|meter| meter.level(now))
                .collect(),
            in_flight: count(self.in_flight),
            closed: self.closed.filter(|closure| closure.until > now),
            bookings: u32::try_from(self.bookings.count(now)).unwrap_or(u32::MAX),
        }
    }
}
