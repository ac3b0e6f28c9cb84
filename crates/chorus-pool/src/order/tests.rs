//! Who goes first.

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::limit::{Dimension, QuotaGroup};

use super::*;
use crate::tests::{MINUTE, limit};

fn place(number: u128, tenant: &str, path: u64, since: i64) -> Place {
    Place {
        lease: LeaseId::new(number),
        tenant: tenant.into(),
        project: None,
        priority: 100,
        path: Millis(path),
        since: Timestamp(since),
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

fn order(places: &[Place], rates: &Rates) -> Vec<u128> {
    let mut line = Line::default();
    let mut fairness = Fairness::default();
    let mut by_lease = BTreeMap::new();
    for place in places {
        line.push(place, ONE);
        by_lease.insert(place.lease, place.clone());
    }
    let mut order = Vec::new();
    while let Some(head) = line.head(&fairness, rates, Work::default(), Timestamp(0)) {
        let place = &by_lease[&head];
        line.remove(place, ONE);
        fairness.serve(&place.tenant, place.project, ONE.input, ONE.output);
        order.push(head.number());
    }
    assert!(line.is_empty());
    assert_eq!(
        line.work(),
        Work::default(),
        "what left took its work along"
    );
    order
}

#[test]
fn the_longest_path_goes_first_only_when_it_threatens_the_makespan() {
    let places = [
        place(1, "a", 1_000, 1),
        place(2, "a", 90_000, 2),
        place(3, "a", 20_000, 3),
    ];
    assert_eq!(
        order(&places, &rates(60)),
        [2, 3, 1],
        "three calls drain in seconds: paths decide"
    );
    // Ten calls a minute, 200 waiting: twenty minutes to drain, and no path of a minute threatens that.
    let many: Vec<Place> = (0..200)
        .map(|number| place(number, "a", 60_000 - number as u64, number as i64))
        .rev()
        .collect();
    assert_eq!(order(&many, &rates(10))[..3], [0, 1, 2]);
    let late_long: Vec<Place> = (0..200)
        .map(|number| place(number, "a", number as u64 * 300, number as i64))
        .collect();
    assert_eq!(
        order(&late_long, &rates(10))[..3],
        [0, 1, 2],
        "the oldest while no path threatens"
    );
}

#[test]
fn a_path_threatens_less_where_more_calls_wait_elsewhere() {
    let mut line = Line::default();
    line.push(&place(1, "a", 1_000, 1), ONE);
    line.push(&place(2, "a", 60_000, 2), ONE);
    let head = |calls| {
        let (fairness, rest) = (Fairness::default(), ONE.times(calls));
        line.head(&fairness, &rates(60), rest, Timestamp(0))
    };
    assert_eq!(head(0), Some(LeaseId::new(2)), "two calls drain in seconds");
    assert_eq!(head(2_000), Some(LeaseId::new(1)), "half an hour is left");
}

#[test]
fn priority_beats_fairness_and_a_continued_call_stands_before_its_peers() {
    let mut urgent = place(7, "b", 1, 99);
    urgent.priority = 200;
    let mut continued = place(8, "a", 1, 50);
    continued.ahead = true;
    let order = order(&[place(1, "a", 9_000, 1), continued, urgent], &rates(60));
    assert_eq!(order, [7, 8, 1]);
}

#[test]
fn tenants_take_turns_however_much_one_of_them_queues() {
    let mut places: Vec<Place> = (0..10)
        .map(|number| place(number, "loud", 1_000, 0))
        .collect();
    places.extend((100..103).map(|number| place(number, "quiet", 1_000, 500)));
    let order = order(&places, &rates(60));
    let last_quiet = order
        .iter()
        .rposition(|number| *number >= 100)
        .expect("they are there");
    assert!(
        last_quiet <= 5,
        "the quiet tenant is served within three turns: {order:?}"
    );
}

#[test]
fn a_tenant_that_was_away_is_not_owed_for_it() {
    let mut fairness = Fairness::default();
    fairness.serve(&"loud".into(), None, 1_000, 0);
    fairness.joins(&"new".into(), [Tenant::new("loud")].iter());
    assert_eq!(fairness.used(&"new".into()), 1_000);
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
fn projects_of_one_tenant_take_turns_however_much_one_of_them_queues() {
    let of = |project, number| Place {
        project: Some(ProjectId::new(project)),
        ..place(number, "a", 1_000, i64::try_from(number).expect("small"))
    };
    let mut places: Vec<Place> = (0..100).map(|number| of(1, number)).collect();
    places.extend((100..103).map(|number| of(2, number)));
    let order = order(&places, &rates(60));
    let last = order.iter().position(|number| *number == 102);
    assert!(last.expect("it was admitted") < 6, "{order:?}");
}

#[test]
fn age_raises_the_priority_of_a_call() {
    let mut line = Line::default();
    let mut low = place(1, "a", 1, 0);
    low.priority = 1;
    let high = place(2, "a", 1, 1_000_000);
    line.push(&low, ONE);
    line.push(&high, ONE);
    let fairness = Fairness::default();
    let head = |at| line.head(&fairness, &rates(60), Work::default(), Timestamp(at));
    assert_eq!(head(0), Some(LeaseId::new(2)));
    assert_eq!(head(1_000_000), Some(LeaseId::new(1)));
}

#[test]
fn the_real_use_of_a_call_replaces_its_estimate() {
    let (tenant, project) = (Tenant::new("a"), Some(ProjectId::new(1)));
    let mut fairness = Fairness::default();
    let charged = fairness.serve(&tenant, project, 100, 10);
    assert_eq!(fairness.used_by(&tenant, project), (150, 150));
    fairness.correct(&tenant, project, charged, 400);
    assert_eq!(fairness.used_by(&tenant, project), (400, 400));
}
