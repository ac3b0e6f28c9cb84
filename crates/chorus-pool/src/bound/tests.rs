//! The bound against schedules: a greedy one never ends before it.

use proptest::prelude::*;

use chorus_core::limit::Window;

use super::*;
use crate::tests::{MINUTE, limit, used};

fn station(requests: u64, slots: u64) -> Station {
    let limits = vec![
        limit(Dimension::Requests, requests, MINUTE),
        limit(Dimension::Concurrency, slots, Window::Held),
    ];
    Station {
        levels: used(&[(Dimension::Requests, 1)]),
        ..Station::full(limits)
    }
}

fn job(service: u64, parents: Vec<usize>) -> Job {
    Job {
        parents,
        service: Millis(service),
        used: used(&[(Dimension::Requests, 1)]),
        eligible: BTreeSet::from([0]),
        count: 1,
    }
}

#[test]
fn each_form_binds_where_it_should() {
    let chain: Vec<Job> = (0..5)
        .map(|place| job(2_000, (0..place).collect()))
        .collect();
    assert_eq!(
        bound(&chain, &[station(6_000, 50)]).makespan(),
        Millis(10_000)
    );
    let flat: Vec<Job> = (0..61).map(|_| job(1_000, Vec::new())).collect();
    assert_eq!(
        bound(&flat, &[station(60, 100)]).rate,
        Millis(61_000),
        "one is there, sixty come back, the last one runs"
    );
    assert_eq!(
        bound(&flat[..60], &[station(6_000, 2)]).slots,
        Millis(30_000)
    );
}

/// A slot on one station and a rate on another: neither closed form sees that one needs both.
fn slot_beside_rate() -> (Vec<Job>, Vec<Station>) {
    let one = |service, stations: &[usize]| Job {
        used: used(&[(Dimension::OutputTokens, 100)]),
        eligible: stations.iter().copied().collect(),
        ..job(service, Vec::new())
    };
    let jobs = (0..10).map(|_| one(10_000, &[0, 1])).collect();
    let of = |slots, output| {
        let limits = vec![
            limit(Dimension::Concurrency, slots, Window::Held),
            limit(Dimension::OutputTokens, output, MINUTE),
        ];
        Station {
            levels: used(&[(Dimension::OutputTokens, 0)]),
            ..Station::full(limits)
        }
    };
    (jobs, vec![of(1, 60_000_000), of(1_000, 6_000)])
}

#[test]
fn the_certificate_of_a_small_run_is_its_solution_by_hand() {
    let (jobs, stations) = slot_beside_rate();
    let bound = certified_bound(&jobs, &stations);
    let certificate = bound.certificate.clone().expect("it is solved");
    // T / 10 calls in the slot of one, T - 10 by the rate of the other: 1.1 T = 20.
    let by_hand = 18_181;
    assert!(
        certificate.makespan.0.abs_diff(by_hand) <= 5,
        "{certificate:?}"
    );
    assert_eq!(
        verify(&jobs, &stations, &certificate),
        Some(certificate.makespan)
    );
    assert!(bound.rate < certificate.makespan && bound.slots < certificate.makespan);
    let joined = [Station {
        count: 2,
        ..stations[1].clone()
    }];
    let only: Vec<Job> = jobs
        .into_iter()
        .map(|job| Job {
            eligible: BTreeSet::from([0]),
            ..job
        })
        .collect();
    let bound = certified_bound(&only, &joined).makespan();
    assert!(
        bound.0.abs_diff(15_000) <= 5,
        "two rates, five calls each: {bound}"
    );
}

