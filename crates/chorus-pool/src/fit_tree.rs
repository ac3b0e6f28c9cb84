//! A tree over the targets of one line, which finds those with room without looking at all of them.
//!
//! Each node keeps bounds of what is below it: the earliest time at which any target may be called, and the most
//! tokens that any has. A branch whose bounds exclude the call is not entered. Bounds are loose after grants and are
//! tightened where a search passes, so a grant touches no node. Exact fits come from the mirrors, by the caller.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

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
    /// Earliest time at which it may be called, for any size of the call.
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
    /// Memory of searches.
    queue: BinaryHeap<Reverse<Visit>>,
    passed: Vec<(usize, usize)>,
}

/// A node to be visited: those that may fit first go first, and equal ones in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Visit {
    at: Timestamp,
    turn: usize,
    level: usize,
    node: usize,
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
            queue: BinaryHeap::new(),
            passed: Vec::new(),
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

    /// Replaces the bound of a leaf by a lower one: the nodes above stay loose until a search passes.
    pub(crate) fn lower(&mut self, leaf: usize, bound: Bound) {
        if let Some(node) = self
            .levels
            .first_mut()
            .and_then(|leaves| leaves.get_mut(leaf))
        {
            *node = bound;
        }
    }

    /// Shows the caller the leaves on which a call of this size may fit, those that may fit now first, until it stops
    /// or no other leaf may fit before the earliest instant found. Returns that instant.
    pub(crate) fn search(
        &mut self,
        need: &Tokens,
        now: Timestamp,
        mut look: impl FnMut(usize) -> Look,
    ) -> Timestamp {
        let (count, mut best) = (self.len(), NEVER);
        if count == 0 {
            return best;
        }
        self.turn = (self.turn + 1) % count;
        let mut passed = std::mem::take(&mut self.passed);
        let mut queue = std::mem::take(&mut self.queue);
        queue.push(self.visit(self.levels.len() - 1, 0, need, now));
        while let Some(Reverse(next)) = queue.pop() {
            if next.at > now && next.at >= best {
                break;
            }
            self.looked += 1;
            if next.level == 0 {
                match look(next.node) {
                    Look::Stop => break,
                    Look::On(at) => best = best.min(at),
                }
                continue;
            }
            passed.push((next.level, next.node));
            for child in self.children(next.level, next.node) {
                let visit = self.visit(next.level - 1, child, need, now);
                queue.push(visit);
            }
        }
        for (level, node) in passed.drain(..).rev() {
            let children = self.children(level, node);
            self.levels[level][node] = joined(&self.levels[level - 1][children], now);
        }
        queue.clear();
        (self.queue, self.passed) = (queue, passed);
        best
    }

    fn children(&self, level: usize, node: usize) -> std::ops::Range<usize> {
        node * FAN..((node + 1) * FAN).min(self.levels[level - 1].len())
    }

    fn visit(&self, level: usize, node: usize, need: &Tokens, now: Timestamp) -> Reverse<Visit> {
        let span = FAN.pow(u32::try_from(level).unwrap_or(0));
        let (first, count) = (node * span, self.len());
        Reverse(Visit {
            at: self.levels[level][node].earliest(need, now),
            turn: (first + count - self.turn) % count,
            level,
            node,
        })
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
