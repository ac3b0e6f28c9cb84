//! Mirror of one quota group: its levels as far as they are known here, so that a call is offered to the limiter
//! only where it is expected to fit.
//!
//! Pure. A mirror is corrected by every answer of the limiter and never decides by itself: the limiter has the truth.
//! Where a mirror is too full, the limiter refuses and names the instant; where it may be too empty, it is
//! [doubted](Mirror::doubt) and the limiter is asked. Neighbours: [`Targets`](crate::targets::Targets) holds one for
//! each group, [`FitTree`](crate::fit_tree::FitTree) finds those with room.

use std::sync::Arc;

use chorus_core::limit::{
    CallEstimate, Dimension, GroupLevel, Lease, Limit, LimitLevel, Obstacle, ObstacleKind,
    QuotaGroup, ReserveRule, Window,
};
use chorus_core::time::{Millis, Timestamp};

/// Time that never comes: of what opens when something changes.
pub(crate) const NEVER: Timestamp = Timestamp(i64::MAX);

/// Time after a grant in which a bucket that was full gains nothing, in milliseconds.
const TRAVEL: f64 = 500.0;
/// Time after a refusal for the booking of another call in which no level makes the limiter be asked again.
///
/// Levels show no bookings, and a call that is asked for on several groups moves its own from one to the next, with
/// a hint for each: without a pause those hints would follow each other for ever.
const KEPT: Millis = Millis(50);
/// Binary logarithm of the longest time, in milliseconds, for which repeated refusals hold against levels.
const LONGEST_REFUSAL: u32 = 9;

/// Levels of the limits of one [`QuotaGroup`].
#[derive(Debug, Clone)]
pub(crate) struct Mirror {
    /// Group as configured.
    pub(crate) group: Arc<QuotaGroup>,
    pub(crate) meters: Vec<Meter>,
    /// Closure that the limiter named.
    pub(crate) closed: Option<Closed>,
    /// Number of calls granted here that hold a slot, as far as it is known.
    pub(crate) in_flight: u32,
    /// Time of the last news of the group.
    pub(crate) news_at: Timestamp,
    /// Time of the newest grant here, by the limiter's clock.
    granted_at: Option<Timestamp>,
    /// Last refusal since the newest grant: levels show the group no fuller until its end.
    refused_until: Option<(Timestamp, ObstacleKind)>,
    /// Number of refusals since the newest grant: each doubles the time for which the last one holds against levels.
    refusals: u32,
    is_doubted: bool,
}

/// Closure of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed {
    /// Time at which it ends; none when only a change ends it.
    pub(crate) until: Option<Timestamp>,
    pub(crate) kind: ObstacleKind,
}

/// Level of one [`Limit`].
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    pub(crate) limit: Limit,
    /// Maximum that the limit can hold.
    pub(crate) capacity: i64,
    /// Amount that comes back in a millisecond; 0 where time alone brings nothing that is known here.
    pub(crate) per_ms: f64,
    room: f64,
    /// Amount reserved and not charged, which no refill brings back, as the limiter named it last.
    held: f64,
    /// True if the level follows from grants and refill alone.
    is_counted: bool,
    at: Timestamp,
    refused: Option<Refused>,
}

/// Need that the limiter refused, where the refill of the limit is not known here.
#[derive(Debug, Clone, Copy)]
struct Refused {
    need: i64,
    until: Option<Timestamp>,
}

/// Fit of a call on one group or target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// Fits now, and leaves this many parts per million of the scarcest limit.
    Now { headroom: i64 },
    /// Fits at this instant, if nothing else changes.
    At(Timestamp, Cause),
    /// Fits when something changes.
    WhenFreed(Cause),
    /// Larger than the limit of this dimension.
    Never(Dimension),
}

/// Cause of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A limit or closure of a group; the number is the position of the group among those of the target.
    Group(usize, ObstacleKind),
    /// The account or the route rests.
    Rests,
    /// No worker of the pool has a slot.
    NoSlot,
    /// A call that goes first has booked the amounts.
    Booked,
}

impl Fit {
    /// Returns the fit over this and another group: the one that is there last decides.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never(_), _) => self,
            (_, Self::Never(_)) => other,
            (Self::WhenFreed(_), _) => self,
            (_, Self::WhenFreed(_)) => other,
            (Self::At(one, _), Self::At(another, _)) if another > one => other,
            (Self::At(..), _) => self,
            (Self::Now { .. }, Self::At(..)) => other,
            (Self::Now { headroom: one }, Self::Now { headroom: another }) if another < one => {
                other
            }
            (Self::Now { .. }, Self::Now { .. }) => self,
        }
    }
}

