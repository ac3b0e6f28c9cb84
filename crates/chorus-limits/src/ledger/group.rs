//! One quota group: its meters, which are asked and charged together, and its closure as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::failure::{FailureClass, GroupReaction};
use chorus_core::id::LeaseId;
use chorus_core::limit::{
    Candidate, Dimension, Limit, LimitSignals, ObservedLevel, ObstacleKind, QuotaGroup, Window,
    Zone,
};
use chorus_core::time::{Millis, Timestamp};

use super::addressed::Addressed;
use super::meter::Meter;
use super::ramp::Ramp;
use super::tally::Tally;

/// Time for which an interactive call holds tasks back after its last demand.
pub(crate) const INTERACTIVE_FLAG: Millis = Millis(1_000);
/// Closure of a refused group without a wait from its provider.
const REST: Millis = Millis(1_000);
/// Closure for money that comes back in a rolling window.
const SPEND_REST: Millis = Millis(60_000);

/// State of one [`QuotaGroup`]: meters, closure, calls in flight.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// One meter a limit, in the order of the configuration.
    pub(crate) meters: Vec<Meter>,
    /// Closure by a refusal; none while the group is open.
    pub(crate) closed: Option<Closure>,
    /// Number of live leases that draw on the group.
    pub(crate) in_flight: u64,
    /// Number of live leases among them that were sent.
    pub(crate) sent: u64,
    /// Expiry of each live lease of a process that ended.
    pub(crate) of_ended_process: BTreeMap<LeaseId, Timestamp>,
    ramp: Option<Ramp>,
    config: Arc<QuotaGroup>,
    waiting: BTreeMap<LeaseId, Timestamp>,
}

/// Closure of a group by a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closure {
    /// Class of the refusal.
    pub class: FailureClass,
    /// Time at which the refusal was observed.
    pub since: Timestamp,
    /// Time at which the group opens by itself.
    pub until: Timestamp,
}

impl Closure {
    /// Returns true unless a call that was sent at `sent_at` was sent after the refusal.
    fn is_newer_than(&self, sent_at: Option<Timestamp>) -> bool {
        sent_at.is_none_or(|sent_at| sent_at <= self.since)
    }
}

/// Answer of a group to a [`Candidate`].
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

impl Group {
    pub(crate) fn new(
        config: Arc<QuotaGroup>,
        since: Timestamp,
        tally: fn(&Limit, Timestamp) -> Tally,
    ) -> Self {
        let meters = config
            .limits
            .iter()
            .map(|limit| Meter::new(limit.clone(), tally(limit, since)))
            .collect();
        Self {
            meters,
            closed: None,
            in_flight: 0,
            sent: 0,
            of_ended_process: BTreeMap::new(),
            ramp: None,
            config,
            waiting: BTreeMap::new(),
        }
    }

    /// Applies a configuration; returns true if leases must be counted again, because more than amounts is
    /// new. Amounts that headers changed stay for
    /// limits with an unchanged configuration.
    pub(crate) fn configure(&mut self, config: &Arc<QuotaGroup>, now: Timestamp) -> bool {
        if Arc::ptr_eq(&self.config, config) || self.config == *config {
            return false;
        }
        let is_reshaped = self.config.limits.len() != config.limits.len()
            || !self
                .config
                .limits
                .iter()
                .zip(&config.limits)
                .all(|(old, new)| differ_by_amounts(old, new));
        let places = places(&config.limits);
        let meters = config
            .limits
            .iter()
            .zip(places)
            .map(|(limit, (dimension, nth))| {
                let old = self.place(dimension, nth).map(|place| &self.meters[place]);
                match old {
                    Some(old) if old.configured == *limit => old.clone(),
                    Some(old) => old.reconfigured(limit, now),
                    None => Meter::new(limit.clone(), Tally::full(limit, now)),
                }
            });
        self.meters = meters.collect();
        self.config = Arc::clone(config);
        is_reshaped
    }

