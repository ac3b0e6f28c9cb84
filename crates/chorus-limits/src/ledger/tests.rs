//! States of leases; headers, refusals and random histories are in the files beside.

mod bookings;
mod cost;
mod histories;
mod learned;
mod mirror;
mod opinions;
mod refusals;
mod travel;

use std::sync::Arc;

use chorus_core::id::{CredentialId, Holder, LeaseId};
use chorus_core::limit::{
    CallEstimate, Candidate, Demand, Dimension, End, HeldLease, Limit, LimitLevel, QuotaGroup,
    ReserveRule, Reserved, Sent, Window, Zone,
};
use chorus_core::llm::Usage;
use chorus_core::money::MicroUsd;
use chorus_core::time::{Millis, Timestamp};

use super::{Ledger, Start};

pub(super) const MINUTE: Window = Window::Bucket { per_ms: 60_000 };

pub(super) fn limit(dimension: Dimension, amount: u64, window: Window) -> Limit {
    Limit {
        dimension,
        amount,
        burst: None,
        window,
        reserve: ReserveRule::Estimate,
        cache_read_percent: 0,
        output_weight: 1,
    }
}

pub(super) fn group(limits: Vec<Limit>) -> Arc<QuotaGroup> {
    Arc::new(QuotaGroup {
        id: "org/model".into(),
        limits,
    })
}

/// Demand of a call with so many estimated tokens each way.
pub(super) fn demand(lease: u128, group: &Arc<QuotaGroup>, input: u64, output: u64) -> Demand {
    let estimate = CallEstimate {
        input,
        cached: 0,
        output_p50: output,
        output_p90: output,
        max_tokens: output * 2,
        cost: MicroUsd(10),
    };
    let candidate = Candidate {
        credential: CredentialId::new(1),
        groups: vec![Arc::clone(group)],
        estimate,
        rank: 0,
        floor_permille: 0,
    };
    Demand {
        lease: LeaseId::new(lease),
        interactive: false,
        not_after: Timestamp(30_000),
        candidates: vec![candidate],
        books: false,
    }
}

pub(super) fn used(input: u64, output: u64) -> End {
    End::Used {
        usage: Usage {
            input,
            output,
            ..Usage::default()
        },
        cost: MicroUsd(10),
    }
}

/// Ledger with one group; each method is one operation.
pub(super) struct Fixture {
    pub(super) ledger: Ledger,
    pub(super) group: Arc<QuotaGroup>,
    pub(super) now: i64,
}

impl Fixture {
    pub(super) fn new(limits: Vec<Limit>) -> Self {
        Self {
            ledger: Ledger::new(Start::Full),
            group: group(limits),
            now: 0,
        }
    }

    pub(super) fn ask(&mut self, lease: u128, input: u64, output: u64) -> Reserved {
        let mut demand = demand(lease, &self.group, input, output);
        demand.not_after = Timestamp(self.now + 30_000);
        self.ledger.reserve(&demand, Timestamp(self.now))
    }

    #[track_caller]
    pub(super) fn granted(&mut self, lease: u128, input: u64, output: u64) {
        let answer = self.ask(lease, input, output);
        assert!(matches!(answer, Reserved::Granted(_)), "{answer:?}");
    }

    #[track_caller]
    pub(super) fn waits_until(&mut self, lease: u128, input: u64, at: Option<i64>) {
        assert_eq!(
            self.ask(lease, input, 1).asks_again_at(),
            Some(at.map(Timestamp))
        );
    }

    pub(super) fn send(&mut self, lease: u128, until: i64) -> Sent {
        self.ledger.send(
            LeaseId::new(lease),
            &Holder::new("boot/1"),
            Timestamp(until),
            Timestamp(self.now),
        )
    }

    pub(super) fn end(&mut self, lease: u128, end: &End) {
        self.ledger
            .end(LeaseId::new(lease), end, Timestamp(self.now));
    }

    #[track_caller]
    pub(super) fn left(&mut self, dimension: Dimension, left: i64) {
        let levels = limits(&mut self.ledger, self.now);
        let level = levels
            .iter()
            .find(|level| level.dimension == dimension)
            .expect("the limit has been seen");
        assert_eq!(level.room, left, "{level:?}");
    }
}

/// Level of every limit of every group.
pub(super) fn limits(ledger: &mut Ledger, now: i64) -> Vec<LimitLevel> {
    let groups = ledger.all_levels(Timestamp(now)).into_iter();
    groups.flat_map(|group| group.limits).collect()
}

fn input_and_slots() -> Fixture {
    Fixture::new(vec![
        limit(Dimension::InputTokens, 6_000, MINUTE),
        limit(Dimension::Concurrency, 2, Window::Held),
    ])
}