impl Mirror {
    /// A group of which nothing is known: it is full until the limiter says otherwise.
    pub(crate) fn new(group: Arc<QuotaGroup>, now: Timestamp) -> Self {
        let meters = group.limits.iter().map(|limit| Meter::full(limit, now));
        Self {
            meters: meters.collect(),
            group,
            closed: None,
            in_flight: 0,
            news_at: now,
            granted_at: None,
            refused_until: None,
            refusals: 0,
            is_doubted: false,
        }
    }

    /// Takes a new configuration; levels of unchanged limits stay.
    pub(crate) fn configure(&mut self, group: &Arc<QuotaGroup>, now: Timestamp) {
        if Arc::ptr_eq(&self.group, group) || self.group == *group {
            return;
        }
        let old = std::mem::take(&mut self.meters);
        let kept = |limit: &Limit| old.iter().find(|meter| meter.limit == *limit).cloned();
        let meters = group.limits.iter();
        self.meters = meters
            .map(|limit| kept(limit).unwrap_or_else(|| Meter::full(limit, now)))
            .collect();
        self.group = Arc::clone(group);
        self.is_doubted = true;
    }

    /// The level may be higher than it is here: the limiter is asked in any case.
    pub(crate) const fn doubt(&mut self) {
        self.is_doubted = true;
    }

    pub(crate) const fn is_doubted(&self) -> bool {
        self.is_doubted
    }

    /// Takes the level that the limiter showed. One from before the newest grant here is stale: it is doubted.
    pub(crate) fn learn(&mut self, level: &GroupLevel, now: Timestamp) {
        if self.granted_at.is_some_and(|granted| level.at < granted) {
            return self.doubt();
        }
        let mut known = level.limits.iter();
        for meter in &mut self.meters {
            let of_meter = |one: &&LimitLevel| {
                (one.dimension, one.window) == (meter.limit.dimension, meter.limit.window)
            };
            if let Some(level) = known.find(of_meter) {
                meter.learn(level, now);
            }
        }
        self.closed = level.closed.map(|closed| Closed {
            until: Some(closed.until),
            kind: ObstacleKind::Closed {
                class: closed.class,
                since: closed.since,
            },
        });
        if let Some((until, kind)) = self.refused_until.filter(|(until, _)| *until > now)
            && self.closed.is_none()
        {
            let until = Some(until);
            self.closed = Some(Closed { until, kind });
        }
        self.in_flight = level.in_flight;
        self.news(now);
    }

    /// Returns the fit of a call; `place` is the position of the group among those of its target.
    pub(crate) fn fit(
        &self,
        estimate: &CallEstimate,
        floor_permille: u16,
        place: usize,
        now: Timestamp,
    ) -> Fit {
        let mut at = (now, Cause::Group(place, ObstacleKind::CallsInFlight));
        let (mut headroom, mut freed) = (i64::MAX, None);
        for meter in &self.meters {
            let need = meter.need(estimate);
            let dimension = meter.limit.dimension;
            if need > meter.capacity {
                return Fit::Never(dimension);
            }
            let cause = Cause::Group(place, ObstacleKind::Limit { dimension });
            let needed = need + meter.floor(need, floor_permille);
            match meter.earliest(needed, now) {
                Some(instant) if instant > at.0 => at = (instant, cause),
                Some(_) => {}
                None => drop(freed.get_or_insert(cause)),
            }
            headroom = headroom.min(meter.share_left(need, now));
        }
        let is_refused = self.refused_until.is_some_and(|(until, _)| until > now);
        if self.is_doubted && !is_refused {
            let headroom = headroom.max(0);
            return Fit::Now { headroom };
        }
        if let Some(closed) = self.closed {
            let cause = Cause::Group(place, closed.kind);
            match closed.until {
                Some(until) if until > at.0 => at = (until, cause),
                Some(_) => {}
                None => drop(freed.get_or_insert(cause)),
            }
        }
        match freed {
            Some(cause) => Fit::WhenFreed(cause),
            None if at.0 > now => Fit::At(at.0, at.1),
            None => Fit::Now { headroom },
        }
    }