    /// Returns the index of the nth limit of a dimension.
    pub(crate) fn place(&self, dimension: Dimension, nth: usize) -> Option<usize> {
        let of_dimension = self
            .meters
            .iter()
            .enumerate()
            .filter(|(_, meter)| meter.limit.dimension == dimension);
        of_dimension.map(|(place, _)| place).nth(nth)
    }

    pub(crate) fn meter(&mut self, dimension: Dimension, nth: usize) -> Option<&mut Meter> {
        self.place(dimension, nth)
            .map(|place| &mut self.meters[place])
    }

    /// Returns the fit of the candidate's call.
    pub(crate) fn fit(&mut self, candidate: &Candidate, interactive: bool, now: Timestamp) -> Fit {
        let (mut at, mut obstacle) = self.opens_at(now);
        let mut headroom = i64::MAX;
        let mut freed = self
            .ramp
            .filter(|ramp| self.in_flight >= ramp.cap())
            .map(|_| ObstacleKind::CallsInFlight);
        for meter in &mut self.meters {
            let dimension = meter.limit.dimension;
            let need = meter.need(&candidate.estimate);
            if need > meter.capacity() {
                return Fit::Never(dimension);
            }
            match meter.earliest(now, need, candidate.floor_permille) {
                Some(instant) if instant > at => {
                    (at, obstacle) = (instant, ObstacleKind::Limit { dimension });
                }
                Some(_) => {}
                None => drop(freed.get_or_insert(ObstacleKind::Limit { dimension })),
            }
            let left = i128::from(meter.room(now) - need) * 1_000_000
                / i128::from(meter.capacity().max(1));
            headroom = headroom.min(i64::try_from(left).unwrap_or(i64::MIN));
        }
        self.waiting.retain(|_, until| *until > now);
        let waiting = self.waiting.values().max().filter(|_| !interactive);
        if let Some(until) = waiting.filter(|until| **until > at) {
            (at, obstacle) = (*until, ObstacleKind::InteractiveCall);
        }
        match freed {
            Some(kind) => self.when_freed(kind),
            None if at > now => Fit::At(at, obstacle),
            None => Fit::Now { headroom },
        }
    }

    /// Returns the time at which the group is open, and the closure as an obstacle.
    fn opens_at(&self, now: Timestamp) -> (Timestamp, ObstacleKind) {
        match self.closed.filter(|closure| closure.until > now) {
            Some(Closure {
                class,
                since,
                until,
            }) => (until, ObstacleKind::Closed { class, since }),
            None => (now, ObstacleKind::CallsInFlight),
        }
    }

    /// Returns the fit of a call that waits for a slot: those of a process that ended come first, because
    /// they come back at a known time.
    fn when_freed(&self, kind: ObstacleKind) -> Fit {
        match self.of_ended_process.values().min() {
            Some(until) => Fit::WhenFreed(Some(*until), ObstacleKind::SlotsOfEndedProcess),
            None => Fit::WhenFreed(None, kind),
        }
    }

    /// Notes that an interactive call waits on this group: tasks stand back.
    pub(crate) fn wait(&mut self, lease: LeaseId, now: Timestamp) {
        self.waiting.insert(lease, now + INTERACTIVE_FLAG);
    }

    /// Removes a waiting call; returns true if it was waiting.
    pub(crate) fn served(&mut self, lease: LeaseId) -> bool {
        self.waiting.remove(&lease).is_some()
    }

    /// Raises a lowered cap on calls in flight after a call that ended well.
    pub(crate) fn on_success(&mut self) {
        let in_flight = self.in_flight;
        if let Some(ramp) = &mut self.ramp {
            ramp.raise(in_flight);
        }
    }

