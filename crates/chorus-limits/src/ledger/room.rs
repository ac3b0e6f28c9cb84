//! Room of a candidate over all of its groups, and the choice among candidates.

use chorus_core::limit::{Candidate, Obstacle, ObstacleKind};
use chorus_core::time::Timestamp;

use super::fit::Fit;

/// Fit of a candidate, and the group that decides it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Fit over all groups.
    pub(super) fit: Fit,
    /// Index of the deciding group among the candidate's groups.
    pub(super) group: usize,
}

impl Room {
    /// Returns the room over this and another group: the one that is there last decides.
    pub(super) const fn and(self, other: Self) -> Self {
        match (self.fit, other.fit) {
            (Fit::Never(_), _) => self,
            (_, Fit::Never(_)) => other,
            (Fit::WhenFreed(..), _) => self,
            (_, Fit::WhenFreed(..)) => other,
            (Fit::At(one, _), Fit::At(another, _)) if another.0 > one.0 => other,
            (Fit::At(..), _) => self,
            (Fit::Now { .. }, Fit::At(..)) => other,
            (Fit::Now { headroom: one }, Fit::Now { headroom: another }) if another < one => other,
            (Fit::Now { .. }, Fit::Now { .. }) => self,
        }
    }
}

/// Returns the candidate of the lowest rank that fits now; among equals the one with most headroom,
/// then the first.
pub(super) fn best<'a>(candidates: &'a [Candidate], rooms: &[Room]) -> Option<&'a Candidate> {
    let fitting = candidates
        .iter()
        .zip(rooms)
        .filter_map(|(candidate, room)| match room.fit {
            Fit::Now { headroom } => Some((candidate.rank, std::cmp::Reverse(headroom), candidate)),
            Fit::At(..) | Fit::WhenFreed(..) | Fit::Never(_) => None,
        });
    fitting
        .min_by_key(|(rank, headroom, _)| (*rank, *headroom))
        .map(|(_, _, candidate)| candidate)
}

/// Returns the reason for which no candidate will ever fit, if none will.
pub(super) fn never(rooms: &[Room]) -> Option<String> {
    let mut reason = "there is no credential for it".to_owned();
    for room in rooms {
        let Fit::Never(dimension) = room.fit else {
            return None;
        };
        reason = format!("the call is larger than the limit on {dimension:?} of every credential");
    }
    Some(reason)
}

/// Returns the time at which the first candidate fits, its obstacle, and the candidate itself. Without such
/// a time it is the first candidate that waits for a slot.
pub(super) fn soonest<'a>(
    candidates: &'a [Candidate],
    rooms: &[Room],
) -> (Option<Timestamp>, Option<Obstacle>, Option<&'a Candidate>) {
    let (mut at, mut first): (Option<Timestamp>, _) = (None, (None, None));
    for (candidate, room) in candidates.iter().zip(rooms) {
        match room.fit {
            Fit::At(instant, kind) if at.is_none_or(|at| instant < at) => {
                at = Some(instant);
                let obstacle = obstacle(candidate, room.group, kind, Some(instant));
                first = (obstacle, Some(candidate));
            }
            Fit::WhenFreed(until, kind) if first.1.is_none() => {
                let obstacle = obstacle(candidate, room.group, kind, until);
                first = (obstacle, Some(candidate));
            }
            Fit::At(..) | Fit::WhenFreed(..) | Fit::Now { .. } | Fit::Never(_) => {}
        }
    }
    (at, first.0, first.1)
}

fn obstacle(
    candidate: &Candidate,
    group: usize,
    kind: ObstacleKind,
    until: Option<Timestamp>,
) -> Option<Obstacle> {
    let group = candidate.groups.get(group)?;
    Some(Obstacle {
        credential: candidate.credential,
        group: group.id.clone(),
        kind,
        until,
    })
}
