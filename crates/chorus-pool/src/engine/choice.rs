//! Choice among targets that fit: affinity to a cached prompt with bounded load, health and pace, then headroom.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chorus_core::limit::Dimension;
use chorus_core::time::{Millis, Timestamp};
use serde::Serialize;

use super::Engine;
use super::lines::Line;
use crate::order::RowId;
use crate::targets::TargetId;

/// Time for which a provider is expected to keep a prompt in its cache.
const CACHED: Millis = Millis::from_secs(300);
/// Load of a target, against its share of the calls under way, up to which it keeps the calls of a prefix: in per cent.
const BOUNDED_LOAD: f64 = 1.25;
/// Rank by which a target that has the prompt may be worse than the best one.
const RANK_FOR_PREFIX: u32 = 4;
/// Number of prefixes that are remembered.
const PREFIXES: usize = 10_000;
/// Length of a prefix from which the calls after the first wait for it.
const STAGGERED: u32 = 4_096;
/// Time before the first token of a short prompt, and tokens read in a millisecond, of providers as they are: only
/// slow accounts are judged by them.
const FIRST_TOKEN: Millis = Millis(500);
const READ_PER_MS: u64 = 10;
/// Longest wait for the first call with a prefix.
const LEAD: Millis = Millis(3_000);

/// Reason for which an endpoint was chosen for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChoiceReason {
    /// No other endpoint had room.
    Only,
    /// The endpoint had the start of the prompt in its cache, and no more than its share of the load.
    Prefix,
    /// Others were slower, or had failed lately.
    Rank,
    /// Others had less headroom.
    Headroom,
    /// Others were as good, and were used more or later.
    Turn,
}

impl ChoiceReason {
    /// All reasons, in their order.
    pub const ALL: [Self; 5] = [
        Self::Only,
        Self::Prefix,
        Self::Rank,
        Self::Headroom,
        Self::Turn,
    ];
}

/// A target that fits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fitting {
    pub(super) target: TargetId,
    pub(super) leaf: usize,
    pub(super) headroom: i64,
}

/// Order of targets that fit ([`Fitting`]): rank, headroom, then calls under way, last use and position.
type ChoiceKey = (u32, Reverse<i64>, (u32, u64, usize));

/// Targets that have served each [`Prefix`](crate::Prefix) lately.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    holders: BTreeMap<u64, Vec<Holding>>,
}

#[derive(Debug, Clone, Copy)]
struct Holding {
    target: TargetId,
    first: Timestamp,
    last: Timestamp,
}

impl Prefixes {
    /// Records that a call with this prefix begins on a target.
    pub(super) fn used(&mut self, key: u64, target: TargetId, now: Timestamp) {
        if self.holders.len() >= PREFIXES && !self.holders.contains_key(&key) {
            self.holders
                .retain(|_, holders| holders.iter().any(|one| one.last + CACHED > now));
            if self.holders.len() >= PREFIXES {
                return;
            }
        }
        let holders = self.holders.entry(key).or_default();
        holders.retain(|one| one.last + CACHED > now);
        match holders.iter_mut().find(|one| one.target == target) {
            Some(holding) => holding.last = now,
            None => holders.push(Holding {
                target,
                first: now,
                last: now,
            }),
        }
    }

    fn holds(&self, key: u64, target: TargetId, now: Timestamp) -> bool {
        let holders = self.holders.get(&key).into_iter().flatten();
        holders
            .filter(|one| one.last + CACHED > now)
            .any(|one| one.target == target)
    }

    /// Time at which the first call with a prefix began, if that was a moment ago on one target only.
    fn leads_since(&self, key: u64, now: Timestamp) -> Option<Timestamp> {
        let holders = self.holders.get(&key)?;
        let [one] = holders.as_slice() else {
            return None;
        };
        (one.first == one.last && now < one.first + LEAD).then_some(one.first)
    }
}

impl Engine {
    /// Chooses among the targets that fit.
    pub(super) fn choose(
        &self,
        line: &Line,
        row: RowId,
        fits: &[Fitting],
        now: Timestamp,
    ) -> (TargetId, ChoiceReason) {
        let fastest = line.routes.iter().map(|route| self.pace(*route));
        let fastest = fastest.fold(f64::INFINITY, f64::min);
        let rank = |one: &Fitting| {
            let target = self.targets.target(one.target);
            let slower = if line.routes.len() > 1 {
                ((self.pace(target.route) / fastest - 1.0) * 4.0) as u32
            } else {
                0
            };
            let slow = ((target.pace.slowness() - 1.0) * 4.0) as u32;
            slower + slow + target.rank
        };
        let key = |one: &Fitting| {
            let target = self.targets.target(one.target);
            let turn = (target.in_flight, target.last_use, one.leaf);
            (rank(one), Reverse(one.headroom), turn)
        };
        let mut best: Option<(&Fitting, ChoiceKey)> = None;
        let mut second = None;
        for one in fits {
            let key = key(one);
            match &best {
                Some((_, least)) if key >= *least => {
                    second = Some(second.map_or(key, |second| key.min(second)));
                }
                _ => {
                    second = best.map(|(_, key)| key).or(second);
                    best = Some((one, key));
                }
            }
        }
        let Some((first, least)) = best else {
            return (fits[0].target, ChoiceReason::Only);
        };
        if let Some(kept) = self.keeps_prefix(line, row, fits, (least.0, rank), now) {
            return (kept, ChoiceReason::Prefix);
        }
        let because = match second {
            None => ChoiceReason::Only,
            Some(second) if second.0 > least.0 => ChoiceReason::Rank,
            Some(second) if second.1 > least.1 => ChoiceReason::Headroom,
            Some(_) => ChoiceReason::Turn,
        };
        (first.target, because)
    }

