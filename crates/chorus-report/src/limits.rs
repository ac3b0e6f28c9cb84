//! Peak use of limits by the calls of one project, counted in the provider's own window.
//!
//! A call counts where the provider counts it: requests and prompts when the call begins, produced tokens
//! while it runs, money when it ends, a slot as long as it is open. Refused calls use nothing. Neighbour:
//! [`Window`] names the kinds of windows.

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::attempt::DeliveryRow;
use chorus_core::id::GroupId;
use chorus_core::limit::{Dimension, Limit, QuotaGroup, Window};
use chorus_core::port::directory::Credential;
use chorus_core::time::Timestamp;

use super::figures::LimitFigures;
use super::input::ReportInput;

/// Time by which the clocks of provider and worker may differ, network included, in milliseconds.
const CLOCKS_MS: f64 = 250.0;

/// Deliveries of each quota group.
pub(super) struct GroupUse<'a> {
    input: &'a ReportInput,
    calls: BTreeMap<GroupId, Vec<&'a DeliveryRow>>,
    known: BTreeMap<GroupId, Vec<LimitFigures>>,
}

/// One call as a limit counts it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Use {
    start: f64,
    end: f64,
    amount: f64,
}

impl<'a> GroupUse<'a> {
    pub(super) fn of(input: &'a ReportInput) -> Self {
        let mut calls: BTreeMap<GroupId, Vec<&'a DeliveryRow>> = BTreeMap::new();
        for row in input.deliveries.iter().filter(|row| is_counted(row)) {
            let groups: BTreeSet<&GroupId> = groups_of(row).collect();
            for group in groups {
                calls.entry(group.clone()).or_default().push(row);
            }
        }
        Self {
            input,
            calls,
            known: BTreeMap::new(),
        }
    }

    /// Figures of the limits on the credential's quota groups.
    pub(super) fn limits_of(&mut self, credential: &Credential) -> Vec<LimitFigures> {
        let groups = credential.groups.iter();
        groups
            .flat_map(|of| self.of_group(&of.group).to_vec())
            .collect()
    }

    fn of_group(&mut self, group: &QuotaGroup) -> &[LimitFigures] {
        if !self.known.contains_key(&group.id) {
            let limits = group.limits.iter();
            let figures = limits.map(|limit| self.figures(&group.id, limit)).collect();
            self.known.insert(group.id.clone(), figures);
        }
        self.known.get(&group.id).map_or(&[], Vec::as_slice)
    }

    fn figures(&self, group: &GroupId, limit: &Limit) -> LimitFigures {
        let shown = self.input.limits.iter().find(|shown| {
            shown.group == group.as_str()
                && shown.dimension == limit.dimension
                && shown.window == limit.window
        });
        let capacity = shown.map_or_else(|| limit.capacity(), |shown| shown.capacity);
        let calls = self.calls.get(group).map_or(&[][..], Vec::as_slice);
        let uses = |is_sure: bool| -> Vec<Use> {
            let rows = calls.iter().filter(|row| !is_sure || row.usage.is_some());
            rows.filter_map(|row| used(limit, group, row)).collect()
        };
        // A lost call of which nothing was heard may have been refused: it never makes an excess.
        let peak = Some(peak(limit, capacity, uses(false)))
            .filter(|peak| *peak <= as_float(capacity))
            .unwrap_or_else(|| peak(limit, capacity, uses(true)));
        LimitFigures {
            group: group.to_string(),
            dimension: format!("{:?}", limit.dimension),
            capacity,
            window: window_name(limit.window).to_owned(),
            window_ms: window_ms(limit.window),
            peak_percent: (peak * 1000.0 / as_float(capacity.max(1))).round() / 10.0,
            note: note(limit, peak, capacity).to_owned(),
        }
    }
}

/// Groups that the call drew on, one for each limit.
fn groups_of(row: &DeliveryRow) -> impl Iterator<Item = &GroupId> {
    let charges = row.assignment.lease.charges.iter();
    charges.map(|charge| &charge.group)
}

/// Returns true if the provider counted the call: it was served, or nothing is known of its end.
fn is_counted(row: &DeliveryRow) -> bool {
    row.claimed_at.is_some()
        && (row.usage.is_some() || matches!(super::ends::name(row), "lost" | "open"))
}

/// Maximum that was taken of the limit at any time, in units of its dimension.
fn peak(limit: &Limit, capacity: u64, uses: Vec<Use>) -> f64 {
    let peak = match limit.window {
        Window::Held => most_open(&uses),
        Window::Bucket { per_ms } => {
            let refill = as_float(limit.amount) / as_float(per_ms.max(1));
            let scaled = as_float(capacity) / as_float(limit.capacity().max(1));
            bucket(as_float(capacity), refill * scaled, uses)
        }
        Window::Sliding { per_ms } => sliding(as_float(per_ms), uses),
        Window::Day { .. } | Window::Month => by_period(limit.window, &uses),
    };
    within_clocks(peak, limit, capacity)
}

/// The call in units of the limit; none if its lease does not name the dimension.
fn used(limit: &Limit, group: &GroupId, row: &DeliveryRow) -> Option<Use> {
    let charges = &row.assignment.lease.charges;
    let charge = charges
        .iter()
        .find(|charge| charge.group == *group && charge.dimension == limit.dimension)?;
    let amount = row
        .usage
        .map_or(charge.amount, |usage| limit.charged_for(&usage, row.cost));
    let begin = row.claimed_at?;
    let end = row.ended_at.unwrap_or(begin).max(begin);
    let (start, end) = match limit.dimension {
        Dimension::Requests | Dimension::InputTokens | Dimension::TotalTokens => (begin, begin),
        Dimension::OutputTokens | Dimension::Concurrency => (begin, end),
        Dimension::Spend => (end, end),
    };
    Some(Use {
        start: millis(start),
        end: millis(end),
        amount: as_float(amount),
    })
}