    /// Returns true if a call of `own` size leaves enough for one of `booked` size at `at`.
    pub(crate) fn leaves(
        &self,
        own: &CallEstimate,
        booked: &CallEstimate,
        at: Timestamp,
        now: Timestamp,
    ) -> bool {
        self.meters.iter().all(|meter| {
            if !meter.is_counted {
                return true;
            }
            let left = meter.room(now) - meter.need(own) as f64;
            let gained = meter.per_ms * at.since(now.max(meter.at)).0 as f64;
            (left + gained).min(meter.capacity as f64) >= meter.need(booked) as f64
        })
    }

    /// Takes what a grant reserved.
    pub(crate) fn granted(&mut self, lease: &Lease, now: Timestamp) {
        let mut own = lease
            .charges
            .iter()
            .filter(|charge| charge.group == self.group.id);
        for meter in &mut self.meters {
            if let Some(charge) = own.next() {
                meter.take(charge.amount as f64, now);
            }
        }
        self.in_flight += 1;
        (self.closed, self.refused_until, self.refusals) = (None, None, 0);
        // A doubt ends with a refusal: more may have come back than this call took.
        (self.news_at, self.granted_at) = (now, Some(lease.granted_at));
    }

    /// Takes the refusal of a call by the limiter, with its time and obstacle.
    pub(crate) fn refused(
        &mut self,
        estimate: &CallEstimate,
        obstacle: Option<&Obstacle>,
        at: Option<Timestamp>,
        now: Timestamp,
    ) {
        self.news(now);
        let until = at.map(|at| at.max(now + Millis(1)));
        self.refused_until = obstacle.map(|obstacle| match obstacle.kind {
            kind @ (ObstacleKind::InteractiveCall | ObstacleKind::BookedCall) => (now + KEPT, kind),
            // A level of the same instant is no newer than the answer. One that contradicts it again and again is not
            // followed at once, so that other groups are asked.
            kind => (now + Millis(1 << self.refusals.min(LONGEST_REFUSAL)), kind),
        });
        self.refusals += 1;
        match obstacle.map(|obstacle| obstacle.kind) {
            Some(ObstacleKind::Limit { dimension }) => {
                let meters = self.meters.iter_mut();
                let named = meters.filter(|meter| meter.limit.dimension == dimension);
                // Of several limits of one dimension the emptiest is meant.
                let scarcest = named.min_by(|one, other| one.room(now).total_cmp(&other.room(now)));
                if let Some(meter) = scarcest {
                    meter.refuse(estimate, until, now);
                }
            }
            kind => {
                // The limiter's clock may be behind.
                let least = self.refused_until.map(|(until, _)| until);
                self.closed = Some(Closed {
                    until: until.map(|until| least.map_or(until, |least| until.max(least))),
                    kind: kind.unwrap_or(ObstacleKind::CallsInFlight),
                });
            }
        }
    }

    const fn news(&mut self, now: Timestamp) {
        self.news_at = now;
        self.is_doubted = false;
    }
}

impl Meter {
    fn full(limit: &Limit, now: Timestamp) -> Self {
        let capacity = units(limit.capacity());
        Self {
            per_ms: per_ms(limit, limit.amount),
            is_counted: matches!(limit.window, Window::Bucket { .. } | Window::Held),
            limit: limit.clone(),
            capacity,
            room: capacity as f64,
            held: 0.0,
            at: now,
            refused: None,
        }
    }

    fn learn(&mut self, level: &LimitLevel, now: Timestamp) {
        self.capacity = units(level.capacity);
        self.per_ms = per_ms(&self.limit, level.amount);
        self.room = level.room as f64;
        // Prompts and requests are charged soon, when the call is sent; produced tokens when it ends.
        let is_charged_at_end = matches!(
            self.limit.reserve,
            ReserveRule::Estimate | ReserveRule::AsProduced
        ) && matches!(
            self.limit.dimension,
            Dimension::OutputTokens | Dimension::TotalTokens | Dimension::Spend
        );
        self.held = if is_charged_at_end {
            level.held as f64
        } else {
            0.0
        };
        (self.at, self.refused) = (now, None);
        // The level is in whole units; the time at which the limit is full tells the fraction, and a refill that
        // begins later.
        if let Some(full_at) = level.full_at.filter(|_| self.per_ms > 0.0) {
            let missing = (self.capacity - level.held - level.room) as f64;
            let since = full_at - Millis((missing / self.per_ms).max(0.0) as u64);
            let one_unit = Millis((1.0 / self.per_ms) as u64);
            self.at = since.max(now - one_unit);
        }
    }

