//! Rows for reports and operators: one a limit.

use chorus_core::id::GroupId;
use chorus_core::limit::{Dimension, Window};
use chorus_core::time::Timestamp;
use serde::Serialize;

use super::Ledger;

/// Present state of one limit, as [`Ledger::levels`] returns it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Level {
    /// Quota group of the limit.
    pub group: GroupId,
    /// Dimension that is counted.
    pub dimension: Dimension,
    /// Window in which the amount comes back.
    pub window: Window,
    /// Amount left for new calls; below zero when more was used than there was.
    pub left: i64,
    /// Maximum that the limit can hold.
    pub capacity: i64,
    /// Amount reserved and not charged yet; slots for concurrency.
    pub held: i64,
    /// Lowest amount left since the start.
    pub lowest: i64,
    /// Time until which a refusal closed the group; none when it is open.
    pub closed_until: Option<Timestamp>,
}

impl Ledger {
    /// Returns all limits seen so far, by group, in the order of their configuration.
    pub fn levels(&mut self, now: Timestamp) -> Vec<Level> {
        self.expire(now);
        let mut levels = Vec::new();
        for (id, group) in &mut self.groups {
            let closed_until = group
                .closed
                .map(|closure| closure.until)
                .filter(|until| *until > now);
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

    /// Returns the number of leases that hold a slot or an amount.
    pub fn live_leases(&self) -> usize {
        self.leases.values().filter(|entry| entry.is_live()).count()
    }
}