#[test]
fn a_certificate_with_a_negative_price_or_a_missing_list_proves_nothing() {
    let (jobs, stations) = slot_beside_rate();
    let good = certified_bound(&jobs, &stations)
        .certificate
        .expect("it is solved");
    let mut bad = good.clone();
    bad.prices[0].slots = -1.0;
    assert_eq!(verify(&jobs, &stations, &bad), None);
    let mut bad = good.clone();
    bad.prices.pop();
    assert_eq!(verify(&jobs, &stations, &bad), None);
    let mut worse = good.clone();
    worse.prices[1].rates.clear();
    let proved = verify(&jobs, &stations, &worse);
    assert!(
        proved < Some(good.makespan),
        "free tokens prove less: {proved:?}"
    );
}

#[test]
fn a_limit_that_falls_during_the_run_grants_its_integral() {
    let jobs: Vec<Job> = (0..60).map(|_| job(1_000, Vec::new())).collect();
    let mut station = station(60, 1_000);
    station.levels = used(&[(Dimension::Requests, 0)]);
    station.changes = vec![LimitChange {
        at: Millis(30_000),
        dimension: Dimension::Requests,
        amount: 30,
    }];
    let stations = [station];
    let bound = certified_bound(&jobs, &stations);
    let certificate = bound.certificate.expect("it is solved");
    for proved in [bound.rate, certificate.makespan] {
        assert!(
            proved.0.abs_diff(91_000) <= 10,
            "thirty, then one every two seconds: {proved}"
        );
    }
    assert_eq!(
        verify(&jobs, &stations, &certificate),
        Some(certificate.makespan)
    );
}

#[test]
fn the_share_of_a_limit_is_what_the_makespan_would_lose_without_it() {
    let (jobs, stations) = slot_beside_rate();
    let counted = [Job {
        count: 10,
        ..jobs[0].clone()
    }];
    let shares = bottlenecks(&counted, &stations).expect("it is solved");
    let sum: f64 = shares.iter().map(|share| share.share).sum();
    assert!((sum - 1.0).abs() < 1e-6, "{shares:?}");
    // One call a second by the rate, a tenth by the slot.
    assert_eq!(
        (shares[0].station, shares[0].dimension),
        (1, Dimension::OutputTokens)
    );
    assert!((shares[0].share - 10.0 / 11.0).abs() < 1e-3, "{shares:?}");
    assert!(bottlenecks(&[], &stations).is_err(), "no use, no share");
}

/// Ends when a greedy schedule on one station ends, in milliseconds.
fn greedy(jobs: &[Job], requests: u64, slots: usize) -> u64 {
    let mut ends: Vec<Option<u64>> = vec![None; jobs.len()];
    let (mut now, mut scaled) = (0_u64, 60_000_u64);
    while ends.iter().any(|end| end.is_none_or(|end| end > now)) {
        for place in 0..jobs.len() {
            let running = ends
                .iter()
                .filter(|end| end.is_some_and(|end| end > now))
                .count();
            let ready = jobs[place]
                .parents
                .iter()
                .all(|parent| ends[*parent].is_some_and(|end| end <= now));
            if ends[place].is_none() && ready && running < slots && scaled >= 60_000 {
                ends[place] = Some(now + jobs[place].service.0);
                scaled -= 60_000;
            }
        }
        now += 1;
        scaled = (scaled + requests).min(requests * 60_000);
    }
    ends.into_iter().flatten().max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_schedule_beats_the_bound(
        jobs in prop::collection::vec((1..400_u64, prop::collection::vec(0..30_usize, 0..3)), 1..20),
        requests in 300..6_000_u64,
        slots in 1..5_usize,
    ) {
        let jobs: Vec<Job> = jobs.into_iter().enumerate().map(|(place, (service, parents))| {
            job(service, parents.into_iter().filter(|parent| *parent < place).collect())
        }).collect();
        let stations = [station(requests, slots as u64)];
        let bound = certified_bound(&jobs, &stations);
        let certificate = bound.certificate.as_ref().expect("it is solved");
        prop_assert_eq!(verify(&jobs, &stations, certificate), Some(certificate.makespan));
        prop_assert!(bound.makespan().0 <= greedy(&jobs, requests, slots) + 1, "{bound:?}");
    }
}
