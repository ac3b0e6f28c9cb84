//! Order of waiting calls: priority, which grows with age, then fairness between tenants and between the projects of
//! a tenant, then the rule of the critical path.
//!
//! The rule takes the call with the longest path to the end of its project if that path threatens the makespan, and
//! the oldest call otherwise; calls of the same age go in the order in which they were queued. A call that would
//! wait for two and a half times as long as the pool needed when it came goes before every longer path. Each set of targets has one
//! [`Line`]. Calls that continue an answer cut by `max_tokens` go before their peers.

mod fairness;
mod rates;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chorus_core::time::{Millis, Timestamp};

pub use fairness::{Fairness, PayerId};
pub use rates::{Flow, Rates, Work};

/// Time of waiting that raises the priority of a call by one.
const AGES_IN: Millis = Millis::from_secs(10);
/// Waiting time that is never overdue.
const SOON: Millis = Millis::from_secs(5);

/// Number of a waiting call.
pub type RowId = u32;

/// Properties that decide the position of a call in its [`Line`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Number of the call.
    pub row: RowId,
    /// Tenant and project that it is served for.
    pub payer: PayerId,
    /// Priority; a higher one goes first.
    pub priority: u8,
    /// Predicted time from the start of the call to the end of its project.
    pub path: Millis,
    /// Time at which the attempt was queued first.
    pub since: Timestamp,
    /// Order in which the calls came.
    pub sequence: u32,
    /// True if the call continues a cut answer.
    pub ahead: bool,
}

/// Calls that wait for one set of targets.
#[derive(Debug, Clone, Default)]
pub struct Line {
    tiers: BTreeMap<u8, Tier>,
    work: Work,
}

/// Calls of one priority.
#[derive(Debug, Clone, Default)]
struct Tier {
    payers: BTreeMap<PayerId, Waiting>,
    /// Payers by what they have used.
    by_use: BTreeSet<(u64, PayerId)>,
    /// Payers by the age of their oldest call.
    by_age: BTreeSet<(Timestamp, PayerId)>,
}

/// Calls of one priority and payer.
#[derive(Debug, Clone, Default)]
struct Waiting {
    ahead: BTreeSet<(Timestamp, u32, RowId)>,
    by_age: BTreeSet<(Timestamp, u32, RowId)>,
    by_path: BTreeSet<(Reverse<u32>, u32, RowId)>,
}

/// The call that goes next, with the facts that decide its order among other lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of the call.
    pub row: RowId,
    /// Its priority.
    pub priority: u8,
}

impl Line {
    /// Adds a call with its estimated work; `used` is what its payer has used.
    pub fn push(&mut self, place: &Place, work: Work, used: u64) {
        let tier = self.tiers.entry(place.priority).or_default();
        let waiting = tier.payers.entry(place.payer).or_default();
        let oldest = waiting.since();
        if place.ahead {
            waiting.ahead.insert(place.age_key());
        } else {
            waiting.by_age.insert(place.age_key());
            waiting.by_path.insert(place.path_key());
        }
        tier.by_use.insert((used, place.payer));
        tier.aged(place.payer, oldest);
        self.work = self.work + work;
    }

    /// Removes a call with the work that it was added with.
    pub fn remove(&mut self, place: &Place, work: Work, used: u64) {
        let Some(tier) = self.tiers.get_mut(&place.priority) else {
            return;
        };
        let Some(waiting) = tier.payers.get_mut(&place.payer) else {
            return;
        };
        let oldest = waiting.since();
        waiting.ahead.remove(&place.age_key());
        waiting.by_age.remove(&place.age_key());
        waiting.by_path.remove(&place.path_key());
        if waiting.is_empty() {
            tier.by_use.remove(&(used, place.payer));
            tier.payers.remove(&place.payer);
        }
        tier.aged(place.payer, oldest);
        if tier.payers.is_empty() {
            self.tiers.remove(&place.priority);
        }
        self.work = self.work - work;
    }

    /// Takes the changed use of a payer.
    pub fn used(&mut self, payer: PayerId, before: u64, after: u64) {
        for tier in self.tiers.values_mut() {
            if tier.by_use.remove(&(before, payer)) {
                tier.by_use.insert((after, payer));
            }
        }
    }

    /// Returns the call to be admitted next. `drain` is the time that the pool needs for everything that waits, and
    /// `overdue_at` the time from which a call is overdue.
    pub fn head(
        &self,
        drain: Millis,
        overdue_at: impl Fn(RowId) -> Timestamp,
        now: Timestamp,
    ) -> Option<Head> {
        let (priority, tier) = match self.tiers.len() {
            1 => self.tiers.last_key_value()?,
            _ => self.tiers.iter().max_by_key(|(priority, tier)| {
                let since = tier.since().unwrap_or(now);
                (aged(**priority, since, now), **priority)
            })?,
        };
        let (_, payer) = tier.by_use.first()?;
        let row = tier.payers.get(payer)?.head(drain, overdue_at, now)?;
        Some(Head {
            row,
            priority: *priority,
        })
    }