#[test]
fn a_reserved_lease_that_nobody_sends_gives_everything_back() {
    let mut fixture = input_and_slots();
    fixture.granted(1, 6_000, 1);
    fixture.left(Dimension::InputTokens, 0);
    fixture.now = 30_000;
    fixture.left(Dimension::InputTokens, 0);
    assert_eq!(
        fixture.send(1, 90_000),
        Sent::Sent,
        "it lives until its not_after"
    );
    fixture.granted(2, 0, 1);
    fixture.now = 60_001;
    fixture.left(Dimension::Concurrency, 1);
    assert_eq!(
        fixture.send(2, 90_000),
        Sent::Gone,
        "no call on a lease that gave everything back"
    );
}

#[test]
fn a_sent_lease_frees_its_slot_at_its_deadline_and_keeps_its_charge() {
    let mut fixture = input_and_slots();
    fixture.granted(1, 6_000, 1);
    assert_eq!(fixture.send(1, 10_000), Sent::Sent);
    fixture.now = 10_000;
    fixture.left(Dimension::Concurrency, 2);
    fixture.left(Dimension::InputTokens, 950);
    fixture.end(1, &used(4_000, 1));
    fixture.left(Dimension::InputTokens, 2_950);
    fixture.left(Dimension::Concurrency, 2);
    fixture.end(1, &used(1, 1));
    fixture.end(1, &End::Unused);
    fixture.left(Dimension::InputTokens, 2_950);
}

#[test]
fn unused_never_takes_a_lease_back_that_was_sent() {
    let mut fixture = input_and_slots();
    fixture.granted(1, 3_000, 1);
    fixture.send(1, 60_000);
    fixture.end(1, &End::Unused);
    fixture.left(Dimension::Concurrency, 1);
    fixture.left(Dimension::InputTokens, 3_000);
}

#[test]
fn sending_is_idempotent_for_its_holder_and_denied_to_others() {
    let mut fixture = input_and_slots();
    fixture.granted(1, 10, 1);
    assert_eq!(
        (fixture.send(1, 9_000), fixture.send(1, 9_000)),
        (Sent::Sent, Sent::Sent)
    );
    let other = fixture.ledger.send(
        LeaseId::new(1),
        &Holder::new("boot/2"),
        Timestamp(9_000),
        Timestamp(0),
    );
    assert_eq!(other, Sent::Gone);
    fixture.left(Dimension::InputTokens, 5_990);
    assert_eq!(
        fixture.send(77, 9_000),
        Sent::Gone,
        "an unknown lease is gone"
    );
}

#[test]
fn asking_again_with_the_same_lease_gives_the_same_grant_once() {
    let mut fixture = input_and_slots();
    let first = fixture.ask(1, 500, 1);
    assert_eq!(fixture.ask(1, 500, 1), first);
    fixture.left(Dimension::InputTokens, 5_500);
    fixture.left(Dimension::Concurrency, 1);
}

#[test]
fn an_aborted_call_keeps_slot_and_charge_for_its_grace() {
    let mut fixture = input_and_slots();
    fixture.granted(1, 6_000, 1);
    fixture.send(1, 60_000);
    fixture.now = 1_000;
    fixture.end(
        1,
        &End::Aborted {
            usage: None,
            grace: Millis(5_000),
        },
    );
    fixture.left(Dimension::Concurrency, 1);
    fixture.now = 6_000;
    fixture.left(Dimension::Concurrency, 2);
    fixture.left(Dimension::InputTokens, 550);
}

#[test]
fn a_refused_call_charges_only_what_its_provider_charges_for_refusals() {
    for counts_request in [true, false] {
        let mut fixture = Fixture::new(vec![
            limit(Dimension::Requests, 60, MINUTE),
            limit(Dimension::InputTokens, 6_000, MINUTE),
        ]);
        fixture.granted(1, 900, 1);
        fixture.send(1, 60_000);
        fixture.end(1, &End::Refused { counts_request });
        fixture.left(Dimension::InputTokens, 6_000);
        fixture.left(Dimension::Requests, if counts_request { 59 } else { 60 });
    }
}

#[test]
fn more_real_use_than_there_was_is_a_debt_that_time_pays() {
    let mut fixture = input_and_slots();
    fixture.granted(1, 6_000, 1);
    fixture.send(1, 60_000);
    fixture.end(1, &used(9_000, 1));
    fixture.left(Dimension::InputTokens, -3_000);
    fixture.waits_until(2, 100, Some(31_500));
}

#[test]
fn what_is_set_aside_does_not_come_back_by_refill() {
    let mut fixture = Fixture::new(vec![limit(Dimension::OutputTokens, 6_000, MINUTE)]);
    fixture.granted(1, 1, 4_000);
    fixture.send(1, 600_000);
    fixture.now = 300_000;
    fixture.left(Dimension::OutputTokens, 2_000);
    fixture.end(1, &used(1, 1_000));
    fixture.left(Dimension::OutputTokens, 5_000);
}

