//! Prices that prove a lower bound, and their check, which needs no solver.
//!
//! For a set of jobs that no schedule admits before `head`, nor later than `tail` before the end, and for any prices
//! of units and slots: the jobs cost at least the sum of their cheapest stations, and at most the price of all that
//! the stations can grant in that time. The makespan is at least the time at which the second reaches the first.

use std::collections::BTreeMap;

use chorus_core::limit::Dimension;
use chorus_core::time::Millis;

use super::closed_forms::soonest;
use super::program::{JobRow, Program, RATES, StationRow, millis};
use super::spans::Span;
use super::{Job, Station};

/// A lower bound with its proof; [`verify`] checks it.
#[derive(Debug, Clone, PartialEq)]
pub struct Certificate {
    /// Price list of each station, in their order.
    pub prices: Vec<StationPrices>,
    /// Jobs of the set have at least this long a chain before them.
    pub head: Millis,
    /// Jobs of the set begin at least this long a chain.
    pub tail: Millis,
    /// The bound that these prices prove.
    pub makespan: Millis,
}

/// Prices at one station; at equal stations they are equal.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StationPrices {
    /// Price of one unit of each rate.
    pub rates: BTreeMap<Dimension, f64>,
    /// Price of one second of a slot.
    pub slots: f64,
}

/// Returns the bound that the prices of a certificate prove for these jobs and stations, which may differ from the one it names;
/// none if a price is negative or a list is missing.
pub fn verify(jobs: &[Job], stations: &[Station], certificate: &Certificate) -> Option<Millis> {
    let prices = &certificate.prices;
    let is_valid = |price: f64| price.is_finite() && price >= 0.0;
    let are_valid = |list: &StationPrices| {
        is_valid(list.slots) && list.rates.values().all(|price| is_valid(*price))
    };
    if prices.len() != stations.len() || !prices.iter().all(are_valid) {
        return None;
    }
    let program = Program::of(jobs, stations);
    let rows: Vec<PriceRow> = prices.iter().map(PriceRow::of).collect();
    let least = Cut {
        head: certificate.head.as_secs_f64(),
        tail: certificate.tail.as_secs_f64(),
    };
    let seconds = proved(&program, &rows, least)?;
    Some(millis(seconds))
}

/// Prices of one station as numbers: of each rate, then of a second of a slot.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PriceRow {
    pub(super) rates: [f64; RATES.len()],
    pub(super) slots: f64,
}

impl PriceRow {
    fn of(list: &StationPrices) -> Self {
        Self {
            rates: RATES.map(|rate| list.rates.get(&rate).copied().unwrap_or(0.0)),
            slots: list.slots,
        }
    }

    pub(super) fn list(&self) -> StationPrices {
        let priced = RATES.into_iter().zip(self.rates);
        StationPrices {
            rates: priced.filter(|(_, price)| *price > 0.0).collect(),
            slots: self.slots,
        }
    }

    /// Price of a job.
    pub(super) fn of_job(&self, job: &JobRow) -> f64 {
        let rates = self.rates.iter().zip(job.used);
        rates.map(|(price, used)| price * used).sum::<f64>() + self.slots * job.service
    }
}

/// Least chains before and after the jobs of a set, in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cut {
    pub(super) head: f64,
    pub(super) tail: f64,
}

/// Times that hold for all jobs of a set, in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) head: f64,
    pub(super) tail: f64,
    /// Shortest time between the end of a job of the set and the end of the run.
    pub(super) after: f64,
}

impl Cut {
    pub(super) fn contains(self, span: Span) -> bool {
        span.head >= self.head && span.tail >= self.tail
    }

    /// Times of the set; none for an empty one.
    pub(super) fn frame(self, program: &Program) -> Option<Frame> {
        let jobs = program.jobs.iter().zip(&program.spans);
        let chosen = jobs.filter(|(_, span)| self.contains(**span));
        chosen
            .map(|(job, span)| Frame {
                head: span.head,
                tail: span.tail,
                after: span.tail - job.service,
            })
            .reduce(|one, other| Frame {
                head: one.head.min(other.head),
                tail: one.tail.min(other.tail),
                after: one.after.min(other.after),
            })
    }
}

/// Bound that prices prove for the jobs of a cut, in seconds; none where prices prove nothing.
pub(super) fn proved(program: &Program, prices: &[PriceRow], cut: Cut) -> Option<f64> {
    let frame = cut.frame(program)?;
    let jobs = program.jobs.iter().zip(&program.spans);
    let chosen = jobs.filter(|(_, span)| cut.contains(**span));
    let needed: f64 = chosen
        .map(|(job, _)| cheapest(program, prices, job).map_or(0.0, |(_, price)| price * job.count))
        .sum();
    let granted = |end: f64| -> f64 {
        let stations = program.stations.iter().zip(prices);
        stations
            .map(|(station, prices)| station.count * worth(station, prices, frame, end))
            .sum()
    };
    let from = frame.head + frame.tail;
    soonest(from, |end| granted(end) >= needed)
}

/// Station with the lowest price for a job, and that price; none for a job that no station may run.
pub(super) fn cheapest(
    program: &Program,
    prices: &[PriceRow],
    job: &JobRow,
) -> Option<(usize, f64)> {
    let eligible = program.classes[job.class].iter();
    let priced = eligible.map(|station| (*station, prices[*station].of_job(job)));
    priced.min_by(|one, other| one.1.total_cmp(&other.1))
}

/// Price of all that one station can grant to the jobs of a frame in a run that ends at `end`.
fn worth(station: &StationRow, prices: &PriceRow, frame: Frame, end: f64) -> f64 {
    let rates = station.supplies.iter().zip(prices.rates);
    let units: f64 = rates
        .map(|(supply, price)| match supply {
            _ if price <= 0.0 => 0.0,
            Some(supply) => price * supply.between(frame.head, end - frame.tail),
            None => f64::INFINITY,
        })
        .sum();
    let slots = match station.slots {
        _ if prices.slots <= 0.0 => 0.0,
        Some(slots) => prices.slots * slots * (end - frame.head - frame.after).max(0.0),
        None => f64::INFINITY,
    };
    units + slots
}
