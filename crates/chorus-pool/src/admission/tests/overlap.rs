//! Lines with common accounts: no head is starved, no account idles, and what waits costs others as little as can be.

use chorus_core::limit::ReserveRule;
use chorus_core::llm::Usage;

use super::*;

fn input(amount: u64) -> Limit {
    limit(Dimension::InputTokens, amount, MINUTE)
}

/// A model that the accounts serve from the same groups as the role's model: its calls are in another line.
fn other_line(request: &mut AdmissionRequest) {
    request.selector = ModelSelector::Model("claude/haiku".into());
}

fn large(request: &mut AdmissionRequest, tokens: u64) {
    request.size.input = tokens;
}

/// Admits calls until `until`; returns the time and account of each.
fn admitted_until(pool: &mut Pool, until: i64) -> BTreeMap<u128, (i64, u128)> {
    let mut admitted = BTreeMap::new();
    while let Some(decided) = pool.decided_until(until) {
        let at = pool.time.port().now().0;
        for one in decided {
            let DispatchDecision::Send(assignment) = one.decision else {
                panic!("every call fits somewhere")
            };
            let lease = one.request.lease.number();
            pool.send(lease, i64::MAX);
            admitted.insert(lease, (at, assignment.account.number()));
        }
    }
    admitted
}

#[test]
fn b01_a_large_prompt_is_admitted_when_its_tokens_are_back_beside_small_calls_of_another_line() {
    let mut pool = Pool::new(vec![account(1, "ann", "anthropic", vec![input(40_000)])]);
    pool.push_with(1, |request| large(request, 28_000));
    assert_eq!(pool.next().1, [(1, Some(1))]);
    pool.send(1, i64::MAX);
    pool.push_with(2, |request| large(request, 24_000));
    for number in 3..400 {
        pool.push_with(number, other_line);
    }
    let admitted = admitted_until(&mut pool, 120_000);
    let (at, _) = admitted[&2];
    assert!(
        at <= 45_000,
        "it waited until {at} for a refill of half a minute"
    );
    assert!(admitted.len() > 20, "others go after it");
}

#[test]
fn b02_a_call_of_the_highest_priority_goes_first_whatever_its_line() {
    let mut pool = Pool::new(vec![account(1, "ann", "anthropic", vec![requests(60, 1)])]);
    for number in 1..200 {
        pool.push_with(number, |request| request.priority = 1);
    }
    assert_eq!(pool.next().1.len(), 1);
    pool.push_with(900, |request| {
        other_line(request);
        request.priority = 255;
    });
    assert_eq!(pool.next().1, [(900, Some(1))]);
}

#[test]
fn b09_the_oldest_call_that_one_account_only_may_serve_is_admitted_before_600_others() {
    let accounts = (1..=3).map(|number| account(number, "ann", "anthropic", vec![requests(60, 1)]));
    let mut pool = Pool::new(accounts.collect());
    pool.push_with(1, |request| {
        request.since = Timestamp(-5_000);
        request.priority = 200;
        request.path = Millis(600_000);
        request.refused_by = Some(AccountId::new(1));
        request.refused_until = Timestamp(1_000_000);
    });
    (2..=600).for_each(|number| pool.push(number));
    let admitted = admitted_until(&mut pool, 20_000);
    assert_eq!(admitted[&1].1, 1);
    assert!(
        admitted[&1].0 <= 2_000,
        "it was admitted at {}",
        admitted[&1].0
    );
}

#[test]
fn b12_a_small_project_is_served_beside_a_large_one_of_another_line() {
    let mut pool = Pool::new(vec![account(1, "ann", "anthropic", vec![requests(60, 1)])]);
    for number in 1..2_000 {
        pool.push_with(number, |request| {
            request.since = Timestamp(0);
            request.project = Some(ProjectId::new(1));
        });
    }
    assert!(admitted_until(&mut pool, 60_000).len() >= 40);
    for number in 5_000..5_005 {
        pool.push_with(number, |request| {
            other_line(request);
            request.since = Timestamp(60_000);
            request.project = Some(ProjectId::new(2));
        });
    }
    let admitted = admitted_until(&mut pool, 80_000);
    let small = (5_000..5_005).filter(|number| admitted.contains_key(number));
    assert_eq!(small.count(), 5, "{admitted:?}");
}

#[test]
fn a_head_that_waits_for_long_idles_no_account_but_the_one_it_has_booked() {
    let accounts = (1..=3).map(|number| account(number, "o", "anthropic", vec![input(40_000)]));
    let mut pool = Pool::new(accounts.collect());
    for number in 1..=3 {
        pool.push_with(number, |request| large(request, 25_000));
    }
    assert_eq!(admitted_until(&mut pool, 500).len(), 3);
    pool.push_with(4, |request| large(request, 30_000));
    for number in 5..100 {
        pool.push_with(number, |request| large(request, 3_000));
    }
    let admitted = admitted_until(&mut pool, 10_000);
    assert!(
        admitted.len() >= 4,
        "small ones pass on other accounts: {admitted:?}"
    );
    let later = admitted_until(&mut pool, 60_000);
    let (at, _) = later.get(&4).copied().expect("the large one was admitted");
    assert!(at <= 45_000, "the small ones delayed it until {at}");
}