    /// Corrects the meters by the levels of a reply that speak about this group, and applies the
    /// [`GroupReaction`] of a failure.
    ///
    /// A call that was sent after a refusal and accepted shows that the closure has lost its reason.
    /// `sent_at` is the time of the call's `send` by the clock of the ledger.
    pub(crate) fn observe(
        &mut self,
        signals: &LimitSignals,
        addressed: &Addressed,
        sent_at: Option<Timestamp>,
        now: Timestamp,
    ) {
        if signals.failure.is_none() {
            self.accepted(sent_at);
        }
        for (level, place) in &addressed.levels {
            let meter = &mut self.meters[*place];
            if let Some(level) = level.for_window(meter.limit.window) {
                meter.observe(now, signals.sent_at, &level);
            }
        }
        if addressed.is_refused {
            self.react(signals, addressed, sent_at, now);
        }
    }

    fn react(
        &mut self,
        signals: &LimitSignals,
        addressed: &Addressed,
        sent_at: Option<Timestamp>,
        now: Timestamp,
    ) {
        let rest = now + signals.retry_after.unwrap_or(REST);
        let closed_until = match signals.reaction() {
            GroupReaction::Nothing => None,
            GroupReaction::CloseBucket => {
                self.used_up(addressed, now);
                Some(rest)
            }
            GroupReaction::HalveRamp => {
                self.ramp = Some(Ramp::halved(self.ramp, self.sent));
                Some(rest)
            }
            GroupReaction::LowerConcurrency => {
                let lowered = Ramp::below(self.sent);
                let lower = self.ramp.filter(|ramp| ramp.cap() < lowered.cap());
                self.ramp = Some(lower.unwrap_or(lowered));
                None
            }
            GroupReaction::CloseUntilDay => {
                Some(self.next_period(Window::Day { zone: Zone::UTC }, now))
            }
            GroupReaction::CloseUntilMoney => Some(self.money_comes_back(signals, now)),
        };
        if let Some(until) = closed_until {
            self.close(signals, sent_at, until, now);
        }
    }

    /// Opens a closed group.
    pub(crate) fn open(&mut self) {
        self.closed = None;
    }

    /// Opens the group after a call that was sent at `sent_at` was accepted, if the closure is older.
    pub(crate) fn accepted(&mut self, sent_at: Option<Timestamp>) {
        self.closed = self.closed.filter(|closure| closure.is_newer_than(sent_at));
    }

    /// Closes the group. The refusal of a later call replaces an earlier one of the same class; else the
    /// longer closure stays.
    fn close(
        &mut self,
        signals: &LimitSignals,
        sent_at: Option<Timestamp>,
        until: Timestamp,
        now: Timestamp,
    ) {
        let Some(class) = signals.failure else {
            return;
        };
        let stays = self.closed.is_some_and(|closed| {
            let is_replaced = class == closed.class
                && !closed.is_newer_than(sent_at)
                && signals.retry_after.is_some();
            until <= closed.until && !is_replaced
        });
        if !stays {
            self.closed = Some(Closure {
                class,
                since: now,
                until,
            });
        }
    }

    /// Empties the limits that the headers show as used up, else the scarcest one.
    fn used_up(&mut self, addressed: &Addressed, now: Timestamp) {
        let named = addressed
            .levels
            .iter()
            .filter(|(level, _)| level.remaining == Some(0))
            .map(|(_, place)| *place);
        let mut culprits: Vec<usize> = named.collect();
        if culprits.is_empty() {
            culprits.extend(self.scarcest(now).map(|(_, place)| place));
        }
        for place in culprits {
            self.meters[place].used_up(now);
        }
    }

    /// Returns the rate with the smallest share left. Money is none: a refusal for a rate says nothing about it.
    pub(super) fn scarcest(&mut self, now: Timestamp) -> Option<(i64, usize)> {
        let rates = self.meters.iter_mut().enumerate().filter(|(_, meter)| {
            is_rate(&meter.limit) && meter.limit.dimension != Dimension::Spend
        });
        let share =
            rates.map(|(place, meter)| (meter.room(now) * 1000 / meter.capacity().max(1), place));
        share.min()
    }

