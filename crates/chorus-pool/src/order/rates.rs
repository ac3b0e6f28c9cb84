//! Rates and levels of a set of accounts, and the time that the set needs for the work left.

use std::collections::BTreeSet;
use std::ops::{Add, Sub};
use std::sync::Arc;

use chorus_core::attempt::CallSize;
use chorus_core::catalog::Model;
use chorus_core::id::{GroupId, ProviderId};
use chorus_core::limit::{Dimension, Limit, QuotaGroup, Window};
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

/// One limit of an account, as far as it counts for the [`Rates`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    /// Dimension of the limit.
    pub dimension: Dimension,
    /// Amount that comes back in a second; the slots for concurrency.
    pub per_second: f64,
    /// Amount left now.
    pub level: f64,
}

impl Flow {
    /// Flow of a limit with this level; none where its amount comes back too seldom to wait for.
    pub fn of(limit: &Limit, level: f64) -> Option<Self> {
        let per_second = match limit.window {
            Window::Bucket { per_ms } | Window::Sliding { per_ms } => {
                limit.amount as f64 * 1000.0 / per_ms.max(1) as f64
            }
            Window::Held => limit.amount as f64,
            Window::Day { .. } | Window::Month => return None,
        };
        Some(Self {
            dimension: limit.dimension,
            per_second,
            level,
        })
    }
}

/// Refill per second and levels of all accounts of a set, and their slots.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rates {
    sums: [Option<Sum>; DIMENSIONS.len()],
    seen: BTreeSet<Vec<u32>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Sum {
    per_second: f64,
    level: f64,
}

/// Dimensions that limit the time; money does not.
const DIMENSIONS: [Dimension; 5] = [
    Dimension::Requests,
    Dimension::InputTokens,
    Dimension::OutputTokens,
    Dimension::TotalTokens,
    Dimension::Concurrency,
];

impl Rates {
    /// Rates of credentials with full limits, given the groups of each.
    pub fn of(credentials: &[Vec<Arc<QuotaGroup>>]) -> Self {
        let mut rates = Self::default();
        let mut numbers: Vec<&GroupId> = Vec::new();
        for groups in credentials {
            let mut keys = Vec::with_capacity(groups.len());
            for group in groups {
                let known = numbers.iter().position(|id| **id == group.id);
                keys.push(known.unwrap_or(numbers.len()) as u32);
                if known.is_none() {
                    numbers.push(&group.id);
                }
            }
            let limits = groups.iter().flat_map(|group| &group.limits);
            rates.add(&keys, limits.filter_map(|limit| Flow::of(limit, 0.0)));
        }
        rates
    }

    /// Adds an account, given the numbers of its groups and their limits. Accounts of the same groups count once; a
    /// dimension that one of them does not limit does not limit the set.
    pub fn add(&mut self, groups: &[u32], limits: impl Iterator<Item = Flow>) {
        let is_first = self.seen.is_empty();
        if !self.seen.insert(groups.to_vec()) {
            return;
        }
        let mut own: [Option<Sum>; DIMENSIONS.len()] = Default::default();
        for limit in limits {
            let Some(place) = DIMENSIONS.iter().position(|one| *one == limit.dimension) else {
                continue;
            };
            let lowest = own[place].get_or_insert(Sum {
                per_second: limit.per_second,
                level: limit.level,
            });
            lowest.per_second = lowest.per_second.min(limit.per_second);
            lowest.level = lowest.level.min(limit.level);
        }
        for (sum, own) in self.sums.iter_mut().zip(own) {
            *sum = match (*sum, own) {
                (_, own) if is_first => own,
                (Some(sum), Some(own)) => Some(Sum {
                    per_second: sum.per_second + own.per_second,
                    level: sum.level + own.level,
                }),
                (None, _) | (_, None) => None,
            };
        }
    }

    /// Minimum time that this work needs beyond what the levels hold.
    pub fn drain(&self, work: &Work) -> Millis {
        let seconds = DIMENSIONS.iter().zip(&self.sums).map(|(dimension, sum)| {
            let Some(sum) = sum else {
                return 0.0;
            };
            let amount = match dimension {
                Dimension::Requests => work.calls as f64,
                Dimension::InputTokens => work.input as f64,
                Dimension::OutputTokens => work.output as f64,
                Dimension::TotalTokens => (work.input + work.output) as f64,
                Dimension::Concurrency => {
                    return work.service.as_secs_f64() / sum.per_second.max(1.0);
                }
                Dimension::Spend => return 0.0,
            };
            (amount - sum.level.max(0.0)).max(0.0) / sum.per_second.max(1e-9)
        });
        Millis((seconds.fold(0.0, f64::max) * 1000.0) as u64)
    }
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
