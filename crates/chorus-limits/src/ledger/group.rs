//! One quota group: its meters, which are asked and charged together, and its closure as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::failure::GroupReaction;
use chorus_core::id::LeaseId;
use chorus_core::limit::{
    Candidate, Demand, Dimension, GroupClosure, Limit, LimitSignals, ObservedLevel, ObstacleKind,
    QuotaGroup, Window, Zone,
};
use chorus_core::port::limit_state::BOOKING_LASTS;
use chorus_core::time::{Millis, Timestamp};

use super::addressed::Addressed;
use super::booking::{Booking, Bookings, left_for};
use super::configured::{differ_by_amounts, is_rate, length, places};
use super::fit::Fit;
use super::group_key::GroupKey;
use super::lease::Entry;
use super::meter::{Mark, Meter};
use super::ramp::Ramp;
use super::tally::Tally;

/// Time within which a second refusal that nothing explains lowers the rates.
const SUSPICION: Millis = Millis(30_000);
/// Time after a refusal from which an accepted call ends the doubling of closures.
const CALM: Millis = Millis(5_000);
/// Most doublings of the closure of a group that is refused again and again.
const MOST_DOUBLINGS: u32 = 2;
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
    pub(crate) closed: Option<GroupClosure>,
    /// Number of live leases that draw on the group.
    pub(crate) in_flight: u64,
    /// Number of live leases among them that were sent.
    pub(crate) sent: u64,
    /// Expiry of each live lease of a process that ended.
    pub(crate) of_ended_process: BTreeMap<LeaseId, Timestamp>,
    ramp: Option<Ramp>,
    /// Time of the last refusal that nothing explains, and their number since a call was accepted.
    unexplained: Option<(Timestamp, u32)>,
    config: Arc<QuotaGroup>,
    pub(crate) bookings: Bookings,
}

/// Returns true unless a call that was sent at `sent_at` was sent after the refusal that closed a group.
fn is_newer_than(closure: &GroupClosure, sent_at: Option<Timestamp>) -> bool {
    sent_at.is_none_or(|sent_at| sent_at <= closure.since)
}

/// Call for which room is sought.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    /// Lease of the call.
    pub(crate) lease: LeaseId,
    /// True if a person waits for it.
    pub(crate) interactive: bool,
    /// Credential, estimate and floor.
    pub(crate) candidate: &'a Candidate,
}

/// Part of a [`SentCall`] on one limit.
#[derive(Debug, Clone, Copy, Default)]
struct SentPart {
    /// Sums when the call was sent.
    mark: Option<Mark>,
    set_aside: i64,
    /// Amount that is charged only when the call ends.
    held: i64,
}

/// Call whose reply or refusal is observed, as far as one group knows it.
#[derive(Debug, Clone, Default)]
pub(crate) struct SentCall {
    /// Time at which it was sent, by the clock of the ledger.
    sent_at: Option<Timestamp>,
    /// What it drew from each limit.
    parts: Vec<SentPart>,
}

impl SentCall {
    /// Returns what a lease drew from a group.
    pub(crate) fn of(entry: &Entry, key: GroupKey, group: &Group) -> Self {
        let mut parts = vec![SentPart::default(); group.meters.len()];
        for part in entry.parts.iter().filter(|part| part.group == key) {
            if let Some(place) = group.place(part.dimension, part.nth) {
                let is_running = part.mark.is_some() && part.charged.is_none();
                parts[place] = SentPart {
                    mark: part.mark,
                    set_aside: part.set_aside,
                    held: if is_running { part.set_aside } else { 0 },
                };
            }
        }
        Self {
            sent_at: entry.sent_at,
            parts,
        }
    }

    fn mark(&self, place: usize) -> Option<Mark> {
        self.parts.get(place).and_then(|part| part.mark)
    }

    fn need(&self, place: usize) -> i64 {
        self.parts.get(place).map_or(0, |part| part.set_aside)
    }

    fn held(&self, place: usize) -> i64 {
        self.parts.get(place).map_or(0, |part| part.held)
    }

    /// Returns the time of the request: as its caller says, but not before the lease was sent by the clock
    /// of the ledger, nor after now.
    fn asked_at(&self, signals: &LimitSignals, now: Timestamp) -> Timestamp {
        let said = signals.sent_at.min(now);
        self.sent_at.map_or(said, |sent_at| said.max(sent_at))
    }
}

