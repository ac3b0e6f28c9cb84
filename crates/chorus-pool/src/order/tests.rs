//! Who goes first.

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::id::{ProjectId, Tenant};
use chorus_core::limit::{Dimension, QuotaGroup};

use super::*;
use crate::tests::{MINUTE, limit};

/// A line with the counters of its payers.
#[derive(Default)]
struct Bench {
    line: Line,
    fairness: Fairness,
    places: BTreeMap<RowId, Place>,
}

impl Bench {
    fn payer(&mut self, tenant: &str, project: Option<u128>) -> PayerId {
        let project = project.map(ProjectId::new);
        self.fairness.payer(&Tenant::new(tenant), project)
    }

    fn push(&mut self, place: Place) {
        self.fairness.enters(place.payer);
        let used = self.fairness.used(place.payer).1;
        self.line.push(&place, ONE, used);
        self.places.insert(place.row, place);
    }

    fn head(&self, rates: &Rates, rest: Work, now: i64) -> Option<RowId> {
        let drain = rates.drain(&(self.line.work() + rest));
        let head = self
            .line
            .head(drain, |_| Timestamp(i64::MAX), Timestamp(now));
        head.map(|head| head.row)
    }

    /// Admits every call and returns their order.
    fn order(mut self, rates: &Rates) -> Vec<RowId> {
        let mut order = Vec::new();
        while let Some(head) = self.head(rates, Work::default(), 0) {
            let place = self.places[&head];
            let before = self.fairness.used(place.payer).1;
            self.line.remove(&place, ONE, before);
            self.fairness.leaves(place.payer);
            let weight = Fairness::weight(ONE.input, ONE.output);
            self.fairness.add(place.payer, weight, 0);
            let after = self.fairness.used(place.payer).1;
            self.line.used(place.payer, before, after);
            order.push(head);
        }
        assert!(self.line.is_empty());
        assert_eq!(
            self.line.work(),
            Work::default(),
            "what left took its work along"
        );
        order
    }
}

fn place(number: u32, path: u64, since: i64) -> Place {
    Place {
        row: number,
        payer: 0,
        priority: 100,
        path: Millis(path),
        since: Timestamp(since),
        sequence: number,
        ahead: false,
    }
}

fn rates(requests_a_minute: u64) -> Rates {
    let group = QuotaGroup {
        id: "g".into(),
        limits: vec![limit(Dimension::Requests, requests_a_minute, MINUTE)],
    };
    Rates::of(&[vec![Arc::new(group)]])
}

const ONE: Work = Work {
    calls: 1,
    input: 100,
    output: 100,
    service: Millis(1_000),
};

/// Order of calls of one project.
fn order(places: &[Place], rates: &Rates) -> Vec<RowId> {
    let mut bench = Bench::default();
    bench.payer("a", None);
    places.iter().for_each(|place| bench.push(*place));
    bench.order(rates)
}

#[test]
fn the_longest_path_goes_first_only_when_it_threatens_the_makespan() {
    let places = [place(1, 1_000, 1), place(2, 90_000, 2), place(3, 20_000, 3)];
    assert_eq!(
        order(&places, &rates(60)),
        [2, 3, 1],
        "three calls drain in seconds: paths decide"
    );
    // Ten calls a minute, 200 waiting: twenty minutes to drain, and no path of a minute threatens that.
    let many: Vec<Place> = (0..200)
        .map(|number| place(number, 60_000 - u64::from(number), i64::from(number)))
        .rev()
        .collect();
    assert_eq!(order(&many, &rates(10))[..3], [0, 1, 2]);
    let late_long: Vec<Place> = (0..200)
        .map(|number| place(number, u64::from(number) * 300, i64::from(number)))
        .collect();
    assert_eq!(
        order(&late_long, &rates(10))[..3],
        [0, 1, 2],
        "the oldest while no path threatens"
    );
}

#[test]
fn a_path_threatens_less_where_more_calls_wait_elsewhere() {
    let mut bench = Bench::default();
    bench.payer("a", None);
    bench.push(place(1, 1_000, 1));
    bench.push(place(2, 60_000, 2));
    let head = |calls| bench.head(&rates(60), ONE.times(calls), 0);
    assert_eq!(head(0), Some(2), "two calls drain in seconds");
    assert_eq!(head(2_000), Some(1), "half an hour is left");
}

#[test]
fn priority_beats_fairness_and_a_continued_call_stands_before_its_peers() {
    let mut bench = Bench::default();
    let (one, other) = (bench.payer("a", None), bench.payer("b", None));
    bench.push(Place {
        payer: one,
        ..place(1, 9_000, 1)
    });
    bench.push(Place {
        payer: one,
        ahead: true,
        ..place(8, 1, 50)
    });
    bench.push(Place {
        payer: other,
        priority: 200,
        ..place(7, 1, 99)
    });
    assert_eq!(bench.order(&rates(60)), [7, 8, 1]);
}