#[test]
fn one_interactive_call_that_waits_stops_no_task_on_other_accounts() {
    let accounts = (1..=12).map(|number| {
        let owner = format!("o{number}");
        account(number, &owner, "anthropic", vec![input(60_000)])
    });
    let mut pool = Pool::new(accounts.collect());
    for number in 1..=12 {
        pool.push_with(number, |request| large(request, 40_000));
    }
    assert_eq!(admitted_until(&mut pool, 100).len(), 12);
    pool.push_with(50, |request| {
        request.interactive = true;
        large(request, 42_000);
    });
    for number in 100..1_000 {
        pool.push_with(number, |request| large(request, 900));
    }
    let admitted = admitted_until(&mut pool, 30_000);
    let rate = admitted.len() as f64 / 30.0;
    assert!(rate > 6.0, "tasks went on at {rate} a second");
}

/// A call under way.
struct Running {
    account: AccountId,
    size: CallSize,
    took: Millis,
}

/// A world of random accounts and calls, the ends of which come after a while.
struct World {
    pool: Pool,
    random: fastrand::Rng,
    /// Calls under way by end and lease.
    running: BTreeMap<(i64, u128), Running>,
    newest: u128,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let count = random.u128(1..=5);
        let accounts = (1..=count).map(|number| {
            let owner = format!("o{number}");
            let limits = vec![
                requests(random.u64(20..200), random.u64(1..40)),
                input(random.u64(20_000..200_000)),
                Limit {
                    reserve: ReserveRule::AsProduced,
                    ..limit(Dimension::OutputTokens, random.u64(4_000..40_000), MINUTE)
                },
                slots(random.u64(1..8)),
            ];
            account(number, &owner, "anthropic", limits)
        });
        let pool = Pool::new(accounts.collect());
        Self {
            pool,
            random,
            running: BTreeMap::new(),
            newest: 0,
        }
    }

    fn push(&mut self) -> u128 {
        self.newest += 1;
        let (number, now) = (self.newest, self.pool.time.port().now());
        let random = &mut self.random;
        let (tokens, path) = (random.u64(100..8_000), random.u64(1_000..60_000));
        let in_other_line = random.u8(0..3) == 0;
        self.pool.push_with(number, |request| {
            if in_other_line {
                other_line(request);
            }
            request.since = now;
            request.path = Millis(path);
            request.size.input = tokens;
        });
        number
    }

    /// Plays until a time; returns the leases that were admitted.
    fn play(&mut self, until: i64) -> Vec<(u128, i64)> {
        let mut admitted = Vec::new();
        loop {
            let next_end = self.running.keys().next().map_or(until, |(at, _)| *at);
            let decided = self.pool.decided_until(next_end.min(until));
            let now = self.pool.time.port().now();
            for one in decided.into_iter().flatten() {
                let lease = one.request.lease.number();
                let DispatchDecision::Send(assignment) = one.decision else {
                    panic!("every call fits somewhere")
                };
                self.pool.send(lease, i64::MAX);
                let took = self.random.u64(500..6_000);
                let call = Running {
                    account: assignment.account,
                    size: one.request.size,
                    took: Millis(took),
                };
                let end = (now.0 + took.cast_signed(), lease);
                self.running.insert(end, call);
                admitted.push((lease, now.0));
            }
            if now.0 >= until {
                return admitted;
            }
            self.end_calls(now);
        }
    }

    fn end_calls(&mut self, now: Timestamp) {
        while let Some(entry) = self
            .running
            .first_entry()
            .filter(|entry| entry.key().0 <= now.0)
        {
            let ((_, lease), running) = entry.remove_entry();
            let usage = Usage {
                input: running.size.input,
                output: self.random.u64(20..200),
                ..Usage::default()
            };
            let end = End::Used {
                usage,
                cost: MicroUsd(1),
            };
            let ended = self.pool.memory.end(LeaseId::new(lease), end);
            self.pool.time.run(ended).expect("memory answers");
            self.pool.admission.call_ended(&CallSummary {
                account: running.account,
                size: running.size,
                usage: Some(usage),
                took: running.took,
                ..call(1, None)
            });
        }
    }

    /// Asks the limiter whether a head that waits would fit somewhere.
    fn is_some_head_admissible(&mut self) -> Option<LeaseId> {
        let now = self.pool.time.port().now();
        for (number, candidates) in self.pool.admission.engine.heads_that_wait() {
            for candidate in candidates {
                let demand = Demand {
                    lease: LeaseId::new(u128::MAX - 1),
                    interactive: false,
                    not_after: now + Millis(1),
                    candidates: vec![candidate],
                    books: false,
                };
                let answer = self.pool.time.run(self.pool.memory.reserve(demand));
                if let Ok(Reserved::Granted(lease)) = answer {
                    let ended = self.pool.memory.end(lease.id, End::Unused);
                    self.pool.time.run(ended).expect("memory answers");
                    return Some(number);
                }
            }
        }
        None
    }
}

