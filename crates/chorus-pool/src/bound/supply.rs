//! Amount of one rate that a station can grant in a time, in units and seconds.

use chorus_core::limit::{Dimension, Limit, Window};

use super::Station;

/// Rate of one dimension of one station, with the changes of its limit during the run.
#[derive(Debug, Clone)]
pub(super) struct Supply {
    /// Amount that can be drawn at the start.
    level: f64,
    /// Largest amount that can be saved up at any time.
    burst: f64,
    /// Debt that running calls may leave.
    overdraft: f64,
    /// Rate per second from each second on; the first one is from 0.
    rates: Vec<(f64, f64)>,
}

impl Supply {
    /// Rate of a station; none if it has no such rate. `overdraft` is the debt that its calls may leave.
    pub(super) fn of(station: &Station, dimension: Dimension, overdraft: f64) -> Option<Self> {
        let per_second = |amount: u64, per_ms: u64| amount as f64 * 1000.0 / per_ms.max(1) as f64;
        let rates = station
            .limits
            .iter()
            .filter(|limit| limit.dimension == dimension)
            .filter_map(|limit| period(limit).map(|per_ms| (limit, per_ms)));
        let (limit, per_ms) = rates.min_by(|(one, one_ms), (other, other_ms)| {
            per_second(one.amount, *one_ms).total_cmp(&per_second(other.amount, *other_ms))
        })?;
        let capacity = limit.capacity() as f64;
        let level = station.levels.get(&dimension);
        let mut supply = Self {
            level: level.map_or(capacity, |level| *level as f64).min(capacity),
            burst: capacity,
            overdraft,
            rates: vec![(0.0, per_second(limit.amount, per_ms))],
        };
        for change in &station.changes {
            if change.dimension == dimension {
                let rate = per_second(change.amount, per_ms);
                supply.rates.push((change.at.as_secs_f64(), rate));
                supply.burst = supply.burst.max(change.amount as f64);
            }
        }
        Some(supply)
    }

    /// Rate per second in force at a second.
    pub(super) fn rate_at(&self, at: f64) -> f64 {
        let in_force = self.rates.iter().rev().find(|(from, _)| *from <= at);
        in_force
            .or_else(|| self.rates.first())
            .map_or(0.0, |(_, rate)| *rate)
    }

    /// Largest amount that calls admitted between two seconds can use.
    pub(super) fn between(&self, from: f64, until: f64) -> f64 {
        let saved = (self.level + self.refill(0.0, from)).min(self.burst);
        saved + self.overdraft + self.refill(from, until)
    }

    fn refill(&self, from: f64, until: f64) -> f64 {
        let ends = self
            .rates
            .iter()
            .skip(1)
            .map(|(from, _)| *from)
            .chain([f64::INFINITY]);
        let pieces = self.rates.iter().zip(ends).map(|((begin, rate), end)| {
            let length = until.min(end) - from.max(*begin);
            if length > 0.0 { rate * length } else { 0.0 }
        });
        pieces.sum()
    }
}

/// Time in which the whole amount of a rate comes back, in milliseconds; none for calendars and slots, which
/// the bound leaves out.
fn period(limit: &Limit) -> Option<u64> {
    match limit.window {
        Window::Bucket { per_ms } | Window::Sliding { per_ms } => Some(per_ms),
        _ => None,
    }
}