    /// Returns the limit of a header, and the number by which its amount differs: the one of that amount
    /// (0), else the one of the shortest window. A header that names its window speaks of that one, or of
    /// the rate of a shorter one.
    pub(super) fn place_of(&self, level: &ObservedLevel) -> Option<(u64, usize)> {
        let is_named = |meter: &Meter| level.window == meter.limit.window.length();
        let has_named = self
            .meters
            .iter()
            .any(|meter| meter.limit.dimension == level.dimension && is_named(meter));
        let of_dimension = || {
            self.meters.iter().enumerate().filter(|(_, meter)| {
                meter.limit.dimension == level.dimension
                    && level.for_window(meter.limit.window).is_some()
                    && (!has_named || level.window.is_none() || is_named(meter))
            })
        };
        let same = of_dimension().find(|(_, meter)| {
            level.limit.is_some_and(|amount| {
                amount == meter.limit.amount || amount == meter.configured.amount
            })
        });
        if let Some((place, _)) = same {
            return Some((0, place));
        }
        let (place, meter) = of_dimension().min_by_key(|(_, meter)| length(meter.limit.window))?;
        let amount = meter.limit.amount.max(1);
        // The smaller limit is the more restrictive one where the header shows no amount.
        let differs = level.limit.map_or(amount, |shown| {
            let shown = shown.max(1);
            shown.max(amount).saturating_mul(1000) / shown.min(amount)
        });
        Some((differs, place))
    }

    /// Returns true if a refusal for money or a day can speak about this group.
    pub(super) fn has_limit_of(&self, reaction: GroupReaction) -> bool {
        self.meters.iter().any(|meter| match reaction {
            GroupReaction::CloseUntilMoney => meter.limit.dimension == Dimension::Spend,
            GroupReaction::CloseUntilDay => matches!(meter.limit.window, Window::Day { .. }),
            GroupReaction::LowerConcurrency => meter.limit.dimension == Dimension::Concurrency,
            GroupReaction::Nothing | GroupReaction::CloseBucket | GroupReaction::HalveRamp => true,
        })
    }

    fn next_period(&self, otherwise: Window, now: Timestamp) -> Timestamp {
        let wanted = std::mem::discriminant(&otherwise);
        let own = self
            .meters
            .iter()
            .map(|meter| meter.limit.window)
            .find(|window| std::mem::discriminant(window) == wanted);
        own.unwrap_or(otherwise)
            .period(now)
            .map_or(now, |(_, end)| end)
    }

    fn money_comes_back(&self, signals: &LimitSignals, now: Timestamp) -> Timestamp {
        let rolling = self
            .meters
            .iter()
            .any(|meter| meter.limit.dimension == Dimension::Spend && is_rate(&meter.limit));
        match signals.retry_after {
            Some(wait) => now + wait,
            None if rolling => now + SPEND_REST,
            None => self.next_period(Window::Month, now),
        }
    }
}

/// Returns true if two limits are the same but for their amounts.
fn differ_by_amounts(old: &Limit, new: &Limit) -> bool {
    let amounts = (new.amount, new.burst);
    let mut resized = old.clone();
    (resized.amount, resized.burst) = amounts;
    resized == *new
}

/// Returns the dimension of each limit, and its number among the limits of that dimension.
pub(crate) fn places(limits: &[Limit]) -> Vec<(Dimension, usize)> {
    let mut seen = BTreeMap::new();
    let number = |limit: &Limit| {
        let next = seen.entry(limit.dimension).or_insert(0_usize);
        *next += 1;
        (limit.dimension, *next - 1)
    };
    limits.iter().map(number).collect()
}

fn is_rate(limit: &Limit) -> bool {
    matches!(limit.window, Window::Bucket { .. } | Window::Sliding { .. })
}

fn length(window: Window) -> u64 {
    match window {
        Window::Bucket { per_ms } | Window::Sliding { per_ms } => per_ms,
        Window::Day { .. } => 86_400_000,
        Window::Month => 31 * 86_400_000,
        Window::Held => u64::MAX,
    }
}