#[test]
fn no_account_idles_while_a_head_is_admissible() {
    for seed in 0..12 {
        let mut world = World::new(seed);
        for step in 1..=60 {
            for _ in 0..world.random.u8(0..8) {
                world.push();
            }
            world.play(step * 700);
            let idle = world.is_some_head_admissible();
            let engine = &world.pool.admission.engine;
            assert_eq!(
                idle,
                None,
                "seed {seed} at {}: {}",
                step * 700,
                engine.describe()
            );
        }
    }
}

#[test]
fn no_call_waits_longer_than_three_times_what_the_pool_needed_for_all_before_it() {
    for seed in 0..12 {
        let mut world = World::new(seed);
        let mut due = BTreeMap::new();
        for step in 1..=150 {
            let burst = if step % 20 == 1 { 60 } else { 2 };
            for _ in 0..world.random.u8(0..=burst) {
                let number = world.push();
                let now = world.pool.time.port().now();
                let drain = world
                    .pool
                    .admission
                    .engine
                    .drain_of(LeaseId::new(number), now);
                due.insert(number, now.0 + 3 * drain.0.cast_signed() + 15_000);
            }
            for (lease, at) in world.play(step * 500) {
                let due = due.remove(&lease).unwrap_or(i64::MAX);
                assert!(at <= due, "seed {seed}: {lease} at {at} instead of {due}");
            }
        }
        let now = world.pool.time.port().now().0;
        let late: Vec<_> = due.iter().filter(|(_, due)| **due < now).collect();
        assert!(late.is_empty(), "seed {seed}: still waiting: {late:?}");
    }
}

#[test]
fn candidates_of_a_question_are_one_whatever_the_number_of_accounts() {
    let accounts = (1..=200).map(|number| {
        let owner = format!("o{number}");
        account(number, &owner, "anthropic", vec![slots(1)])
    });
    let mut pool = Pool::new(accounts.collect());
    (1..=400).for_each(|number| pool.push(number));
    let mut used: Vec<Option<u128>> = Vec::new();
    while used.len() < 200 {
        used.extend(pool.next().1.into_iter().map(|(_, account)| account));
    }
    used.sort_unstable();
    used.dedup();
    assert_eq!(used.len(), 200, "each account has one call");
    let counts = pool.admission.counts();
    assert_eq!(counts.asked, 200, "every question was granted");
}

#[test]
fn the_cost_of_an_admission_does_not_grow_with_accounts_and_waiting_calls() {
    let mut looked = Vec::new();
    for (accounts, waiting) in [(64, 4_000), (1_024, 4_000), (1_024, 8_000)] {
        let all = (1..=accounts).map(|number| {
            let owner = format!("o{number}");
            let limits = vec![requests(60, 2), input(9_000), slots(2)];
            account(number, &owner, "anthropic", limits)
        });
        let mut pool = Pool::new(all.collect());
        let mut random = fastrand::Rng::with_seed(7);
        for number in 1..=waiting {
            let tokens = random.u64(500..4_000);
            pool.push_with(number, |request| large(request, tokens));
        }
        let (mut running, mut done) = (std::collections::VecDeque::new(), 0);
        let mut before = pool.admission.counts();
        let count = accounts + 1_000;
        while done < count && done + 64 < waiting {
            for (lease, _) in pool.next().1 {
                pool.send(lease, i64::MAX);
                running.push_back(lease);
                done += 1;
            }
            while running.len() > accounts as usize {
                let lease = running.pop_front().expect("it is not empty");
                let used = End::Used {
                    usage: Usage {
                        input: 1_500,
                        ..Usage::default()
                    },
                    cost: MicroUsd(1),
                };
                let ended = pool.memory.end(LeaseId::new(lease), used);
                pool.time.run(ended).expect("memory answers");
            }
            if done <= accounts {
                before = pool.admission.counts();
            }
        }
        let after = pool.admission.counts();
        let granted = (after.granted - before.granted).max(1);
        let each = (after.looked - before.looked) as f64 / granted as f64;
        let asked = (after.asked - before.asked) as f64 / granted as f64;
        assert!(asked <= 3.0, "{asked} questions a grant");
        looked.push(each);
    }
    assert!(looked[1] <= looked[0] * 6.0 + 40.0, "{looked:?}");
    assert!(looked[2] <= looked[1] * 2.0 + 20.0, "{looked:?}");
}
