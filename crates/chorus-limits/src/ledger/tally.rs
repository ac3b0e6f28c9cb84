//! Charges on one limit and their return: a bucket, a sliding window, a calendar period.
//!
//! Whole numbers only: a bucket counts in units times the milliseconds of its window, so that the
//! instant at which an amount fits is exact. Deliberately absent: reservations, which are
//! [`Meter`](super::meter::Meter)'s.

use std::collections::VecDeque;

use chorus_core::limit::{Limit, Window};
use chorus_core::time::{Millis, Timestamp};

/// Longest travel of a call between its charge here and its count at the provider. A rate with a
/// short window allows a sixtieth of the window.
const TRAVEL: Millis = Millis(500);

/// Charges of one limit, by the kind of its window.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tally {
    /// Level times `per_ms` as of `at`, below zero in debt. Nothing comes back before `at`, which lies
    /// ahead while a call travels to a provider with its own bucket, which may still be full.
    Bucket {
        scaled: i128,
        at: Timestamp,
        full_at: Timestamp,
    },
    /// Charges inside the window, oldest first.
    Sliding {
        charges: VecDeque<(Timestamp, i64)>,
        /// Sum of the charges.
        sum: i64,
        /// Sum of all charges that have left the window.
        gone: i64,
    },
    /// Amount used since the start of the period.
    Calendar { used: i64, since: Timestamp },
    /// Without charges: only reservations count.
    Held,
}

/// Returns an amount as the ledger counts it.
pub(crate) fn units(amount: u64) -> i64 {
    i64::try_from(amount)
        .unwrap_or(i64::MAX / 1024)
        .min(i64::MAX / 1024)
}

pub(crate) fn capacity(limit: &Limit) -> i64 {
    units(limit.capacity())
}

impl Tally {
    /// Returns an unused tally.
    pub(crate) fn full(limit: &Limit, now: Timestamp) -> Self {
        match limit.window {
            Window::Bucket { per_ms } => Self::Bucket {
                scaled: i128::from(capacity(limit)) * i128::from(per_ms),
                at: now,
                full_at: now,
            },
            Window::Sliding { .. } => Self::Sliding {
                charges: VecDeque::new(),
                sum: 0,
                gone: 0,
            },
            Window::Day { .. } | Window::Month => Self::Calendar {
                used: 0,
                since: period_start(limit, now),
            },
            Window::Held => Self::Held,
        }
    }

    /// Returns the tally of a rate that was used up just now. Calendar periods are not emptied, or a day
    /// would be lost.
    pub(crate) fn empty(limit: &Limit, now: Timestamp) -> Self {
        let mut tally = Self::full(limit, now);
        if matches!(tally, Self::Bucket { .. } | Self::Sliding { .. }) {
            tally.set_room(limit, now, 0);
        }
        tally
    }

    /// Advances the tally to `now`.
    pub(crate) fn advance(&mut self, limit: &Limit, now: Timestamp) {
        match self {
            Self::Bucket {
                scaled,
                at,
                full_at,
            } => {
                let cap = i128::from(capacity(limit)) * i128::from(per_ms(limit));
                let elapsed = now.since(*at);
                let after = *scaled + i128::from(limit.amount) * i128::from(elapsed.0);
                if after >= cap {
                    let filled_at =
                        *at + until_refilled(cap - *scaled, limit.amount).unwrap_or(Millis::ZERO);
                    *full_at = (*full_at).max(filled_at.min(now));
                }
                *scaled = after.min(cap);
                *at = (*at).max(now);
            }
            Self::Sliding { charges, sum, gone } => {
                let start = now - lasts(limit);
                while let Some((_, amount)) = charges.pop_front_if(|(at, _)| *at <= start) {
                    *sum -= amount;
                    *gone += amount;
                }
            }
            Self::Calendar { used, since } => {
                let start = period_start(limit, now);
                if start > *since {
                    (*used, *since) = (0, start);
                }
            }
            Self::Held => {}
        }
    }

    /// Returns the amount left as of the last `advance`; below zero when in debt.
    pub(crate) fn room(&self, limit: &Limit) -> i64 {
        match self {
            Self::Bucket { scaled, .. } => {
                let per = per_ms(limit);
                if let (Ok(scaled), Ok(per)) = (i64::try_from(*scaled), i64::try_from(per)) {
                    return scaled.div_euclid(per);
                }
                let whole = scaled.div_euclid(i128::from(per));
                i64::try_from(whole).unwrap_or(if whole < 0 {
                    i64::MIN / 1024
                } else {
                    i64::MAX / 1024
                })
            }
            Self::Sliding { sum, .. } => capacity(limit) - sum,
            Self::Calendar { used, .. } => capacity(limit) - used,
            Self::Held => capacity(limit),
        }
    }

