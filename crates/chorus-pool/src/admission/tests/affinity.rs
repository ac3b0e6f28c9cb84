//! Affinity to cached prompts, named for what users of other pools complained about.

use super::*;

fn with_prefix(request: &mut AdmissionRequest, key: u64) {
    request.prefix = Some(Prefix { key, tokens: 2_000 });
}

/// Accounts with so many slots each.
fn pool_of(count: u128, each: u64) -> Pool {
    let accounts = (1..=count).map(|number| {
        let owner = format!("o{number}");
        account(number, &owner, "anthropic", vec![slots(each)])
    });
    Pool::new(accounts.collect())
}

/// Number of calls on each account.
fn spread(admitted: &[(u128, Option<u128>)]) -> BTreeMap<u128, usize> {
    let mut spread = BTreeMap::new();
    for (_, account) in admitted {
        *spread.entry(account.expect("it was admitted")).or_default() += 1;
    }
    spread
}

#[test]
fn forty_seven_calls_with_one_session_do_not_meet_on_one_account() {
    let mut pool = pool_of(4, 50);
    (1..=47).for_each(|number| pool.push_with(number, |request| with_prefix(request, 7)));
    let spread = spread(&pool.next().1);
    assert_eq!(spread.len(), 4, "{spread:?}");
    let most = spread.values().max().copied().expect("four accounts");
    assert!(most <= 16, "{spread:?}");
}

#[test]
fn no_queue_grows_behind_one_account_while_another_is_idle() {
    let mut pool = pool_of(2, 3);
    pool.push_with(1, |request| with_prefix(request, 7));
    assert_eq!(pool.next().1.len(), 1);
    (2..=6).for_each(|number| pool.push_with(number, |request| with_prefix(request, 7)));
    let (at, admitted) = pool.next();
    assert_eq!(
        (at, admitted.len()),
        (0, 5),
        "all slots of both are used at once"
    );
}

#[test]
fn calls_with_a_prefix_stay_where_it_is_cached_while_the_load_is_even() {
    let mut pool = pool_of(4, 50);
    for round in 0..20 {
        let number = u128::from(round) + 1;
        pool.push_with(number, |request| with_prefix(request, round % 4));
        let decided = pool.decided_until(1_000).expect("there is room");
        let because = decided[0].because;
        let DispatchDecision::Send(assignment) = &decided[0].decision else {
            panic!("it is admitted")
        };
        let account = assignment.account;
        pool.send(number, i64::MAX);
        let ended = pool.memory.end(LeaseId::new(number), End::Unused);
        pool.time.run(ended).expect("memory answers");
        pool.admission.call_ended(&CallSummary {
            account,
            ..call(1, None)
        });
        if round >= 4 {
            assert_eq!(because, Some(ChoiceReason::Prefix), "round {round}");
        }
    }
}

#[test]
fn a_slow_but_successful_account_keeps_its_sessions() {
    let mut pool = pool_of(3, 50);
    pool.push_with(1, |request| with_prefix(request, 7));
    let first = pool.next().1[0].1.expect("it was admitted");
    for number in 2..12 {
        pool.admission.call_ended(&CallSummary {
            took: Millis(90_000),
            ..call(first, None)
        });
        pool.push_with(number, |request| with_prefix(request, 7));
        assert_eq!(pool.next().1, [(number, Some(first))]);
    }
}

#[test]
fn a_session_leaves_an_account_that_fails() {
    let mut pool = pool_of(3, 50);
    pool.push_with(1, |request| with_prefix(request, 7));
    let first = pool.next().1[0].1.expect("it was admitted");
    for _ in 0..2 {
        pool.admission
            .call_ended(&call(first, Some(FailureClass::Transient)));
    }
    pool.push_with(2, |request| with_prefix(request, 7));
    assert_ne!(pool.next().1[0].1, Some(first));
}

#[test]
fn siblings_with_a_long_prefix_wait_a_moment_for_the_call_that_fills_the_cache() {
    let mut pool = pool_of(2, 50);
    for number in 1..=5 {
        pool.push_with(number, |request| {
            let tokens = 20_000;
            request.prefix = Some(Prefix { key: 7, tokens });
        });
    }
    pool.push(9);
    let (at, first) = pool.next();
    let leases: Vec<u128> = first.iter().map(|(lease, _)| *lease).collect();
    assert_eq!(
        (at, leases),
        (0, vec![1, 9]),
        "the lead and a call without the prefix"
    );
    let (at, rest) = pool.next();
    assert_eq!((at, rest.len()), (3_000, 4));
    let account = first[0].1;
    assert!(rest.iter().filter(|(_, on)| *on == account).count() >= 2);
}
