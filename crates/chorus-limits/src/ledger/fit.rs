//! Answer of a [`Group`](super::group::Group) to a call: now, at an instant, or never.

use chorus_core::limit::{Dimension, ObstacleKind};
use chorus_core::time::Timestamp;

/// Answer of a group to a [`Candidate`](chorus_core::limit::Candidate).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// Fits now, and leaves this many parts per million of the scarcest limit.
    Now { headroom: i64 },
    /// Fits at this instant, if nothing else changes.
    At(Timestamp, ObstacleKind),
    /// Fits when a slot is freed, at this time at the latest where one is known.
    WhenFreed(Option<Timestamp>, ObstacleKind),
    /// Larger than the limit of this dimension.
    Never(Dimension),
}

impl Fit {
    /// Returns the fit that comes first.
    pub(super) fn sooner(self, other: Self) -> Self {
        match (self, other) {
            (Self::At(one, _), Self::At(another, _)) if another < one => other,
            (Self::WhenFreed(..), Self::At(..)) => other,
            _ => self,
        }
    }
}
