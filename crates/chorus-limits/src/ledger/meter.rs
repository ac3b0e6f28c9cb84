//! One limit of a group: its charges (a [`Tally`]), its reservations, and its correction by headers.
//!
//! A reserved amount that the provider has not charged yet never comes back by refill: "full" means
//! full less the reservations. Requests, prompts and reservations by `max_tokens` are charged when the
//! call is sent; produced tokens are charged when the call ends.

use chorus_core::limit::{
    CallEstimate, Dimension, LevelSource, Limit, LimitLevel, ObservedLevel, ReserveRule, Window,
};
use chorus_core::time::{Millis, Timestamp};

use super::learned::LearnedRate;
use super::past_level::PastLevel;
use super::tally::{Tally, capacity, units};

/// Age up to which a header shows the level before later requests; an older one may show any
/// charge up to its arrival.
const PROMPT: Millis = Millis(5_000);
/// Time before a request within which another charged call may have arrived after it.
const OVERTAKEN: Millis = Millis(2_000);
/// Age up to which a header can raise a level.
const REMEMBERED: Millis = Millis(300_000);
/// Divisor of a call's need that stays free while a rate is learned.
const MARGIN: i64 = 20;
/// Longest travel of a call: a header shows the level no later than this after the call was sent.
const TRAVEL: Millis = Millis(500);

/// Sums of a [`Meter`] at the time at which a call was sent, so that a header of the call shows what was
/// sent before it and what after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Number of the call among those that were sent.
    pub(crate) number: u64,
    charged: i64,
    sent: i64,
    gone: i64,
    /// Charges of earlier calls that may have arrived after this one.
    overtaken: i64,
}

/// Sums of all calls that were sent, to which [`Mark`]s compare.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    number: u64,
    charged: i64,
    /// Amounts set aside by the calls that were sent.
    sent: i64,
    /// Amounts of sent calls that are charged only when they end.
    running: i64,
    /// Sum of the charges at two earlier times, the first of them at least [`OVERTAKEN`] ago.
    older: i64,
    newer: i64,
    newer_at: Timestamp,
    last_at: Option<Timestamp>,
}

/// Meter of one [`Limit`].
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    /// Limit as configured, to notice a new configuration.
    pub(crate) configured: Limit,
    /// Limit in force: headers may have changed its amount.
    pub(crate) limit: Limit,
    /// Amount reserved and not yet charged; slots for concurrency.
    pub(crate) held: i64,
    /// Origin of the level, and the time at which it spoke last.
    source: (LevelSource, Timestamp),
    /// Amount that was reported or configured, before anything was learned.
    base: u64,
    learned: Option<LearnedRate>,
    tally: Tally,
    sums: Sums,
    /// Number and time of the call of the last header.
    shown: Option<(u64, Timestamp)>,
}

impl Meter {
    pub(crate) fn new(limit: Limit, tally: Tally, since: Timestamp) -> Self {
        Self {
            base: limit.amount,
            learned: None,
            configured: limit.clone(),
            limit,
            held: 0,
            source: (LevelSource::Configured, since),
            tally,
            sums: Sums::default(),
            shown: None,
        }
    }

    /// Returns a meter of a new configuration; it keeps the reservations, and the charges if its
    /// window is the same.
    pub(crate) fn reconfigured(&self, limit: &Limit, now: Timestamp) -> Self {
        let mut meter = self.clone();
        if meter.configured.window == limit.window {
            let room = meter.charged_room(now);
            (meter.configured, meter.limit) = (limit.clone(), limit.clone());
            (meter.base, meter.learned) = (limit.amount, None);
            meter.tally.resize(limit, now, room);
            return meter;
        }
        let mut fresh = Self::new(limit.clone(), Tally::full(limit, now), now);
        fresh.held = self.held;
        fresh
    }

    /// Returns the amount left for new calls; below zero when in debt.
    pub(crate) fn room(&mut self, now: Timestamp) -> i64 {
        self.charged_room(now) - self.held
    }

