//! Best prices of a [`Certificate`], by cutting planes over a small linear programme.
//!
//! The prices are scaled to shares of the makespan that sum to one. The value of a list of prices is concave and
//! piecewise linear; each round solves the programme over the cuts found so far, evaluates the jobs at its prices,
//! and adds one cut for each group of jobs. Jobs enter only through sums, so that the programme stays small.

use chorus_core::time::Millis;
use microlp::{ComparisonOp, OptimizationDirection, Problem, Variable};

use super::certificate::{Certificate, Cut, Frame, PriceRow, cheapest, proved};
use super::program::{JobRow, Program, RATES, millis};
use super::spans::thresholds;

/// Number of groups of jobs, each with cuts of its own.
const GROUPS: usize = 48;
/// Maximum number of rounds of one programme.
const ROUNDS: usize = 80;
/// Part of the makespan to which prices are solved.
const PRECISION: f64 = 2e-5;
/// Times that a programme with changing limits is solved, each time around the bound of the last one.
const REFINEMENTS: usize = 3;

/// The programme could not be solved: no station limits any job, or the solver failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to solve the programme of the bound: {0}")]
pub struct Unsolved(String);

/// Finds prices and the set of jobs for which they prove the most. `near` is a bound that is known already.
pub(super) fn certificate(program: &Program, near: Millis) -> Result<Certificate, Unsolved> {
    let mut best: Option<(f64, Cut, Vec<PriceRow>)> = None;
    let (mut around, mut cut) = (near.as_secs_f64().max(1e-3), Cut::default());
    for _ in 0..REFINEMENTS {
        let prices = solve(program, cut, around)?;
        let (found, seconds) = best_cut(program, &prices);
        let is_better = best
            .as_ref()
            .is_none_or(|(before, ..)| seconds > before * (1.0 + PRECISION));
        if is_better {
            best = Some((seconds, found, prices));
        }
        let is_settled = (found.head, found.tail) == (cut.head, cut.tail)
            && (seconds - around).abs() <= PRECISION * around;
        if is_settled {
            break;
        }
        (around, cut) = (seconds.max(1e-3), found);
    }
    let (seconds, cut, prices) = best.ok_or_else(|| Unsolved("no job".to_owned()))?;
    Ok(Certificate {
        prices: prices.iter().map(PriceRow::list).collect(),
        // Rounded down, so that the set holds the jobs at the threshold.
        head: Millis((cut.head * 1000.0) as u64),
        tail: Millis((cut.tail * 1000.0) as u64),
        makespan: millis(seconds),
    })
}

/// Set of jobs for which prices prove the most.
fn best_cut(program: &Program, prices: &[PriceRow]) -> (Cut, f64) {
    let heads = thresholds(program.spans.iter().map(|span| whole(span.head)));
    let tails = thresholds(program.spans.iter().map(|span| whole(span.tail)));
    let mut best = (Cut::default(), 0.0);
    for head in heads.iter().copied().chain([0.0]) {
        for tail in tails.iter().copied().chain([0.0]) {
            let cut = Cut { head, tail };
            if let Some(seconds) = proved(program, prices, cut)
                && seconds > best.1
            {
                best = (cut, seconds);
            }
        }
    }
    best
}

/// Seconds rounded down to a millisecond.
fn whole(seconds: f64) -> f64 {
    (seconds * 1000.0).floor() / 1000.0
}

/// One priced quantity of one station.
struct Price {
    station: usize,
    /// Place among the rates; none for slots.
    rate: Option<usize>,
    /// Units that all equal stations grant per second.
    per_second: f64,
    /// Seconds of supply that are there without waiting.
    saved: f64,
    variable: Variable,
}

