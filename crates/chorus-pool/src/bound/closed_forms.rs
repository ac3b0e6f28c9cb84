//! The closed forms of the [bound](super): longest chain, rates, slots.

use std::collections::BTreeSet;

use super::Bound;
use super::program::{JobRow, Program, RATES, StationRow, millis};
use super::spans::{Span, thresholds};

/// Computes the closed forms.
pub(super) fn bound(program: &Program) -> Bound {
    let critical_path = program
        .spans
        .iter()
        .map(|span| span.head + span.tail)
        .fold(0.0, f64::max);
    let (mut rate, mut slots) = (0.0_f64, 0.0_f64);
    let all: BTreeSet<usize> = program.classes.iter().flatten().copied().collect();
    let mut classes: BTreeSet<BTreeSet<usize>> = program
        .classes
        .iter()
        .map(|class| class.iter().copied().collect())
        .collect();
    classes.insert(all);
    for class in classes {
        let fits: Vec<bool> = program
            .classes
            .iter()
            .map(|eligible| eligible.iter().all(|station| class.contains(station)))
            .collect();
        let inside: Vec<(&JobRow, Span)> = program
            .jobs
            .iter()
            .zip(program.spans.iter().copied())
            .filter(|(job, _)| fits[job.class])
            .collect();
        let stations: Vec<&StationRow> = class.iter().map(|at| &program.stations[*at]).collect();
        for head in thresholds(inside.iter().map(|(_, span)| span.head)) {
            for tail in thresholds(inside.iter().map(|(_, span)| span.tail)) {
                let is_chosen =
                    |(_, span): &&(&JobRow, Span)| span.head >= head && span.tail >= tail;
                let set = Set::of(inside.iter().filter(is_chosen), &stations);
                rate = rate.max(set.by_rate());
                slots = slots.max(set.by_slots());
            }
        }
    }
    Bound {
        critical_path: millis(critical_path),
        rate: millis(rate),
        slots: millis(slots),
        certificate: None,
    }
}

/// A set of jobs and all stations that at least one of them may use.
struct Set<'a> {
    needed: [f64; RATES.len()],
    service: f64,
    stations: &'a [&'a StationRow],
    head: f64,
    tail: f64,
    after: f64,
}

impl<'a> Set<'a> {
    fn of<'j>(
        chosen: impl Iterator<Item = &'j (&'j JobRow, Span)>,
        stations: &'a [&'a StationRow],
    ) -> Self {
        let mut set = Self {
            needed: [0.0; RATES.len()],
            service: 0.0,
            stations,
            head: f64::INFINITY,
            tail: f64::INFINITY,
            after: f64::INFINITY,
        };
        for (job, span) in chosen {
            for (sum, used) in set.needed.iter_mut().zip(job.used) {
                *sum += used * job.count;
            }
            set.service += job.service * job.count;
            set.head = set.head.min(span.head);
            set.tail = set.tail.min(span.tail);
            set.after = set.after.min(span.tail - job.service);
        }
        set
    }

    fn is_empty(&self) -> bool {
        self.head.is_infinite() || self.stations.is_empty()
    }

    /// Bound by one dimension. No job of the set is admitted before its head, nor later than its tail before the end;
    /// between the two, the set can draw the amount left at the head, at most a burst, and the refill.
    fn by_rate(&self) -> f64 {
        if self.is_empty() {
            return 0.0;
        }
        let bounds = (0..RATES.len()).filter_map(|place| self.by_rate_of(place));
        bounds.fold(0.0, f64::max)
    }

    fn by_rate_of(&self, place: usize) -> Option<f64> {
        let mut supplies = Vec::with_capacity(self.stations.len());
        for station in self.stations {
            supplies.push((station.supplies[place].as_ref()?, station.count));
        }
        let drawn = |until: f64| -> f64 {
            let amounts = supplies
                .iter()
                .map(|(supply, count)| supply.between(self.head, until) * count);
            amounts.sum()
        };
        Some(soonest(self.head, |until| drawn(until) >= self.needed[place])? + self.tail)
    }

    fn by_slots(&self) -> f64 {
        let slots: Option<f64> = self
            .stations
            .iter()
            .map(|station| station.slots.map(|slots| slots * station.count))
            .sum();
        match slots.filter(|slots| *slots > 0.0 && !self.is_empty()) {
            Some(slots) => self.head + self.after + self.service / slots,
            None => 0.0,
        }
    }
}

/// Soonest second from `from` on at which a condition that stays true holds; none if it never does.
pub(super) fn soonest(from: f64, holds: impl Fn(f64) -> bool) -> Option<f64> {
    if holds(from) {
        return Some(from);
    }
    let (mut low, mut length) = (from, 1.0);
    while !holds(from + length) {
        low = from + length;
        length *= 2.0;
        if length > 1e12 {
            return None;
        }
    }
    let mut high = from + length;
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(low)
}