    /// Amount left for new calls.
    pub(crate) fn room(&self, now: Timestamp) -> f64 {
        let gained = self.per_ms * now.since(self.at).0 as f64;
        let most = (self.capacity as f64 - self.held).max(self.room);
        (self.room + gained).min(most)
    }

    /// Amount that a call needs. Produced tokens are a guess, so they never need more than the limit can hold.
    pub(crate) fn need(&self, estimate: &CallEstimate) -> i64 {
        let reserved = units(self.limit.reserved_for(estimate));
        let is_guessed = matches!(
            self.limit.reserve,
            ReserveRule::Estimate | ReserveRule::AsProduced
        );
        let certain = match self.limit.dimension {
            Dimension::OutputTokens if is_guessed => 0,
            Dimension::TotalTokens if is_guessed => units(estimate.input),
            Dimension::Requests
            | Dimension::InputTokens
            | Dimension::OutputTokens
            | Dimension::TotalTokens
            | Dimension::Spend
            | Dimension::Concurrency => reserved,
        };
        reserved.min(self.capacity.max(certain))
    }

    fn floor(&self, need: i64, permille: u16) -> i64 {
        let free = (self.capacity * i64::from(permille) + 999) / 1000;
        free.min(self.capacity - need).max(0)
    }

    /// Earliest instant at which `need` fits; none when only a change brings it.
    fn earliest(&self, need: i64, now: Timestamp) -> Option<Timestamp> {
        if let Some(refused) = self.refused.filter(|refused| need >= refused.need)
            && refused.until.is_none_or(|until| until > now)
        {
            return refused.until;
        }
        let missing = need as f64 - self.room(now);
        if missing <= 1e-6 || !self.is_counted {
            return Some(now);
        }
        let is_reachable = need as f64 <= self.capacity as f64 - self.held;
        (self.per_ms > 0.0 && is_reachable)
            .then(|| now.max(self.at) + Millis((missing / self.per_ms).ceil().max(1.0) as u64))
    }

    /// Time at which any call may go by this limit, if it counts calls and not tokens.
    pub(crate) fn opens_for_one(&self, now: Timestamp) -> Option<Timestamp> {
        matches!(
            self.limit.dimension,
            Dimension::Requests | Dimension::Concurrency
        )
        .then(|| self.earliest(1, now).unwrap_or(NEVER))
    }

    fn share_left(&self, need: i64, now: Timestamp) -> i64 {
        let left = (self.room(now) - need as f64) * 1_000_000.0;
        (left / self.capacity.max(1) as f64) as i64
    }

    fn take(&mut self, amount: f64, now: Timestamp) {
        // A grant of more than the mirror showed proves that there was as much.
        let before = self.room(now).max(amount);
        // The provider's bucket gains nothing while it is full, and it is full until the call arrives.
        let missing = self.capacity as f64 - self.held - before;
        let until_full = missing / self.per_ms.max(1e-9);
        self.at = if self.per_ms > 0.0 && until_full < TRAVEL {
            now + Millis((TRAVEL - until_full.max(0.0)) as u64)
        } else {
            now
        };
        self.room = before - amount;
        self.refused = None;
    }

    fn refuse(&mut self, estimate: &CallEstimate, until: Option<Timestamp>, now: Timestamp) {
        let need = self.need(estimate);
        match until {
            Some(until) if self.per_ms > 0.0 => {
                self.room = need as f64 - self.per_ms * until.since(now).0 as f64;
                self.held = self.held.min(self.capacity as f64 - need as f64);
                self.at = now;
            }
            _ => {
                self.refused = Some(Refused { need, until });
                if self.limit.window == Window::Held {
                    self.room = self.room.min(need as f64 - 1.0);
                    self.at = now;
                }
            }
        }
    }
}

fn per_ms(limit: &Limit, amount: u64) -> f64 {
    match limit.window {
        Window::Bucket { per_ms } => amount as f64 / per_ms.max(1) as f64,
        Window::Sliding { .. } | Window::Day { .. } | Window::Month | Window::Held => 0.0,
    }
}

fn units(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests;
