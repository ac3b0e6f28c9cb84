//! How fast a set of credentials can work, and how long it needs for what is left.
//!
//! Levels are the limiter's and are not known here: what is saved up is not subtracted, so the time is too
//! long by at most one burst, and the oldest call is preferred a little longer at the start of a run. Nor are
//! tasks known that are not ready yet: they shorten the time, which prefers long paths, as a graph wants it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Add, Sub};
use std::sync::Arc;

use chorus_core::id::GroupId;
use chorus_core::limit::{Dimension, QuotaGroup, Window};
use chorus_core::time::Millis;

/// What calls will likely take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// Calls.
    pub calls: u64,
    /// Prompt tokens.
    pub input: u64,
    /// Produced tokens.
    pub output: u64,
    /// Time in a slot.
    pub service: Millis,
}

/// What comes back in a second on all credentials of a set, and their slots.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rates {
    per_second: BTreeMap<Dimension, f64>,
    slots: Option<u64>,
}

impl Rates {
    /// The rates of credentials, each with the groups that it draws on. Credentials of the same groups count
    /// once; a dimension that one of them does not limit is no limit of the set.
    pub fn of(credentials: &[Vec<Arc<QuotaGroup>>]) -> Self {
        let mut seen: BTreeSet<Vec<&GroupId>> = BTreeSet::new();
        let mut sums: Option<BTreeMap<Dimension, f64>> = None;
        for groups in credentials {
            if !seen.insert(groups.iter().map(|group| &group.id).collect()) {
                continue;
            }
            let own = rates_of_one(groups);
            sums = Some(match sums {
                None => own,
                Some(sums) => sums
                    .into_iter()
                    .filter_map(|(of, sum)| own.get(&of).map(|rate| (of, sum + rate)))
                    .collect(),
            });
        }
        let mut per_second = sums.unwrap_or_default();
        let slots = per_second
            .remove(&Dimension::Concurrency)
            .map(|slots| slots as u64);
        Self { per_second, slots }
    }

    /// The time that this work needs at least.
    pub fn drain(&self, work: &Work) -> Millis {
        let amount = |dimension: Dimension| match dimension {
            Dimension::Requests => work.calls,
            Dimension::InputTokens => work.input,
            Dimension::OutputTokens => work.output,
            Dimension::TotalTokens => work.input + work.output,
            Dimension::Spend | Dimension::Concurrency => 0,
        };
        let by_rate = self
            .per_second
            .iter()
            .map(|(of, rate)| amount(*of) as f64 / rate.max(1e-9))
            .fold(0.0, f64::max);
        let by_slots = self.slots.map_or(0, |slots| work.service.0 / slots.max(1));
        Millis(((by_rate * 1000.0) as u64).max(by_slots))
    }
}

/// For each dimension the lowest rate among the groups of one credential; slots as they are.
fn rates_of_one(groups: &[Arc<QuotaGroup>]) -> BTreeMap<Dimension, f64> {
    let mut rates: BTreeMap<Dimension, f64> = BTreeMap::new();
    for limit in groups.iter().flat_map(|group| &group.limits) {
        let rate = match limit.window {
            Window::Bucket { per_ms } | Window::Sliding { per_ms } => {
                limit.amount as f64 * 1000.0 / per_ms.max(1) as f64
            }
            Window::Held => limit.amount as f64,
            Window::Day { .. } | Window::Month => continue,
        };
        let lowest = rates.entry(limit.dimension).or_insert(rate);
        *lowest = lowest.min(rate);
    }
    rates
}

impl Add for Work {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            input: self.input + other.input,
            output: self.output + other.output,
            service: self.service + other.service,
        }
    }
}

impl Sub for Work {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(other.calls),
            input: self.input.saturating_sub(other.input),
            output: self.output.saturating_sub(other.output),
            service: Millis(self.service.0.saturating_sub(other.service.0)),
        }
    }
}
