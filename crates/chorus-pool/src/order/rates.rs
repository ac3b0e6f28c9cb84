//! Rates of a set of credentials, and the time that the set needs for the work left.
//!
//! Levels are known to the limiter only, so saved amounts are not subtracted: the time is too long by at most one
//! burst, and the oldest call is preferred a little longer at the start of a run. Tasks that are not ready yet are
//! not known either: the time is too short for them, which prefers long paths. [`Line::head`](super::Line::head)
//! uses both.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Add, Sub};
use std::sync::Arc;

use chorus_core::attempt::CallSize;
use chorus_core::catalog::Model;
use chorus_core::id::{GroupId, ProviderId};
use chorus_core::limit::{Dimension, QuotaGroup, Window};
use chorus_core::task_kind::TaskKind;
use chorus_core::time::Millis;

use crate::estimate::Estimator;

/// Estimated work of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// Number of calls.
    pub calls: u64,
    /// Number of prompt tokens.
    pub input: u64,
    /// Number of produced tokens.
    pub output: u64,
    /// Time that the calls occupy a slot.
    pub service: Millis,
}

impl Work {
    /// Estimated work of one call on a provider's route to a model.
    pub fn of(
        estimator: &Estimator,
        provider: &ProviderId,
        model: &Model,
        kind: TaskKind,
        size: &CallSize,
    ) -> Self {
        let estimate = estimator.estimate(provider, model, kind, size);
        Self {
            calls: 1,
            input: estimate.input,
            output: estimate.output_p50,
            service: estimator.service(provider, model, kind, size),
        }
    }

    /// Work of so many equal calls.
    #[must_use]
    pub const fn times(self, calls: u64) -> Self {
        Self {
            calls: self.calls.saturating_mul(calls),
            input: self.input.saturating_mul(calls),
            output: self.output.saturating_mul(calls),
            service: Millis(self.service.0.saturating_mul(calls)),
        }
    }
}

/// Refill per second of all credentials of a set, and their slots.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rates {
    per_second: BTreeMap<Dimension, f64>,
    slots: Option<u64>,
}

impl Rates {
    /// Rates of credentials, given the groups of each. Credentials of the same groups count once; a dimension that
    /// one of them does not limit does not limit the set.
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

    /// Minimum time that this work needs.
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

/// Lowest rate of each dimension among the groups of one credential; slots are kept as they are.
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
