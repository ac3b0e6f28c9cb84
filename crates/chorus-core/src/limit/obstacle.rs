//! Obstacles of waiting reservations: the limit, closure or slot that a call waits for.

use serde::{Deserialize, Serialize};

use super::Dimension;
use crate::failure::FailureClass;
use crate::id::{CredentialId, GroupId};
use crate::time::Timestamp;

/// Reason for which a reservation waits: of the candidate that fits first, the group that fits last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    /// Credential of the candidate that has room first.
    pub credential: CredentialId,
    /// Group that has no room yet.
    pub group: GroupId,
    /// Kind of the obstacle.
    pub kind: ObstacleKind,
    /// Time at which the obstacle is gone if nothing else changes; none when only a freed slot helps.
    pub until: Option<Timestamp>,
}

/// Kind of an [`Obstacle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ObstacleKind {
    /// The amount left of a limit is too small.
    Limit {
        /// Dimension of the limit.
        dimension: Dimension,
    },
    /// Slots are held by calls of a process that ended; the provider may still count them.
    SlotsOfEndedProcess,
    /// A refusal closed the group.
    Closed {
        /// Class of the refusal.
        class: FailureClass,
        /// Time of the refusal.
        since: Timestamp,
    },
    /// The cap on calls in flight that refusals taught is reached.
    CallsInFlight,
    /// An interactive call has booked the amount.
    InteractiveCall,
    /// A call that waits longer has booked the amount.
    BookedCall,
}

impl ObstacleKind {
    /// Returns the dimension of the limit that has no room; none for every other obstacle.
    pub const fn dimension(self) -> Option<Dimension> {
        match self {
            Self::Limit { dimension } => Some(dimension),
            Self::CallsInFlight => Some(Dimension::Concurrency),
            Self::SlotsOfEndedProcess
            | Self::Closed { .. }
            | Self::InteractiveCall
            | Self::BookedCall => None,
        }
    }
}
