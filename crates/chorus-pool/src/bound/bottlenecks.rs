//! Share that each limit has in the time that work takes: the limit to raise first.

use std::collections::BTreeMap;

use chorus_core::limit::Dimension;

use super::certificate::Cut;
use super::prices::{Unsolved, solve};
use super::program::{Program, RATES};
use super::{Job, Station};

/// Share of one limit of one station. The shares of all limits sum to one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bottleneck {
    /// Index of the station.
    pub station: usize,
    /// Dimension of the limit.
    pub dimension: Dimension,
    /// Part of the time that would go if the limit were boundless, at the margin: 0 to 1.
    pub share: f64,
}

/// Shares of the limits in recent use, largest first; limits without one are left out.
///
/// `recent` holds one [`Job`] a class of like calls with its mean use, its mean service time and its count. Saved
/// amounts are left out: the shares are those of work that goes on.
pub fn bottlenecks(recent: &[Job], stations: &[Station]) -> Result<Vec<Bottleneck>, Unsolved> {
    let without_parents = recent.iter().map(|job| Job {
        parents: Vec::new(),
        ..job.clone()
    });
    let jobs: Vec<Job> = without_parents.collect();
    let empty = |station: &Station| Station {
        levels: levels_of(station),
        overdrawn: std::collections::BTreeSet::new(),
        changes: Vec::new(),
        ..station.clone()
    };
    let stations: Vec<Station> = stations.iter().map(empty).collect();
    let program = Program::of(&jobs, &stations);
    // Long work: the end of a single call has no share.
    let around = 1e6;
    let rows = solve(&program, Cut::default(), around)?;
    let mut shares = Vec::new();
    for (at, (station, row)) in program.stations.iter().zip(rows).enumerate() {
        let rates = RATES.into_iter().zip(row.rates).zip(&station.supplies);
        for ((dimension, price), supply) in rates {
            let per_second = supply.as_ref().map_or(0.0, |supply| supply.rate_at(around));
            shares.push((at, dimension, price * per_second * station.count));
        }
        let slots = station.slots.unwrap_or(0.0);
        shares.push((
            at,
            Dimension::Concurrency,
            row.slots * slots * station.count,
        ));
    }
    let shares = shares
        .into_iter()
        .filter(|(_, _, share)| *share > 1e-6)
        .map(|(station, dimension, share)| Bottleneck {
            station,
            dimension,
            share,
        });
    let mut shares: Vec<Bottleneck> = shares.collect();
    shares.sort_by(|one, other| other.share.total_cmp(&one.share));
    Ok(shares)
}

fn levels_of(station: &Station) -> BTreeMap<Dimension, u64> {
    let limits = station.limits.iter();
    limits.map(|limit| (limit.dimension, 0)).collect()
}