/// Maximum number of calls that were open at once.
fn most_open(uses: &[Use]) -> f64 {
    let mut steps: Vec<(f64, f64)> = uses
        .iter()
        .flat_map(|call| [(call.start, 1.0), (call.end, -1.0)])
        .collect();
    steps.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut open = 0.0_f64;
    steps.iter().fold(0.0, |most: f64, (_, step)| {
        open += step;
        most.max(open)
    })
}

/// Lowest level of a bucket that refills steadily, as the amount that was taken then.
fn bucket(capacity: f64, refill: f64, uses: Vec<Use>) -> f64 {
    // A step changes the level at once, and the rate at which it falls from then on.
    let mut steps: Vec<(f64, f64, f64)> = Vec::with_capacity(uses.len() * 2);
    for call in uses {
        let length = call.end - call.start;
        if length > 0.0 {
            let rate = call.amount / length;
            steps.push((call.start, 0.0, rate));
            steps.push((call.end, 0.0, -rate));
        } else {
            steps.push((call.start, call.amount, 0.0));
        }
    }
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut level, mut falls, mut since) = (capacity, 0.0, 0.0);
    let mut lowest = capacity;
    for (at, amount, rate) in steps {
        let passed: f64 = at - since;
        level = (level + (refill - falls) * passed).min(capacity) - amount;
        lowest = lowest.min(level);
        falls += rate;
        since = at;
    }
    capacity - lowest
}

/// Maximum that a window of this length held.
fn sliding(length: f64, mut uses: Vec<Use>) -> f64 {
    uses.sort_by(|a, b| a.end.total_cmp(&b.end));
    let (mut oldest, mut sum, mut most) = (0, 0.0, 0.0_f64);
    for call in &uses {
        sum += call.amount;
        while call.end - uses[oldest].end >= length {
            sum -= uses[oldest].amount;
            oldest += 1;
        }
        most = most.max(sum);
    }
    most
}

/// Maximum that one calendar period held.
fn by_period(window: Window, uses: &[Use]) -> f64 {
    let mut sums: BTreeMap<Option<Timestamp>, f64> = BTreeMap::new();
    for call in uses {
        #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds")]
        let period = window.period(Timestamp(call.end as i64));
        *sums.entry(period.map(|(start, _)| start)).or_default() += call.amount;
    }
    sums.into_values().fold(0.0, f64::max)
}

/// Removes an excess that the clocks of both sides explain: the provider sees a call later than the worker.
fn within_clocks(peak: f64, limit: &Limit, capacity: u64) -> f64 {
    let full = as_float(capacity);
    let refilled = match limit.window {
        Window::Bucket { per_ms } | Window::Sliding { per_ms } => {
            full / as_float(per_ms.max(1)) * CLOCKS_MS
        }
        Window::Held | Window::Day { .. } | Window::Month => 0.0,
    };
    if peak > full && peak <= full + refilled {
        full
    } else {
        peak
    }
}

/// Explanation of a peak above the capacity, as [`LimitFigures::note`] names it.
fn note(limit: &Limit, peak: f64, capacity: u64) -> &'static str {
    if peak <= as_float(capacity) {
        return "";
    }
    match limit.dimension {
        Dimension::OutputTokens | Dimension::TotalTokens | Dimension::Spend => "produced",
        Dimension::Requests | Dimension::InputTokens | Dimension::Concurrency => "granted",
    }
}

const fn window_name(window: Window) -> &'static str {
    match window {
        Window::Bucket { .. } => "bucket",
        Window::Sliding { .. } => "sliding",
        Window::Day { .. } => "day",
        Window::Month => "month",
        Window::Held => "held",
    }
}

const fn window_ms(window: Window) -> Option<u64> {
    match window {
        Window::Bucket { per_ms } | Window::Sliding { per_ms } => Some(per_ms),
        Window::Day { .. } | Window::Month | Window::Held => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
const fn as_float(amount: u64) -> f64 {
    amount as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds are far below 2^53"
)]
const fn millis(at: Timestamp) -> f64 {
    at.0 as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(start: f64, end: f64, amount: f64) -> Use {
        Use { start, end, amount }
    }

    #[test]
    fn a_bucket_gives_back_while_calls_produce() {
        let steady = vec![call(0.0, 1_000.0, 100.0), call(1_000.0, 2_000.0, 100.0)];
        assert!(bucket(100.0, 0.1, steady).abs() < 0.001);
        let lump = vec![call(0.0, 0.0, 60.0), call(100.0, 100.0, 60.0)];
        assert!((bucket(100.0, 0.1, lump) - 110.0).abs() < 0.001);
    }

    #[test]
    fn a_sliding_window_forgets_what_is_older() {
        let uses = vec![
            call(0.0, 0.0, 5.0),
            call(50.0, 50.0, 4.0),
            call(100.0, 100.0, 3.0),
        ];
        assert!((sliding(100.0, uses) - 9.0).abs() < 0.001);
    }

    #[test]
    fn a_slot_is_free_again_at_the_end_of_its_call() {
        let uses = [
            call(0.0, 10.0, 1.0),
            call(10.0, 20.0, 1.0),
            call(15.0, 30.0, 1.0),
        ];
        assert!((most_open(&uses) - 2.0).abs() < 0.001);
    }
}
