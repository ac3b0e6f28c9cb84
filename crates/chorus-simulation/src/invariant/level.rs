//! Levels of limits, one a limit, as the invariants compare them.

use chorus_core::id::GroupId;
use chorus_core::limit::{Dimension, GroupLevel, Window};

/// Level of one limit of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// Group of the limit.
    pub group: GroupId,
    /// Dimension that is counted.
    pub dimension: Dimension,
    /// Window in which the amount comes back.
    pub window: Window,
    /// Amount left for new calls.
    pub left: i64,
    /// Maximum that the limit can hold.
    pub capacity: i64,
    /// Amount reserved and not charged yet.
    pub held: i64,
}

impl Level {
    /// Returns the levels of all limits of these groups.
    pub fn of(groups: &[GroupLevel]) -> Vec<Self> {
        let one = |group: &GroupLevel| {
            let id = group.group.clone();
            let level = move |limit: &chorus_core::limit::LimitLevel| Self {
                group: id.clone(),
                dimension: limit.dimension,
                window: limit.window,
                left: limit.room,
                capacity: i64::try_from(limit.capacity).unwrap_or(i64::MAX),
                held: limit.held,
            };
            group.limits.iter().map(level).collect::<Vec<_>>()
        };
        groups.iter().flat_map(one).collect()
    }
}