    /// Returns true if a call ends later on the slow targets that fit than if it waits for another one, and so late
    /// that it prolongs the work of the pool. While much work waits, slow targets do their part of it.
    pub(super) fn is_late_on(
        &self,
        fits: &[Fitting],
        row: RowId,
        alternative: Timestamp,
        drain: Millis,
        now: Timestamp,
    ) -> bool {
        let row = self.rows.row(row);
        let is_late = |one: &Fitting| {
            let slowness = self.targets.target(one.target).pace.slowness();
            if slowness <= 1.0 {
                return false;
            }
            let route = self.targets.route_of(one.target);
            let (provider, model) = (&route.provider, &route.row);
            let estimate = self
                .estimator
                .estimate(provider, model, row.kind, &row.size);
            let pace = self.estimator.pace(provider, &model.slug);
            let begins = FIRST_TOKEN.0 + estimate.input / READ_PER_MS;
            let time = |tokens: u64| Millis((tokens as f64 * pace) as u64 + begins);
            let (service, longest) = (time(estimate.output_p50), time(estimate.output_p90));
            let slow = |millis: Millis| Millis((millis.0 as f64 * slowness) as u64);
            let after = row.path_after(service);
            let is_later = now + slow(service) > alternative + service;
            is_later && slow(longest).0 + after.0 > drain.0.max(longest.0 + after.0)
        };
        fits.iter().all(is_late)
    }

    /// A target that has the start of the prompt in its cache, is no worse by much and has no more than its share of
    /// the load. All of them fit now, so nothing waits for the cache.
    fn keeps_prefix(
        &self,
        line: &Line,
        row: RowId,
        fits: &[Fitting],
        (best_rank, rank): (u32, impl Fn(&Fitting) -> u32),
        now: Timestamp,
    ) -> Option<TargetId> {
        let prefix = self.rows.prefix(row)?;
        let load = |one: &&Fitting| {
            let target = self.targets.target(one.target);
            let share = f64::from(line.in_flight + 1) * target.weight / line.weight.max(1e-9);
            f64::from(target.in_flight + 1) / (share * BOUNDED_LOAD).max(1.0)
        };
        let holders = fits.iter().filter(|one| {
            self.prefixes.holds(prefix.key, one.target, now)
                && self.saves(one.target)
                && rank(one) <= best_rank + RANK_FOR_PREFIX
        });
        let kept = holders.min_by(|one, other| load(one).total_cmp(&load(other)))?;
        (load(&kept) <= 1.0).then_some(kept.target)
    }

    /// Returns true if a cached prompt is cheaper on a target, or counts less against its limits.
    fn saves(&self, target: TargetId) -> bool {
        let of_target = self.targets.target(target);
        let route = self.targets.route_of(target);
        let price = &route.row.price;
        let is_cheaper = price.cache_read < price.input;
        let mut limits = of_target.configs.iter().flat_map(|group| &group.limits);
        is_cheaper
            || limits.any(|limit| {
                limit.dimension == Dimension::InputTokens && limit.cache_read_percent < 100
            })
    }

    fn pace(&self, route: crate::targets::RouteNo) -> f64 {
        let route = &self.targets.routes[route as usize];
        self.estimator.pace(&route.provider, &route.model)
    }

    /// Defers a call with a long prefix for a moment while the first call with it is under way, so that the cache is
    /// filled once. Returns true if the call was deferred.
    pub(super) fn staggered(&mut self, number: RowId, now: Timestamp) -> bool {
        let prefix = self.rows.prefix(number);
        let Some(prefix) = prefix.filter(|prefix| prefix.tokens >= STAGGERED) else {
            return false;
        };
        let Some(since) = self.prefixes.leads_since(prefix.key, now) else {
            return false;
        };
        let row = self.rows.row_mut(number);
        if row.was_staggered || row.is_interactive {
            return false;
        }
        row.was_staggered = true;
        self.lift(number);
        self.sleep(number, since + LEAD);
        true
    }
}