/// Solves the programme of a set of jobs, with supplies as they are around a makespan.
pub(super) fn solve(program: &Program, cut: Cut, around: f64) -> Result<Vec<PriceRow>, Unsolved> {
    let frame = cut
        .frame(program)
        .ok_or_else(|| Unsolved("no job".to_owned()))?;
    let mut problem = Problem::new(OptimizationDirection::Maximize);
    let prices = priced(program, frame, around, &mut problem);
    if prices.is_empty() {
        return Err(Unsolved("no limit".to_owned()));
    }
    let shares: Vec<(Variable, f64)> = prices.iter().map(|price| (price.variable, 1.0)).collect();
    problem.add_constraint(shares, ComparisonOp::Eq, 1.0);
    let groups = groups(program, cut);
    let values: Vec<Variable> = groups
        .iter()
        .map(|_| problem.add_var(1.0, (0.0, f64::INFINITY)))
        .collect();
    let mut cuts = Cuts {
        program,
        prices: &prices,
        problem,
    };
    for station in 0..program.stations.len() {
        for (group, value) in groups.iter().zip(&values) {
            cuts.add(group, *value, |job| {
                let classes = &program.classes[job.class];
                classes
                    .contains(&station)
                    .then_some(station)
                    .or_else(|| classes.first().copied())
            });
        }
    }
    let mut rows = vec![PriceRow::default(); program.stations.len()];
    for _ in 0..ROUNDS {
        let solved = cuts
            .problem
            .solve()
            .map_err(|problem| Unsolved(problem.to_string()))?;
        let solution = solved
            .into_solution()
            .map_err(|_| Unsolved("interrupted".to_owned()))?;
        for price in &prices {
            let share = solution.var_value(price.variable).max(0.0);
            let each = share / price.per_second;
            match price.rate {
                Some(rate) => rows[price.station].rates[rate] = each,
                None => rows[price.station].slots = each,
            }
        }
        let mut gap = 0.0;
        for (group, value) in groups.iter().zip(&values) {
            let real: f64 = group
                .iter()
                .filter_map(|job| Some(cheapest(program, &rows, job)?.1 * job.count))
                .sum();
            let above = solution.var_value(*value) - real;
            gap += above;
            if above > PRECISION * around / groups.len() as f64 {
                cuts.add(group, *value, |job| {
                    cheapest(program, &rows, job).map(|(station, _)| station)
                });
            }
        }
        if gap <= PRECISION * around {
            break;
        }
    }
    Ok(rows)
}

/// Variables of the prices, one for each limit of each station.
fn priced(program: &Program, frame: Frame, around: f64, problem: &mut Problem) -> Vec<Price> {
    let mut prices = Vec::new();
    for (at, station) in program.stations.iter().enumerate() {
        for rate in 0..RATES.len() {
            let Some(supply) = &station.supplies[rate] else {
                continue;
            };
            let until = (around - frame.tail).max(frame.head);
            let per_second = supply.rate_at(until);
            if per_second > 0.0 {
                let saved = supply.between(frame.head, until) / per_second - around;
                prices.push(Price {
                    station: at,
                    rate: Some(rate),
                    per_second: per_second * station.count,
                    saved,
                    variable: problem.add_var(-saved, (0.0, 1.0)),
                });
            }
        }
        if let Some(slots) = station.slots.filter(|slots| *slots > 0.0) {
            let saved = -(frame.head + frame.after);
            prices.push(Price {
                station: at,
                rate: None,
                per_second: slots * station.count,
                saved,
                variable: problem.add_var(-saved, (0.0, 1.0)),
            });
        }
    }
    debug_assert!(prices.iter().all(|price| price.saved.is_finite()));
    prices
}

/// Jobs of the set in groups of like size, so that one assignment suits most of a group.
fn groups(program: &Program, cut: Cut) -> Vec<Vec<&JobRow>> {
    let jobs = program.jobs.iter().zip(&program.spans);
    let mut chosen: Vec<&JobRow> = jobs
        .filter(|(_, span)| cut.contains(**span))
        .map(|(job, _)| job)
        .collect();
    chosen.sort_by(|one, other| {
        let key = |job: &JobRow| job.service;
        (one.class, key(one))
            .partial_cmp(&(other.class, key(other)))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let size = chosen.len().div_ceil(GROUPS).max(1);
    chosen.chunks(size).map(<[&JobRow]>::to_vec).collect()
}

/// The growing programme.
struct Cuts<'a> {
    program: &'a Program,
    prices: &'a [Price],
    problem: Problem,
}

impl Cuts<'_> {
    /// Bounds the value of a group by the price of one assignment of its jobs.
    fn add(&mut self, group: &[&JobRow], value: Variable, to: impl Fn(&JobRow) -> Option<usize>) {
        let mut sums = vec![PriceRow::default(); self.program.stations.len()];
        for job in group {
            let Some(station) = to(job) else { continue };
            let sum = &mut sums[station];
            for (sum, used) in sum.rates.iter_mut().zip(job.used) {
                *sum += used * job.count;
            }
            sum.slots += job.service * job.count;
        }
        let mut row = vec![(value, 1.0)];
        for price in self.prices {
            let sum = &sums[price.station];
            let used = price.rate.map_or(sum.slots, |rate| sum.rates[rate]);
            if used > 0.0 {
                row.push((price.variable, -used / price.per_second));
            }
        }
        self.problem.add_constraint(row, ComparisonOp::Le, 0.0);
    }
}
