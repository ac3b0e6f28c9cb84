//! The bound against schedules: a greedy one never ends before it.

use proptest::prelude::*;

use super::*;
use crate::tests::{MINUTE, limit, used};

fn station(requests: u64, slots: u64) -> Station {
    let limits = vec![
        limit(Dimension::Requests, requests, MINUTE),
        limit(Dimension::Concurrency, slots, Window::Held),
    ];
    Station {
        limits,
        levels: used(&[(Dimension::Requests, 1)]),
    }
}

fn job(service: u64, parents: Vec<usize>) -> Job {
    Job {
        parents,
        service: Millis(service),
        used: used(&[(Dimension::Requests, 1)]),
        eligible: BTreeSet::from([0]),
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
        let bound = bound(&jobs, &[station(requests, slots as u64)]);
        prop_assert!(bound.makespan().0 <= greedy(&jobs, requests, slots) + 1, "{bound:?}");
    }
}