#[test]
fn a_project_that_was_away_is_not_owed_for_it() {
    let mut fairness = Fairness::default();
    let loud = fairness.payer(&"loud".into(), None);
    let new = fairness.payer(&"new".into(), None);
    fairness.enters(loud);
    fairness.add(loud, 1_000, 0);
    fairness.enters(new);
    assert_eq!(fairness.used(new).0, 1_000);
    let (one, two) = (Some(ProjectId::new(1)), Some(ProjectId::new(2)));
    let (one, two) = (
        fairness.payer(&"new".into(), one),
        fairness.payer(&"new".into(), two),
    );
    fairness.leaves(new);
    fairness.enters(one);
    fairness.add(one, 500, 0);
    fairness.enters(two);
    assert_eq!(fairness.used(two).1, 500);
}

#[test]
fn two_keys_of_one_group_are_as_fast_as_one() {
    let group = |id: &str| {
        Arc::new(QuotaGroup {
            id: id.into(),
            limits: vec![limit(Dimension::Requests, 60, MINUTE)],
        })
    };
    let drain = |credentials: &[Vec<Arc<QuotaGroup>>]| {
        Rates::of(credentials).drain(&Work { calls: 60, ..ONE })
    };
    assert_eq!(drain(&[vec![group("a")], vec![group("a")]]), Millis(60_000));
    assert_eq!(drain(&[vec![group("a")], vec![group("b")]]), Millis(30_000));
}

#[test]
fn levels_shorten_the_time_that_the_work_needs() {
    let mut rates = Rates::default();
    let flow = Flow {
        dimension: Dimension::Requests,
        per_second: 1.0,
        level: 40.0,
    };
    rates.add(&[1], [flow].into_iter());
    assert_eq!(rates.drain(&ONE.times(60)), Millis(20_000));
    assert_eq!(rates.drain(&ONE.times(30)), Millis(0));
}

#[test]
fn projects_of_one_tenant_take_turns_however_much_one_of_them_queues() {
    let mut bench = Bench::default();
    let (one, two) = (bench.payer("a", Some(1)), bench.payer("a", Some(2)));
    for number in 0..100 {
        bench.push(Place {
            payer: one,
            ..place(number, 1_000, i64::from(number))
        });
    }
    for number in 100..103 {
        bench.push(Place {
            payer: two,
            ..place(number, 1_000, i64::from(number))
        });
    }
    let order = bench.order(&rates(60));
    let last = order.iter().position(|number| *number == 102);
    assert!(last.expect("it was admitted") < 6, "{order:?}");
}

#[test]
fn age_raises_the_priority_of_a_call() {
    let mut bench = Bench::default();
    bench.payer("a", None);
    bench.push(Place {
        priority: 1,
        ..place(1, 1, 0)
    });
    bench.push(place(2, 1, 1_000_000));
    let head = |at| bench.head(&rates(60), Work::default(), at);
    assert_eq!(head(0), Some(2));
    assert_eq!(head(1_000_000), Some(1));
}

#[test]
fn a_call_that_is_overdue_goes_before_every_longer_path() {
    let mut bench = Bench::default();
    bench.payer("a", None);
    bench.push(place(1, 1, 0));
    bench.push(place(2, 90_000, 5));
    let due = overdue(Millis(3_000), Timestamp(0));
    assert_eq!(
        due,
        Timestamp(12_500),
        "two and a half times and five seconds"
    );
    let head = |now| bench.line.head(Millis(0), |_| due, Timestamp(now));
    assert_eq!(head(12_499).map(|head| head.row), Some(2));
    assert_eq!(head(12_500).map(|head| head.row), Some(1));
}

#[test]
fn a_call_goes_before_longer_paths_as_soon_as_it_would_be_overdue_after_all_that_waits() {
    let head = |drain, now| {
        let mut bench = Bench::default();
        bench.payer("a", None);
        bench.push(place(1, 1, 0));
        bench.push(place(2, 90_000, 5));
        let due = |_| Timestamp(20_000);
        let head = bench.line.head(Millis(drain), due, Timestamp(now));
        head.map(|head| head.row)
    };
    assert_eq!(head(9_000, 10_500), Some(2));
    assert_eq!(head(9_000, 11_000), Some(1));
    assert_eq!(
        head(50_000, 9_999),
        Some(2),
        "not in the first half of its time"
    );
    assert_eq!(head(50_000, 10_000), Some(1));
}

#[test]
fn the_real_use_of_a_call_replaces_its_estimate() {
    let mut fairness = Fairness::default();
    let payer = fairness.payer(&Tenant::new("a"), Some(ProjectId::new(1)));
    let charged = Fairness::weight(100, 10);
    fairness.add(payer, charged, 0);
    assert_eq!(fairness.used(payer), (150, 150));
    fairness.add(payer, 400, charged);
    assert_eq!(fairness.used(payer), (400, 400));
}