    /// Returns the calls that go next after the head, without regard to fairness: at most `count`, the oldest first.
    pub fn after_head(&self, count: usize) -> Vec<RowId> {
        let tiers = self.tiers.values().rev();
        let payers =
            tiers.flat_map(|tier| tier.by_use.iter().map(|(_, payer)| &tier.payers[payer]));
        let rows = payers.flat_map(|waiting| waiting.by_age.iter().map(|(_, _, row)| *row));
        rows.take(count).collect()
    }

    /// Time since which the oldest call of each priority waits.
    pub fn ages(&self) -> impl Iterator<Item = (u8, Timestamp)> {
        let tiers = self.tiers.iter();
        tiers.filter_map(|(priority, tier)| Some((*priority, tier.since()?)))
    }

    /// Returns true if no call waits.
    pub fn is_empty(&self) -> bool {
        self.tiers.is_empty()
    }

    /// Numbers of all calls.
    pub fn rows(&self) -> Vec<RowId> {
        let waiting = self.tiers.values().flat_map(|tier| tier.payers.values());
        let rows = waiting.flat_map(|waiting| waiting.ahead.iter().chain(&waiting.by_age));
        rows.map(|(_, _, row)| *row).collect()
    }

    /// Number of waiting calls.
    pub const fn len(&self) -> u64 {
        self.work.calls
    }

    /// Sum of the estimated [`Work`] of all waiting calls.
    pub const fn work(&self) -> Work {
        self.work
    }
}

impl Place {
    const fn age_key(&self) -> (Timestamp, u32, RowId) {
        (self.since, self.sequence, self.row)
    }

    fn path_key(&self) -> (Reverse<u32>, u32, RowId) {
        let path = u32::try_from(self.path.0).unwrap_or(u32::MAX);
        (Reverse(path), self.sequence, self.row)
    }
}

impl Tier {
    fn since(&self) -> Option<Timestamp> {
        self.by_age.first().map(|(since, _)| *since)
    }

    /// Corrects the age of a payer; `before` is that of its oldest call until now.
    fn aged(&mut self, payer: PayerId, before: Option<Timestamp>) {
        let after = self.payers.get(&payer).and_then(Waiting::since);
        if before != after {
            before.map(|since| self.by_age.remove(&(since, payer)));
            after.map(|since| self.by_age.insert((since, payer)));
        }
    }
}

impl Waiting {
    fn head(
        &self,
        drain: Millis,
        overdue_at: impl Fn(RowId) -> Timestamp,
        now: Timestamp,
    ) -> Option<RowId> {
        if let Some((_, _, row)) = self.ahead.first() {
            return Some(*row);
        }
        let (since, _, oldest) = self.by_age.first()?;
        let (Reverse(path), _, longest) = self.by_path.first()?;
        let path = Millis(u64::from(*path));
        let is_overdue = || is_overdue(*since, overdue_at(*oldest), drain, now);
        Some(if threatens(path, drain) && !is_overdue() {
            *longest
        } else {
            *oldest
        })
    }

    /// Time since which its oldest call waits.
    fn since(&self) -> Option<Timestamp> {
        let oldest = [self.ahead.first(), self.by_age.first()];
        let since = oldest.into_iter().flatten().map(|(since, _, _)| *since);
        since.min()
    }

    fn is_empty(&self) -> bool {
        self.ahead.is_empty() && self.by_age.is_empty()
    }
}

/// Priority of a call that waits since `since`; age raises it, so that no call waits for ever.
pub fn aged(priority: u8, since: Timestamp, now: Timestamp) -> u64 {
    u64::from(priority) + now.since(since).0 / AGES_IN.0
}

/// Returns true if a call that waits since `since` has waited for half of its time, and would be overdue after all
/// that waits.
fn is_overdue(since: Timestamp, overdue_at: Timestamp, drain: Millis, now: Timestamp) -> bool {
    let half = since + Millis(overdue_at.since(since).0 / 2);
    now >= half && now + drain >= overdue_at
}

/// Time at which a call that comes now is overdue, given the time that the pool needs for what is ahead of it.
pub fn overdue(drain: Millis, now: Timestamp) -> Timestamp {
    now + SOON + Millis(drain.0.saturating_mul(5) / 2)
}

/// Returns true if a path threatens the makespan: it is at least 0.3 of the time the pool needs, less ten seconds.
fn threatens(path: Millis, drain: Millis) -> bool {
    u128::from(path.0) * 10 + 100_000 >= u128::from(drain.0) * 3
}

#[cfg(test)]
mod tests;