    pub(crate) fn capacity(&self) -> i64 {
        capacity(&self.limit)
    }

    /// Returns the amount that a call needs. Produced tokens are a guess, so they never need more than
    /// the limit can hold; a call larger than a learned limit takes all of it.
    pub(crate) fn need(&self, estimate: &CallEstimate) -> i64 {
        let need = units(self.limit.reserved_for(estimate))
            .min(self.capacity().max(self.certain_part(estimate)));
        if self.learned.is_some() && need <= self.unlearned_capacity() {
            need.min(self.capacity())
        } else {
            need
        }
    }

    /// Returns the capacity without what was learned from refusals.
    fn unlearned_capacity(&self) -> i64 {
        units(self.burst_of(self.base).unwrap_or(self.base))
    }

    /// Returns the earliest instant at which `need` fits while `floor_permille` and the booked amount
    /// stay free; none when time alone never brings it.
    pub(crate) fn earliest(
        &mut self,
        now: Timestamp,
        need: i64,
        floor_permille: u16,
        booked: i64,
    ) -> Option<Timestamp> {
        self.tally.advance(&self.limit, now);
        let free = self.floor(need, floor_permille);
        let free = free.max(booked).max(self.margin(need));
        self.tally
            .earliest(&self.limit, now, need + free + self.held)
    }

    /// Returns the amount that stays free while a rate is learned, so that a header shows that it is too high
    /// before a refusal does.
    fn margin(&self, need: i64) -> i64 {
        if self.learned.is_none() || self.shown.is_none() {
            return 0;
        }
        (need / MARGIN).min(self.capacity() - need).max(0)
    }

    /// Returns the amount that a call leaves free.
    fn floor(&self, need: i64, floor_permille: u16) -> i64 {
        let free = (self.capacity() * i64::from(floor_permille) + 999) / 1000;
        free.min(self.capacity() - need).max(0)
    }

    /// Returns the amount that a waiting call books: its need and its floor.
    pub(crate) fn booked(&self, estimate: &CallEstimate, floor_permille: u16) -> i64 {
        let need = self.need(estimate);
        need + self.floor(need, floor_permille)
    }

    /// Returns the amount left for new calls at a later time if nothing changes until then. Reservations
    /// count as held. Call after `room(now)`.
    pub(crate) fn projected(&self, now: Timestamp, at: Timestamp) -> i64 {
        self.tally.projected(&self.limit, now, at) - self.held
    }

    /// Returns the level for mirrors and operators.
    pub(crate) fn level(&mut self, now: Timestamp) -> LimitLevel {
        let room = self.room(now);
        LimitLevel {
            dimension: self.limit.dimension,
            window: self.limit.window,
            amount: self.limit.amount,
            configured: self.configured.amount,
            capacity: self.limit.capacity(),
            room,
            held: self.held,
            full_at: self.tally.full_at(&self.limit, now),
            source: self.source.0,
            source_at: self.source.1,
        }
    }

    fn learned_from(&mut self, source: LevelSource, now: Timestamp) {
        self.source = (source, now);
    }

    pub(crate) const fn hold(&mut self, amount: i64) {
        self.held += amount;
    }

    pub(crate) fn give_back(&mut self, amount: i64) {
        self.held -= amount;
    }

    /// Turns a reservation into a charge of the amount used.
    pub(crate) fn charge(&mut self, now: Timestamp, set_aside: i64, used: i64) {
        self.held -= set_aside;
        if used <= 0 || self.limit.window == Window::Held {
            return;
        }
        self.tally.charge(&self.limit, now, used);
        self.sums.charged += used;
        if self.source.0 == LevelSource::Configured {
            self.learned_from(LevelSource::Own, now);
        }
    }

