//! Levels that ended calls left, replayed after the state was lost.
//!
//! The replay charges each limit as a ledger without a loss would have done, so both limiters start
//! where that one would be. Corrections by headers are lost; the next header makes them again.

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::id::GroupId;
use chorus_core::limit::{Dimension, Limit, PastCall, PastUse, QuotaGroup};
use chorus_core::time::Timestamp;

use super::configured::places;
use super::meter::{Meter, charged_when_sent};
use super::past_level::PastLevel;
use super::tally::{Tally, units};

/// [`PastLevel`]s of one group, one for each limit.
#[derive(Debug, Clone)]
pub(crate) struct PastGroup {
    /// Group with its limits.
    pub(crate) group: Arc<QuotaGroup>,
    /// Levels in the order of the limits.
    pub(crate) levels: Vec<PastLevel>,
}

/// Returns the levels at `now` of every group that a past call drew on.
pub(crate) fn levels_after(past: &[PastCall], now: Timestamp) -> Vec<PastGroup> {
    let mut calls: BTreeMap<GroupId, (Arc<QuotaGroup>, Vec<&PastCall>)> = BTreeMap::new();
    for call in past {
        for group in &call.groups {
            let (_, of_group) = calls
                .entry(group.id.clone())
                .or_insert_with(|| (Arc::clone(group), Vec::new()));
            of_group.push(call);
        }
    }
    let group = |(group, calls): (Arc<QuotaGroup>, Vec<&PastCall>)| {
        let places = places(&group.limits);
        let level = |(limit, place): (&Limit, &(Dimension, usize))| {
            let charges = calls
                .iter()
                .map(|call| charge(call, &group.id, limit, *place, now));
            Meter::level_after(limit, charges.collect(), now)
        };
        let levels = group.limits.iter().zip(&places).map(level).collect();
        PastGroup { group, levels }
    };
    calls.into_values().map(group).collect()
}

/// Returns time and amount of a call's charge on one limit.
fn charge(
    call: &PastCall,
    group: &GroupId,
    limit: &Limit,
    (dimension, nth): (Dimension, usize),
    now: Timestamp,
) -> (Timestamp, i64) {
    let at = if charged_when_sent(limit) {
        call.sent_at
    } else {
        call.ended_at
    };
    let amount = match &call.used {
        PastUse::Known { usage, cost } => limit.charged_for(usage, *cost),
        PastUse::Refused => u64::from(dimension == Dimension::Requests),
        PastUse::Unknown { charges } => charges
            .iter()
            .filter(|charge| charge.group == *group && charge.dimension == dimension)
            .nth(nth)
            .map_or(0, |charge| charge.amount),
    };
    (at.min(now), units(amount))
}

impl Meter {
    /// Returns the level at `now` of a limit that was full before these charges.
    fn level_after(limit: &Limit, mut charges: Vec<(Timestamp, i64)>, now: Timestamp) -> PastLevel {
        charges.retain(|(_, amount)| *amount > 0);
        charges.sort_unstable();
        let Some((first, _)) = charges.first().copied() else {
            return PastLevel::Unused;
        };
        let mut tally = Tally::full(limit, first);
        for (at, amount) in charges {
            tally.charge(limit, at, amount);
        }
        tally.advance(limit, now);
        match tally {
            Tally::Held => PastLevel::Unused,
            Tally::Sliding { charges, .. } => PastLevel::Charges(charges.into()),
            Tally::Bucket { .. } | Tally::Calendar { .. } => PastLevel::Left(tally.room(limit)),
        }
    }
}