#[test]
fn restored_leases_hold_what_they_held_even_before_their_limits_are_known() {
    let mut fixture = input_and_slots();
    let Reserved::Granted(lease) = fixture.ask(1, 4_000, 1) else {
        panic!("there is room")
    };
    for groups in [vec![Arc::clone(&fixture.group)], Vec::new()] {
        let mut fresh = Fixture {
            ledger: Ledger::new(Start::Full),
            group: Arc::clone(&fixture.group),
            now: 100,
        };
        let held = HeldLease {
            lease: lease.clone(),
            groups,
            sent_until: Some(Timestamp(5_000)),
            process_ended: false,
        };
        fresh
            .ledger
            .restore(vec![held.clone(), held], Timestamp(100));
        fresh.waits_until(9, 2_001, Some(610));
        fresh.left(Dimension::Concurrency, 1);
        assert_eq!(
            fresh.send(1, 5_000),
            Sent::Sent,
            "the holder that asks first after the loss goes on"
        );
        fresh.now = 5_000;
        fresh.left(Dimension::Concurrency, 2);
    }
}

#[test]
fn rates_start_empty_after_a_loss_and_days_do_not() {
    let limits = vec![
        limit(Dimension::InputTokens, 6_000, MINUTE),
        limit(Dimension::Requests, 50, Window::Day { zone: Zone::UTC }),
    ];
    let mut fixture = Fixture {
        ledger: Ledger::new(Start::Empty),
        group: group(limits),
        now: 0,
    };
    fixture.waits_until(1, 100, Some(1_000));
    fixture.left(Dimension::Requests, 50);
}

#[test]
fn a_call_larger_than_every_limit_is_never_granted_and_a_guess_never_counts_as_larger() {
    let mut fixture = Fixture::new(vec![
        limit(Dimension::InputTokens, 6_000, MINUTE),
        limit(Dimension::OutputTokens, 100, MINUTE),
    ]);
    assert!(matches!(fixture.ask(1, 6_001, 1), Reserved::Never(_)));
    fixture.granted(2, 10, 5_000);
    fixture.left(Dimension::OutputTokens, 0);
    let unserved = Demand {
        candidates: Vec::new(),
        ..demand(3, &fixture.group, 1, 1)
    };
    assert!(matches!(
        fixture.ledger.reserve(&unserved, Timestamp(0)),
        Reserved::Never(_)
    ));
}

#[test]
fn the_lowest_rank_with_room_is_taken_and_among_equals_the_one_with_headroom() {
    let mut ledger = Ledger::new(Start::Full);
    let candidate = |number: u128, amount: u64, rank: u32| {
        let mut candidate = demand(1, &group(Vec::new()), 100, 1).candidates.remove(0);
        let limits = vec![limit(Dimension::InputTokens, amount, MINUTE)];
        candidate.groups = vec![Arc::new(QuotaGroup {
            id: format!("g{number}").as_str().into(),
            limits,
        })];
        (candidate.credential, candidate.rank) = (CredentialId::new(number), rank);
        candidate
    };
    let mut chosen = |lease: u128, candidates| {
        let demand = Demand {
            candidates,
            ..demand(lease, &group(Vec::new()), 1, 1)
        };
        match ledger.reserve(&demand, Timestamp(0)) {
            Reserved::Granted(lease) => lease.credential.number(),
            other => panic!("{other:?}"),
        }
    };
    let all = || {
        vec![
            candidate(1, 150, 0),
            candidate(2, 1_000, 1),
            candidate(3, 9_000, 1),
        ]
    };
    assert_eq!(chosen(1, all()), 1);
    assert_eq!(
        chosen(2, all()),
        3,
        "the first has no room left, the third has most"
    );
}

#[test]
fn a_floor_is_left_free_and_never_makes_a_call_impossible() {
    let mut fixture = input_and_slots();
    let mut floored = demand(1, &fixture.group, 5_500, 1);
    floored.candidates[0].floor_permille = 100;
    assert_eq!(
        fixture.ledger.reserve(&floored, Timestamp(0)),
        fixture.ledger.reserve(&floored, Timestamp(0))
    );
    assert!(
        matches!(
            fixture.ledger.reserve(&floored, Timestamp(0)),
            Reserved::Granted(_)
        ),
        "a full limit admits all it can"
    );
    floored.lease = LeaseId::new(2);
    floored.candidates[0].estimate.input = 100;
    let answer = fixture.ledger.reserve(&floored, Timestamp(0));
    assert_eq!(
        answer.asks_again_at(),
        Some(None),
        "one slot of the two stays free"
    );
}