    /// Counts a call as sent, after it was charged what is charged then.
    pub(crate) fn sent(&mut self, now: Timestamp, set_aside: i64) -> Mark {
        self.tally.advance(&self.limit, now);
        let is_charged = self.charged_when_sent();
        let sums = &mut self.sums;
        let before = sums.charged - if is_charged { set_aside } else { 0 };
        if sums.last_at.is_none_or(|last| now.since(last) >= OVERTAKEN) {
            (sums.older, sums.newer, sums.newer_at) = (before, before, now);
        } else if now.since(sums.newer_at) >= OVERTAKEN {
            (sums.older, sums.newer, sums.newer_at) = (sums.newer, before, now);
        }
        sums.last_at = Some(now);
        sums.number += 1;
        sums.sent += set_aside;
        sums.running += if is_charged { 0 } else { set_aside };
        Mark {
            number: sums.number,
            charged: sums.charged,
            sent: sums.sent,
            gone: self.tally.gone(),
            overtaken: if is_charged { before - sums.older } else { 0 },
        }
    }

    /// Counts a call as no longer running that is charged when it ends.
    pub(crate) fn ended(&mut self, set_aside: i64) {
        if !self.charged_when_sent() {
            self.sums.running -= set_aside;
        }
    }

    /// Forgets the calls under way: they are counted again.
    pub(crate) const fn forget_calls(&mut self) {
        (self.held, self.sums.running) = (0, 0);
    }

    /// Corrects an earlier charge, unless a header has shown it since: the header knew the truth.
    pub(crate) fn correct(
        &mut self,
        now: Timestamp,
        charged_at: Timestamp,
        mark: Option<Mark>,
        more: i64,
    ) {
        let mark = mark.filter(|_| self.charged_when_sent());
        let is_shown = self.shown.is_some_and(|(number, at)| match mark {
            Some(mark) => number >= mark.number,
            None => at >= charged_at,
        });
        if !is_shown {
            self.tally.correct(&self.limit, now, charged_at, more);
        }
    }

    /// Sets the amount left to what another process has seen; reservations are subtracted.
    pub(crate) fn set_room(&mut self, now: Timestamp, room: i64) {
        self.tally.set_room(&self.limit, now, room);
    }

    /// Empties the limit after a refusal for it.
    pub(crate) fn used_up(&mut self, now: Timestamp) {
        let room = self.charged_room(now).min(self.held);
        self.tally.set_room(&self.limit, now, room);
        self.learned_from(LevelSource::Refusal, now);
    }

    /// Notes the amount that a provider reports; returns true if it is another one, so that a refusal needs no
    /// other explanation.
    fn set_reported_amount(&mut self, now: Timestamp, amount: u64) -> bool {
        self.learned_from(LevelSource::Header, now);
        if amount == self.base {
            return false;
        }
        (self.base, self.learned) = (amount, None);
        self.resize(now, amount);
        true
    }

    /// Returns true if this is the amount of the limit, as configured, reported or learned.
    pub(crate) const fn has_amount(&self, amount: u64) -> bool {
        amount == self.base || amount == self.configured.amount || amount == self.limit.amount
    }

    /// Returns the amount that was reported or configured.
    pub(crate) const fn base(&self) -> u64 {
        self.base
    }

    /// Lowers the rate after a refusal that nothing explains.
    pub(crate) fn lower_rate(&mut self, now: Timestamp) {
        if let Some(rate) = LearnedRate::cut(self.learned, now) {
            self.learned = Some(rate);
            self.resize(now, rate.scaled(self.base));
            self.learned_from(LevelSource::Refusal, now);
        }
    }

    /// Returns true if refusals have lowered the rate.
    pub(crate) const fn is_lowered(&self) -> bool {
        self.learned.is_some()
    }

    /// Raises a lowered rate while no refusal comes.
    pub(crate) fn raise_rate(&mut self, now: Timestamp) {
        let Some(mut rate) = self.learned else {
            return;
        };
        let is_whole = rate.raise(now);
        self.learned = (!is_whole).then_some(rate);
        let amount = if is_whole {
            self.base
        } else {
            rate.scaled(self.base)
        };
        self.resize(now, amount);
    }