    /// Returns the amount left at a later time if nothing is charged until then. Call after `advance(now)`.
    pub(crate) fn projected(&self, limit: &Limit, now: Timestamp, then: Timestamp) -> i64 {
        match self {
            Self::Bucket { scaled, at, .. } => {
                let per = i128::from(per_ms(limit));
                let refilled = scaled + i128::from(limit.amount) * i128::from(then.since(*at).0);
                let whole = refilled
                    .min(i128::from(capacity(limit)) * per)
                    .div_euclid(per);
                i64::try_from(whole).unwrap_or(i64::MIN / 1024)
            }
            Self::Sliding { charges, .. } => {
                let start = then - lasts(limit);
                let left = charges.iter().take_while(|(at, _)| *at <= start);
                self.room(limit) + left.map(|(_, amount)| amount).sum::<i64>()
            }
            Self::Calendar { .. } => match limit.window.period(now) {
                Some((_, end)) if then >= end => capacity(limit),
                _ => self.room(limit),
            },
            Self::Held => capacity(limit),
        }
    }

    /// Returns the earliest instant at which `need` is left, if time alone brings it. Call after
    /// `advance(now)`.
    pub(crate) fn earliest(&self, limit: &Limit, now: Timestamp, need: i64) -> Option<Timestamp> {
        if self.room(limit) >= need {
            return Some(now);
        }
        if need > capacity(limit) {
            return None;
        }
        match self {
            Self::Bucket { scaled, at, .. } => {
                let missing = i128::from(need) * i128::from(per_ms(limit)) - scaled;
                until_refilled(missing, limit.amount).map(|wait| now.max(*at) + wait)
            }
            Self::Sliding { charges, .. } => {
                let mut room = self.room(limit);
                charges.iter().find_map(|(at, amount)| {
                    room += amount;
                    (room >= need).then(|| *at + lasts(limit))
                })
            }
            Self::Calendar { .. } => limit.window.period(now).map(|(_, end)| end),
            Self::Held => None,
        }
    }

    /// Returns the sum of all charges that have left a sliding window.
    pub(crate) const fn gone(&self) -> i64 {
        match self {
            Self::Sliding { gone, .. } => *gone,
            Self::Bucket { .. } | Self::Calendar { .. } | Self::Held => 0,
        }
    }

    /// Returns the time at which every charge has come back; none for slots. Call after `advance(now)`.
    pub(crate) fn full_at(&self, limit: &Limit, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Bucket { .. } => self.earliest(limit, now, capacity(limit)),
            Self::Sliding { charges, .. } => {
                let last = charges.back().map(|(at, _)| *at + lasts(limit));
                Some(last.unwrap_or(now))
            }
            Self::Calendar { used: 0, .. } => Some(now),
            Self::Calendar { .. } => limit.window.period(now).map(|(_, end)| end),
            Self::Held => None,
        }
    }

    /// Charges an amount at `now`.
    pub(crate) fn charge(&mut self, limit: &Limit, now: Timestamp, amount: i64) {
        self.advance(limit, now);
        match self {
            Self::Bucket { scaled, at, .. } => {
                if amount > 0 {
                    *at = begins_to_refill(limit, *scaled, *at, now);
                }
                *scaled -= i128::from(amount) * i128::from(per_ms(limit));
            }
            Self::Sliding { .. } if amount == 0 => {}
            Self::Sliding { charges, sum, .. } => {
                *sum += amount;
                match charges.back_mut() {
                    Some((at, charged)) if *at == now => *charged += amount,
                    _ => charges.push_back((now, amount)),
                }
            }
            Self::Calendar { used, .. } => *used += amount,
            Self::Held => {}
        }
    }

    /// Corrects a charge made at `charged_at` by `more`, which is below zero if it was too high. An
    /// amount that a full bucket or a past period has given back already is not given back twice.
    pub(crate) fn correct(
        &mut self,
        limit: &Limit,
        now: Timestamp,
        charged_at: Timestamp,
        more: i64,
    ) {
        self.advance(limit, now);
        if more >= 0 {
            self.charge(limit, now, more);
            return;
        }
        match self {
            Self::Bucket { full_at, .. } if charged_at < *full_at => {}
            Self::Bucket { scaled, .. } => *scaled -= i128::from(more) * i128::from(per_ms(limit)),
            Self::Sliding { charges, sum, .. } => {
                let made = charges.partition_point(|(at, _)| *at <= charged_at);
                *sum -= take_out(charges, made, -more, true);
            }
            Self::Calendar { since, .. } if charged_at < *since => {}
            Self::Calendar { used, .. } => *used = (*used + more).max(0),
            Self::Held => {}
        }
        self.advance(limit, now);
    }

    /// Follows a change of the limit's amount: what is left stays what it was, up to the new capacity.
    pub(crate) fn resize(&mut self, limit: &Limit, now: Timestamp, room: i64) {
        if let Self::Bucket { scaled, .. } = self {
            // Fractions are counted in the unit of the new rate, as the script does.
            let per_ms = i128::from(per_ms(limit));
            let unit = gcd(i128::from(limit.amount), per_ms);
            let fraction = scaled.rem_euclid(per_ms);
            *scaled += fraction / unit * unit - fraction;
        }
        self.set_room(limit, now, room);
    }

    /// Sets the amount left to `room`.
    pub(crate) fn set_room(&mut self, limit: &Limit, now: Timestamp, room: i64) {
        self.advance(limit, now);
        let room = room.min(capacity(limit));
        let surplus = self.room(limit) - room;
        match self {
            // A fraction of a unit that came back already is kept.
            Self::Bucket { .. } if surplus == 0 => {}
            Self::Bucket { scaled, .. } => *scaled = i128::from(room) * i128::from(per_ms(limit)),
            // It is not known which charges were none: the oldest would be the first to leave anyway.
            Self::Sliding { charges, sum, .. } if surplus < 0 => {
                *sum -= take_out(charges, charges.len(), -surplus, false);
            }
            Self::Sliding { .. } => self.charge(limit, now, surplus),
            Self::Calendar { used, .. } => *used = capacity(limit) - room,
            Self::Held => {}
        }
    }
}

