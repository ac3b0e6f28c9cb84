//! One limit of a group: its charges (a [`Tally`]), its reservations, and its correction by headers.
//!
//! A reserved amount that the provider has not charged yet never comes back by refill: "full" means
//! full less the reservations. Requests, prompts and reservations by `max_tokens` are charged when the
//! call is sent; produced tokens are charged when the call ends.

use std::collections::VecDeque;

use chorus_core::limit::{
    CallEstimate, Dimension, LevelSource, Limit, LimitLevel, ObservedLevel, ReserveRule, Window,
};
use chorus_core::time::{Millis, Timestamp};

use super::past_level::PastLevel;
use super::tally::{Tally, capacity, lasts, units};

/// Age up to which a header shows the level before later requests; an older one may show any
/// charge up to its arrival.
const PROMPT: Millis = Millis(5_000);
/// Time before a request within which another charged call may have arrived after it.
const OVERTAKEN: Millis = Millis(2_000);
/// Time for which charges are remembered for reading headers.
const REMEMBERED: Millis = Millis(300_000);

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
    tally: Tally,
    recent: VecDeque<(Timestamp, i64)>,
    shown: Option<Timestamp>,
}

impl Meter {
    pub(crate) fn new(limit: Limit, tally: Tally, since: Timestamp) -> Self {
        Self {
            configured: limit.clone(),
            limit,
            held: 0,
            source: (LevelSource::Configured, since),
            tally,
            recent: VecDeque::new(),
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
    /// the limit can hold.
    pub(crate) fn need(&self, estimate: &CallEstimate) -> i64 {
        units(self.limit.reserved_for(estimate))
            .min(self.capacity().max(self.certain_part(estimate)))
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
        let free = self.floor(need, floor_permille).max(booked);
        self.tally
            .earliest(&self.limit, now, need + free + self.held)
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
        while self
            .recent
            .front()
            .is_some_and(|(at, _)| *at + REMEMBERED < now)
        {
            self.recent.pop_front();
        }
        self.recent.push_back((now, used));
        if self.source.0 == LevelSource::Configured {
            self.learned_from(LevelSource::Own, now);
        }
    }

    /// Corrects an earlier charge, unless a header has shown it since: the header knew the truth.
    pub(crate) fn correct(&mut self, now: Timestamp, charged_at: Timestamp, more: i64) {
        if self.shown.is_none_or(|shown| shown < charged_at) {
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

    /// Clamps the level to the range that a header of a request sent at `sent_at` makes possible.
    ///
    /// Later charges may or may not be shown. A header that came at once shows none of them; a late one
    /// may show all, so it lowers the level at most to its own figure and what came back since the request.
    /// Charges shortly before the request may have been overtaken on the way: the level is never raised
    /// beyond them. A header of an earlier day or month shows nothing of the present one.
    pub(crate) fn observe(&mut self, now: Timestamp, sent_at: Timestamp, level: &ObservedLevel) {
        if self.limit.window == Window::Held {
            return;
        }
        if let Some(amount) = level.limit.filter(|amount| *amount > 0) {
            self.resize(now, amount);
            self.learned_from(LevelSource::Header, now);
        }
        let Some(remaining) = level.remaining else {
            return;
        };
        if self.shown.is_some_and(|shown| sent_at < shown)
            || sent_at + REMEMBERED < now
            || self.is_of_earlier_period(sent_at, now)
        {
            return;
        }
        let rounding = units(level.rounded_to) / 2;
        let shown = units(remaining) - rounding;
        let unseen: i64 = self
            .recent
            .iter()
            .filter(|(at, _)| *at > sent_at)
            .map(|(_, amount)| amount)
            .sum();
        let least = shown - unseen - self.overtaken(sent_at);
        let returned = self.returned(sent_at, now);
        let most = if now.since(sent_at) <= PROMPT {
            shown - unseen + returned
        } else {
            shown + returned
        };
        let known = self.charged_room(now);
        let room = known.clamp(least, most.max(least));
        // A fraction of a unit that has come back already is kept where nothing is corrected.
        if room != known {
            self.tally.set_room(&self.limit, now, room);
        }
        self.shown = Some(sent_at);
        self.learned_from(LevelSource::Header, now);
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

    /// Returns the charges of other calls that may have been under way before `sent_at`: all within the
    /// time, less the smallest, which is at most the own charge.
    fn overtaken(&self, sent_at: Timestamp) -> i64 {
        if !self.charged_when_sent() {
            return 0;
        }
        let before = self
            .recent
            .iter()
            .filter(|(at, _)| *at <= sent_at && *at + OVERTAKEN > sent_at)
            .map(|(_, amount)| *amount);
        before.clone().sum::<i64>() - before.min().unwrap_or(0)
    }

    /// Returns the amount that came back between a request and now.
    fn returned(&self, sent_at: Timestamp, now: Timestamp) -> i64 {
        match self.limit.window {
            Window::Bucket { per_ms } => {
                let scaled = i128::from(self.limit.amount) * i128::from(now.since(sent_at).0);
                i64::try_from(scaled / i128::from(per_ms.max(1))).unwrap_or(i64::MAX / 1024)
            }
            Window::Sliding { .. } => {
                let (after, until) = (sent_at - lasts(&self.limit), now - lasts(&self.limit));
                let left = |(at, _): &&(Timestamp, i64)| *at > after && *at <= until;
                let recent = self.recent.iter().filter(left);
                recent.map(|(_, amount)| amount).sum()
            }
            Window::Day { .. } | Window::Month | Window::Held => 0,
        }
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

    /// Changes the amount of the limit to the one that the provider shows.
    fn resize(&mut self, now: Timestamp, amount: u64) {
        if amount == self.limit.amount {
            return;
        }
        let room = self.charged_room(now);
        let scaled = |burst: u64| {
            u128::from(burst) * u128::from(amount) / u128::from(self.limit.amount.max(1))
        };
        let burst = self
            .limit
            .burst
            .map(|burst| u64::try_from(scaled(burst)).unwrap_or(u64::MAX));
        (self.limit.amount, self.limit.burst) = (amount, burst);
        self.tally.resize(&self.limit, now, room);
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