    /// Clamps the level to the range that a header makes possible; returns true if the header reports another
    /// amount than the one known. `asked_at` is the time of its request, `mark` the sums at that time, `refused`
    /// the amount that a refused call holds.
    ///
    /// Of calls sent later the header may show none or all. One that came at once shows none of them; a late
    /// one may show all, so it lowers the level at most to its own figure and what came back since the request.
    /// Calls shortly before the request may have been overtaken on the way: the level is never raised
    /// beyond them. What running calls produced before is shown, and here only held: it is no charge yet. A
    /// header of an earlier day or month shows nothing of the present one.
    pub(crate) fn observe(
        &mut self,
        now: Timestamp,
        asked_at: Timestamp,
        mark: Option<Mark>,
        refused: i64,
        level: &ObservedLevel,
    ) -> bool {
        if self.limit.window == Window::Held {
            return false;
        }
        let is_another = level
            .limit
            .is_some_and(|amount| amount > 0 && self.set_reported_amount(now, amount));
        let Some(remaining) = level.remaining else {
            return is_another;
        };
        let is_older = self.shown.is_some_and(|(number, at)| match mark {
            Some(mark) => mark.number < number,
            None => asked_at < at,
        });
        if is_older || asked_at + REMEMBERED < now || self.is_of_earlier_period(asked_at, now) {
            return is_another;
        }
        let shown = units(remaining) - units(level.rounded_to) / 2;
        let known = self.charged_room(now);
        let (least, most) = self.possible(now, asked_at, mark, shown);
        let most = most - refused;
        if let Some(rate) = self.learned.as_mut().filter(|_| known > most) {
            rate.ease(now);
            let amount = rate.scaled(self.base);
            self.resize(now, amount);
        }
        let room = known.clamp(least.min(most), most);
        // A fraction of a unit that has come back already is kept where nothing is corrected.
        if room != known {
            self.tally.set_room(&self.limit, now, room);
        }
        let (number, at) = self.shown.unwrap_or((0, asked_at));
        self.shown = Some((
            mark.map_or(number, |mark| mark.number.max(number)),
            at.max(asked_at),
        ));
        self.learned_from(LevelSource::Header, now);
        is_another
    }

    /// Returns the least and the most that can be left when a header has shown an amount. Call after
    /// `charged_room(now)`.
    fn possible(
        &self,
        now: Timestamp,
        asked_at: Timestamp,
        mark: Option<Mark>,
        shown: i64,
    ) -> (i64, i64) {
        let age = now.since(asked_at);
        let is_prompt = age <= PROMPT;
        let is_charged = self.charged_when_sent();
        let sums = &self.sums;
        let later = match (mark, is_charged) {
            (Some(mark), true) if is_prompt => sums.charged - mark.charged,
            (Some(mark), false) if is_prompt => sums.sent - mark.sent - sums.running,
            (_, true) => 0,
            (_, false) => -sums.running,
        };
        let most = shown - later + self.returned(mark, age);
        let Some(mark) = mark.filter(|_| self.is_charged_at_start()) else {
            return (i64::MIN / 1024, most);
        };
        let came_back = match self.limit.window {
            Window::Bucket { .. } if is_prompt => {
                self.refilled(Millis(age.0.saturating_sub(TRAVEL.0)))
            }
            _ => 0,
        };
        let least = shown - (sums.charged - mark.charged) - mark.overtaken + came_back;
        (least, most)
    }

    /// Returns true unless the provider charges while the call runs: then a header bounds from above only.
    fn is_charged_at_start(&self) -> bool {
        self.charged_when_sent() || self.limit.reserve != ReserveRule::AsProduced
    }