fn gcd(mut a: i128, mut b: i128) -> i128 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

/// Removes an amount from the first `count` charges, the newest or the oldest of them first; returns what
/// was there to remove.
fn take_out(
    charges: &mut VecDeque<(Timestamp, i64)>,
    count: usize,
    mut amount: i64,
    newest: bool,
) -> i64 {
    let wanted = amount;
    let mut take = |(_, charge): &mut (Timestamp, i64)| {
        let taken = amount.min(*charge).max(0);
        *charge -= taken;
        amount -= taken;
    };
    if newest {
        charges.range_mut(..count).rev().for_each(&mut take);
    } else {
        charges.range_mut(..count).for_each(&mut take);
    }
    charges.retain(|(_, charge)| *charge > 0);
    wanted - amount
}

/// Returns the time from which a bucket that is charged now comes back. The provider's own bucket
/// gains nothing while it is full, and it is full until the call arrives: our gain meanwhile is not
/// counted.
fn begins_to_refill(limit: &Limit, scaled: i128, at: Timestamp, now: Timestamp) -> Timestamp {
    let missing = i128::from(capacity(limit)) * i128::from(per_ms(limit)) - scaled;
    let from = at.max(now);
    match until_refilled(missing, limit.amount).map(|wait| (from + wait).since(now)) {
        Some(until_full) if until_full < travel(limit) => {
            from + Millis(travel(limit).0 - until_full.0)
        }
        _ => at,
    }
}

/// Returns the time for which a charge stays in a sliding window: as long as at the provider, which
/// counts it when the call arrives.
pub(super) fn lasts(limit: &Limit) -> Millis {
    Millis(per_ms(limit) + travel(limit).0)
}

fn travel(limit: &Limit) -> Millis {
    TRAVEL.min(Millis(per_ms(limit) / 60))
}

/// Returns the time in which `amount` a window brings this many scaled units.
fn until_refilled(scaled: i128, amount: u64) -> Option<Millis> {
    if let Ok(scaled) = u64::try_from(scaled.max(0)) {
        return (amount > 0).then(|| Millis(scaled.div_ceil(amount)));
    }
    let rate = i128::from(amount);
    (rate > 0).then(|| {
        Millis(u64::try_from((scaled.max(0) + rate - 1) / rate).unwrap_or(u64::MAX / 1024))
    })
}

fn per_ms(limit: &Limit) -> u64 {
    match limit.window {
        Window::Bucket { per_ms } | Window::Sliding { per_ms } => per_ms.max(1),
        Window::Day { .. } | Window::Month | Window::Held => 1,
    }
}

fn period_start(limit: &Limit, now: Timestamp) -> Timestamp {
    limit.window.period(now).map_or(now, |(start, _)| start)
}
