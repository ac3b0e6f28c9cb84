//! A tree over the targets of one line, which finds those with room without looking at all of them.
//!
//! Each node keeps bounds of what is below it: the earliest time at which any target may be called, and the most
//! tokens that any has. A branch whose bounds exclude the call is not entered. Bounds are loose after grants and are
//! tightened where a search passes, so a grant touches no node. Exact fits come from the mirrors, by the caller.

use chorus_core::time::Timestamp;

use crate::targets::NEVER;

/// Children of a node.
const FAN: usize = 8;
/// Dimensions of tokens that are bounded: prompt, produced, and both together.
pub(crate) const TOKENS: usize = 3;

/// Amount of tokens in each dimension.
pub(crate) type Tokens = [f64; TOKENS];

/// What a target, or any target below a node, may have at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bound {
    /// Earliest time at which it may be called, whatever the size of the call.
    pub(crate) opens: Timestamp,
    /// Most tokens left at `at`.
    pub(crate) room: Tokens,
    /// Most tokens that come back in a millisecond.
    pub(crate) per_ms: Tokens,
    pub(crate) at: Timestamp,
}

impl Bound {
    /// Bound of nothing: no call fits.
    pub(crate) const NOTHING: Self = Self {
        opens: NEVER,
        room: [f64::NEG_INFINITY; TOKENS],
        per_ms: [0.0; TOKENS],
        at: Timestamp(0),
    };

    /// Earliest instant at which a call of this size may fit.
    pub(crate) fn earliest(&self, need: &Tokens, now: Timestamp) -> Timestamp {
        let mut at = self.opens.max(now);
        for ((need, room), per_ms) in need.iter().zip(&self.room).zip(&self.per_ms) {
            let missing = need - room;
            if missing > 1e-6 {
                if *per_ms <= 0.0 {
                    return NEVER;
                }
                let wait = missing / per_ms;
                if wait > 1e12 {
                    return NEVER;
                }
                at = at.max(Timestamp(self.at.0.saturating_add(wait as i64)));
            }
        }
        at
    }

    fn room_at(&self, token: usize, now: Timestamp) -> f64 {
        self.room[token] + self.per_ms[token] * now.since(self.at).0 as f64
    }

    /// Widens the bound so that it covers another one as well.
    fn cover(&mut self, other: &Self, now: Timestamp) {
        self.opens = self.opens.min(other.opens);
        for token in 0..TOKENS {
            let room = self.room_at(token, now).max(other.room_at(token, now));
            self.per_ms[token] = self.per_ms[token].max(other.per_ms[token]);
            self.room[token] = room;
        }
        self.at = now;
    }
}

/// Answer of the caller about one target.
pub(crate) enum Look {
    /// The search goes on; the target fits at this instant.
    On(Timestamp),
    /// Enough was found.
    Stop,
}

/// Bounds over the targets of a line.
#[derive(Debug, Clone, Default)]
pub(crate) struct FitTree {
    /// Levels of the tree from the leaves to the root.
    levels: Vec<Vec<Bound>>,
    /// Leaf at which the next search begins, so that equal targets take turns.
    turn: usize,
    /// Number of leaves and nodes that searches have looked at.
    pub(crate) looked: u64,
}

/// One search: what is needed, and the earliest instant found so far.
struct Search<'a> {
    need: &'a Tokens,
    now: Timestamp,
    best: Timestamp,
}

impl FitTree {
    /// Builds a tree over these leaves.
    pub(crate) fn new(leaves: Vec<Bound>, now: Timestamp) -> Self {
        let mut levels = vec![leaves];
        while levels.last().is_some_and(|level| level.len() > 1) {
            let below = levels.last().map(Vec::as_slice).unwrap_or_default();
            let above = below.chunks(FAN).map(|nodes| joined(nodes, now)).collect();
            levels.push(above);
        }
        Self {
            levels,
            turn: 0,
            looked: 0,
        }
    }

    /// Number of leaves.
    pub(crate) fn len(&self) -> usize {
        self.levels.first().map_or(0, Vec::len)
    }

    /// Replaces the bound of a leaf.
    pub(crate) fn set(&mut self, leaf: usize, bound: Bound, now: Timestamp) {
        let mut place = leaf;
        for (level, nodes) in self.levels.iter_mut().enumerate() {
            let Some(node) = nodes.get_mut(place) else {
                return;
            };
            if level == 0 {
                *node = bound;
            } else {
                node.cover(&bound, now);
            }
            place /= FAN;
        }
    }

    /// Shows the caller the leaves on which a call of this size may fit before the earliest instant found, until it
    /// stops. Returns the earliest instant.
    pub(crate) fn search(
        &mut self,
        need: &Tokens,
        now: Timestamp,
        mut look: impl FnMut(usize) -> Look,
    ) -> Timestamp {
        let mut search = Search {
            need,
            now,
            best: NEVER,
        };
        let count = self.len();
        if count > 0 {
            self.turn = (self.turn + 1) % count;
            let top = self.levels.len() - 1;
            self.visit(top, 0, &mut search, &mut look);
        }
        search.best
    }

    /// Visits a node; returns true if the caller has enough.
    fn visit(
        &mut self,
        level: usize,
        node: usize,
        search: &mut Search<'_>,
        look: &mut impl FnMut(usize) -> Look,
    ) -> bool {
        self.looked += 1;
        let earliest = self.levels[level][node].earliest(search.need, search.now);
        if earliest > search.now && earliest >= search.best {
            return false;
        }
        if level == 0 {
            return match look(node) {
                Look::Stop => true,
                Look::On(at) => {
                    search.best = search.best.min(at);
                    false
                }
            };
        }
        let children = node * FAN..((node + 1) * FAN).min(self.levels[level - 1].len());
        let span = FAN.pow(u32::try_from(level - 1).unwrap_or(0));
        let first = (self.turn / span).clamp(children.start, children.end - 1);
        for child in (first..children.end).chain(children.start..first) {
            if self.visit(level - 1, child, search, look) {
                return true;
            }
        }
        self.levels[level][node] = joined(&self.levels[level - 1][children], search.now);
        false
    }
}

fn joined(nodes: &[Bound], now: Timestamp) -> Bound {
    let mut bound = Bound {
        at: now,
        ..Bound::NOTHING
    };
    for node in nodes {
        bound.cover(node, now);
    }
    bound
}

#[cfg(test)]
mod tests;