    /// Returns true if the amount is charged when the call is sent, not when it ends.
    pub(crate) fn charged_when_sent(&self) -> bool {
        charged_when_sent(&self.limit)
    }

    /// Sets the level of an unused meter to the one that past calls left.
    pub(crate) fn set_past(&mut self, now: Timestamp, level: &PastLevel) {
        match level {
            PastLevel::Unused => {}
            PastLevel::Left(room) => self.tally.set_room(&self.limit, now, *room),
            PastLevel::Charges(charges) => {
                for (at, amount) in charges {
                    self.tally.charge(&self.limit, *at, *amount);
                }
            }
        }
        if *level != PastLevel::Unused {
            self.learned_from(LevelSource::Past, now);
        }
    }

    /// Returns the part of a call's amount that is no guess.
    pub(crate) fn certain_part(&self, estimate: &CallEstimate) -> i64 {
        let guessed = matches!(
            self.limit.reserve,
            ReserveRule::Estimate | ReserveRule::AsProduced
        );
        match self.limit.dimension {
            Dimension::OutputTokens if guessed => 0,
            Dimension::TotalTokens if guessed => units(self.limit.counted_input(estimate)),
            Dimension::Requests
            | Dimension::InputTokens
            | Dimension::OutputTokens
            | Dimension::TotalTokens
            | Dimension::Spend
            | Dimension::Concurrency => units(self.limit.reserved_for(estimate)),
        }
    }

    /// Returns the amount that came back since a request of this age.
    fn returned(&self, mark: Option<Mark>, age: Millis) -> i64 {
        match self.limit.window {
            Window::Bucket { .. } => self.refilled(age),
            Window::Sliding { .. } => match mark {
                Some(mark) => self.tally.gone() - mark.gone,
                None => self.capacity(),
            },
            Window::Day { .. } | Window::Month | Window::Held => 0,
        }
    }

    /// Returns the amount that comes back to a bucket in a time.
    fn refilled(&self, time: Millis) -> i64 {
        let Window::Bucket { per_ms } = self.limit.window else {
            return 0;
        };
        let scaled = i128::from(self.limit.amount) * i128::from(time.0);
        i64::try_from(scaled / i128::from(per_ms.max(1))).unwrap_or(i64::MAX / 1024)
    }

    /// Returns true if a calendar period began after the request.
    fn is_of_earlier_period(&self, sent_at: Timestamp, now: Timestamp) -> bool {
        let began = self.limit.window.period(now);
        began.is_some_and(|(start, _)| sent_at < start)
    }

    fn charged_room(&mut self, now: Timestamp) -> i64 {
        self.tally.advance(&self.limit, now);
        self.tally.room(&self.limit)
    }

    /// Changes the amount of the limit that is in force.
    fn resize(&mut self, now: Timestamp, amount: u64) {
        if amount == self.limit.amount {
            return;
        }
        let room = self.charged_room(now);
        let burst = self.burst_of(amount);
        (self.limit.amount, self.limit.burst) = (amount, burst);
        self.tally.resize(&self.limit, now, room);
    }

    /// Returns the burst that goes with an amount, in the proportion of the configuration.
    fn burst_of(&self, amount: u64) -> Option<u64> {
        let Limit {
            amount: configured,
            burst,
            ..
        } = self.configured;
        let scaled = u128::from(burst?) * u128::from(amount) / u128::from(configured.max(1));
        Some(u64::try_from(scaled).unwrap_or(u64::MAX))
    }
}

/// Returns true if a limit is charged when a call is sent, not when it ends.
pub(super) fn charged_when_sent(limit: &Limit) -> bool {
    match limit.dimension {
        Dimension::Requests | Dimension::InputTokens => true,
        Dimension::OutputTokens | Dimension::TotalTokens => {
            matches!(
                limit.reserve,
                ReserveRule::InputPlusMax | ReserveRule::MaxOfBoth
            )
        }
        Dimension::Spend | Dimension::Concurrency => false,
    }
}