impl<'a> Call<'a> {
    /// Returns the call of a demand on one of its candidates.
    pub(crate) const fn new(demand: &Demand, candidate: &'a Candidate) -> Self {
        Self {
            lease: demand.lease,
            interactive: demand.interactive,
            candidate,
        }
    }
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
            .map(|limit| Meter::new(limit.clone(), tally(limit, since), since))
            .collect();
        Self {
            meters,
            closed: None,
            in_flight: 0,
            sent: 0,
            of_ended_process: BTreeMap::new(),
            ramp: None,
            unexplained: None,
            config,
            bookings: Bookings::default(),
        }
    }

    /// Applies a configuration; returns true if leases must be counted again, because more than amounts is
    /// new. Amounts that headers changed stay for
    /// limits with an unchanged configuration.
    pub(crate) fn configure(&mut self, config: &Arc<QuotaGroup>, now: Timestamp) -> bool {
        if Arc::ptr_eq(&self.config, config) || self.config == *config {
            return false;
        }
        self.bookings.clear();
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
                    None => Meter::new(limit.clone(), Tally::full(limit, now), now),
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

    /// Returns the fit of a call beside the bookings that it must heed.
    pub(crate) fn fit(&mut self, call: &Call<'_>, now: Timestamp) -> Fit {
        self.bookings.expire(now);
        let bookings = std::mem::take(&mut self.bookings);
        let heeded = bookings.ahead_of(call.lease, call.interactive);
        let mut fit = self.fit_beside(call.candidate, &heeded, now, None);
        // A booking that is not renewed holds no call back after its end.
        for lapsed in &heeded {
            if matches!(fit, Fit::Now { .. } | Fit::Never(_)) {
                break;
            }
            let rest: Vec<&Booking> = heeded
                .iter()
                .copied()
                .filter(|one| one.until > lapsed.until)
                .collect();
            fit = fit.sooner(self.fit_beside(call.candidate, &rest, now, Some(lapsed)));
        }
        drop(heeded);
        self.bookings = bookings;
        fit
    }

    /// Returns the fit of a call beside these bookings, at the end of `lapsed` at the earliest.
    fn fit_beside(
        &mut self,
        candidate: &Candidate,
        heeded: &[&Booking],
        now: Timestamp,
        lapsed: Option<&Booking>,
    ) -> Fit {
        let (mut at, mut obstacle) = self.opens_at(now);
        if let Some(lapsed) = lapsed.filter(|lapsed| lapsed.until > at) {
            (at, obstacle) = (lapsed.until, lapsed.obstacle());
        }
        let mut headroom = i64::MAX;
        let mut freed = self.is_ramp_reached(heeded);
        for (place, meter) in self.meters.iter_mut().enumerate() {
            let dimension = meter.limit.dimension;
            meter.raise_rate(now);
            let need = meter.need(&candidate.estimate);
            if need > meter.capacity() {
                return Fit::Never(dimension);
            }
            let room = meter.room(now);
            let (left, cause) = left_for(heeded, place, need, now, |at| meter.projected(now, at));
            let kind = cause.map_or(ObstacleKind::Limit { dimension }, Booking::obstacle);
            match meter.earliest(now, need, candidate.floor_permille, left) {
                Some(instant) if instant > at => (at, obstacle) = (instant, kind),
                Some(_) => {}
                None => drop(freed.get_or_insert(kind)),
            }
            let left = i128::from(room - need) * 1_000_000 / i128::from(meter.capacity().max(1));
            headroom = headroom.min(i64::try_from(left).unwrap_or(i64::MIN));
        }
        match freed {
            Some(kind) => self.when_freed(kind),
            None if at > now => Fit::At(at, obstacle),
            None => Fit::Now { headroom },
        }
    }

    /// Returns the obstacle of a call beyond the cap on calls in flight, booked ones included.
    fn is_ramp_reached(&self, heeded: &[&Booking]) -> Option<ObstacleKind> {
        let cap = self.ramp?.cap();
        if self.in_flight >= cap {
            return Some(ObstacleKind::CallsInFlight);
        }
        let booked = self.in_flight + u64::try_from(heeded.len()).unwrap_or(u64::MAX);
        heeded
            .first()
            .filter(|_| booked >= cap)
            .map(|booking| booking.obstacle())
    }

    /// Returns the booking of a call that fits at `at`.
    pub(crate) fn booking(
        &self,
        call: &Call<'_>,
        at: Option<Timestamp>,
        now: Timestamp,
    ) -> Booking {
        let needs = self
            .meters
            .iter()
            .map(|meter| meter.booked(&call.candidate.estimate, call.candidate.floor_permille));
        Booking {
            lease: call.lease,
            interactive: call.interactive,
            needs: needs.collect(),
            at,
            until: now + BOOKING_LASTS,
        }
    }

    /// Returns the time at which the group is open, and the closure as an obstacle.
    fn opens_at(&self, now: Timestamp) -> (Timestamp, ObstacleKind) {
        match self.closed.filter(|closure| closure.until > now) {
            Some(GroupClosure {
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
    pub(crate) fn observe(
        &mut self,
        signals: &LimitSignals,
        addressed: &Addressed,
        call: &SentCall,
        now: Timestamp,
    ) {
        if signals.failure.is_none() {
            self.accepted(call.sent_at);
        }
        let asked_at = call.asked_at(signals, now);
        let is_refused = signals.reaction() != GroupReaction::Nothing;
        let mut is_explained = false;
        for (level, place) in &addressed.levels {
            let meter = &mut self.meters[*place];
            if let Some(level) = level.for_window(meter.limit.window) {
                let refused = if is_refused { call.held(*place) } else { 0 };
                let mark = call.mark(*place);
                is_explained |= meter.observe(now, asked_at, mark, refused, &level);
            }
        }
        if addressed.is_refused {
            self.react(signals, addressed, call, is_explained, now);
        }
    }

    fn react(
        &mut self,
        signals: &LimitSignals,
        addressed: &Addressed,
        call: &SentCall,
        is_explained: bool,
        now: Timestamp,
    ) {
        let rest = now + signals.retry_after.unwrap_or(REST);
        let closed_until = match signals.reaction() {
            GroupReaction::Nothing => None,
            GroupReaction::CloseBucket => {
                self.used_up(addressed, call, is_explained, now);
                Some(signals.retry_after.map_or_else(|| self.rest(now), |_| rest))
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
            self.close(signals, call.sent_at, until, now);
        }
    }

    /// Returns the end of a closure without a length from the provider: it doubles while refusals go on.
    fn rest(&self, now: Timestamp) -> Timestamp {
        let again = self
            .unexplained
            .map_or(0, |(_, count)| count.saturating_sub(1));
        now + Millis(REST.0 << again.min(MOST_DOUBLINGS))
    }

    /// Opens a closed group.
    pub(crate) fn open(&mut self) {
        self.closed = None;
    }

    /// Opens the group after a call that was sent at `sent_at` was accepted, if the closure is older.
    pub(crate) fn accepted(&mut self, sent_at: Option<Timestamp>) {
        self.closed = self
            .closed
            .filter(|closure| is_newer_than(closure, sent_at));
        if let Some((at, count)) = &mut self.unexplained
            && sent_at.is_some_and(|sent_at| sent_at > *at + CALM)
        {
            *count = 0;
        }
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
                && !is_newer_than(&closed, sent_at)
                && signals.retry_after.is_some();
            until <= closed.until && !is_replaced
        });
        if !stays {
            self.closed = Some(GroupClosure {
                class,
                since: now,
                until,
            });
        }
    }

    /// Empties the limits that the headers show as too low for the call, else the scarcest one. Where a
    /// header reports the level, the level stays as reported.
    fn used_up(
        &mut self,
        addressed: &Addressed,
        call: &SentCall,
        is_explained: bool,
        now: Timestamp,
    ) {
        let is_short = |level: &ObservedLevel, place: usize| {
            let remaining = level.remaining.map(super::tally::units);
            remaining.is_some_and(|remaining| remaining == 0 || remaining < call.need(place))
        };
        let mut named: Vec<usize> = Vec::new();
        for (level, place) in &addressed.levels {
            let Some(level) = level.for_window(self.meters[*place].limit.window) else {
                continue;
            };
            if is_short(&level, *place) {
                named.push(*place);
                if level.remaining == Some(0) {
                    self.meters[*place].used_up(now);
                }
            }
        }
        if named.is_empty()
            && let Some((_, place)) = self.scarcest(now)
        {
            self.meters[place].used_up(now);
        }
        if !is_explained && self.is_suspect(call, now) {
            self.lower_rates(&named, now);
        }
    }

    /// Notes a refusal that nothing explains. Returns true if rates are to be lowered: on the second in a
    /// time, of a call that was sent after the first was seen.
    fn is_suspect(&mut self, call: &SentCall, now: Timestamp) -> bool {
        let (last, count) = self.unexplained.unzip();
        let is_later = last.is_none_or(|last| call.sent_at.is_none_or(|sent_at| sent_at > last));
        if !is_later {
            return false;
        }
        self.unexplained = Some((now, count.unwrap_or(0) + 1));
        last.is_some_and(|last| now.since(last) <= SUSPICION)
            || self.meters.iter().any(Meter::is_lowered)
    }

    /// Lowers the named rates, or all where none is named.
    fn lower_rates(&mut self, named: &[usize], now: Timestamp) {
        for (place, meter) in self.meters.iter_mut().enumerate() {
            let is_named = named.is_empty() || named.contains(&place);
            let is_money = meter.limit.dimension == Dimension::Spend;
            if is_named && !is_money && is_rate(&meter.limit) {
                meter.lower_rate(now);
            }
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
        let same = of_dimension()
            .find(|(_, meter)| level.limit.is_some_and(|amount| meter.has_amount(amount)));
        if let Some((place, _)) = same {
            return Some((0, place));
        }
        let (place, meter) = of_dimension().min_by_key(|(_, meter)| length(meter.limit.window))?;
        let amount = meter.base().max(1);
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
