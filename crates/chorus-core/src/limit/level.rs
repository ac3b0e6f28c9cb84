//! Levels of quota groups at one instant, for mirrors and for operators.

use serde::{Deserialize, Serialize};

use super::{Dimension, Window};
use crate::failure::FailureClass;
use crate::id::GroupId;
use crate::time::Timestamp;

/// Level of every limit of one [`QuotaGroup`](super::QuotaGroup).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupLevel {
    /// Group of the limits.
    pub group: GroupId,
    /// Time of the levels, by the limiter's clock.
    pub at: Timestamp,
    /// Level of each limit, in the order of the configuration.
    pub limits: Vec<LimitLevel>,
    /// Number of live leases that draw on the group.
    pub in_flight: u32,
    /// Closure by a refusal; none while the group is open.
    pub closed: Option<GroupClosure>,
    /// Number of waiting calls that have booked their amounts.
    pub bookings: u32,
}

/// Level of one [`Limit`](super::Limit).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitLevel {
    /// Dimension that is counted.
    pub dimension: Dimension,
    /// Window in which the amount comes back.
    pub window: Window,
    /// Amount of one window that is in force.
    pub amount: u64,
    /// Amount of one window as configured.
    pub configured: u64,
    /// Maximum that the limit can hold.
    pub capacity: u64,
    /// Amount left for new calls; below zero when more was used than there was.
    pub room: i64,
    /// Amount reserved and not charged yet; slots for concurrency.
    pub held: i64,
    /// Time at which every charge has come back if no other is made; none for slots.
    pub full_at: Option<Timestamp>,
    /// Origin of the amount and the level.
    pub source: LevelSource,
    /// Time at which the source spoke last.
    pub source_at: Timestamp,
}

/// Origin of a [`LimitLevel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LevelSource {
    /// Charges of this installation since the limit was seen first.
    Own,
    /// Headers of a reply.
    Header,
    /// Refusal of a call.
    Refusal,
    /// Calls that ended before the state was lost.
    Past,
    /// Configuration: nothing was charged yet.
    Configured,
}

/// Closure of a group by a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupClosure {
    /// Time at which the group opens by itself.
    pub until: Timestamp,
    /// Class of the refusal.
    pub class: FailureClass,
    /// Time at which the refusal was observed.
    pub since: Timestamp,
}

/// Change of a group: a hint that may be late, doubled or missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupChange {
    /// Group that was freed or corrected.
    pub group: GroupId,
    /// Level after the change; none where it was not read.
    pub level: Option<GroupLevel>,
}
