//! The ledger as people may look at it: one row a limit.

use chorus_core::id::GroupId;
use chorus_core::limit::{Dimension, Window};
use chorus_core::time::Timestamp;
use serde::Serialize;

use super::Ledger;

/// One limit as it stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Level {
    /// The group.
    pub group: GroupId,
    /// What is counted.
    pub dimension: Dimension,
    /// How it comes back.
    pub window: Window,
    /// What is left for new calls; below zero when more was used than there was.
    pub left: i64,
    /// The most it can hold.
    pub capacity: i64,
    /// What is set aside for calls under way and not charged yet; slots for concurrency.
    pub held: i64,
    /// The least that was left since the start.
    pub lowest: i64,
    /// No call in the group before this time, when a refusal closed it.
    pub closed_until: Option<Timestamp>,
}

impl Ledger {
    /// All limits seen so far, by group, in the order of their configuration.
    pub fn levels(&mut self, now: Timestamp) -> Vec<Level> {
        self.expire(now);
        let mut levels = Vec::new();
        for (id, group) in &mut self.groups {
            let closed_until = Some(group.closed_until).filter(|until| *until > now);
            levels.extend(group.meters.iter_mut().map(|meter| Level {
                group: id.clone(),
                dimension: meter.limit.dimension,
                window: meter.limit.window,
                left: meter.room(now),
                capacity: meter.capacity(),
                held: meter.held,
                lowest: meter.lowest,
                closed_until,
            }));
        }
        levels
    }

    /// Leases that hold a slot or an amount.
    pub fn live_leases(&self) -> usize {
        self.leases.values().filter(|entry| entry.is_live()).count()
    }
}
