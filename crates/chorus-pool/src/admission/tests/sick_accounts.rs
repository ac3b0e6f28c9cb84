//! Sick accounts beside healthy ones: each runnable call is granted within a bound, with any answers of the sick ones.

use chorus_core::attempt::WaitReason;
use chorus_core::failure::{CHANCE, CredentialReaction, RequeueReaction, retry_at};
use chorus_core::id::Pool as PoolName;
use chorus_core::port::directory::Mark;

use super::*;

/// All answers of a sick account: its class, as the worker reports it.
const SICK: [FailureClass; 10] = [
    FailureClass::Auth,
    FailureClass::Spend,
    FailureClass::QuotaDay,
    FailureClass::Forbidden,
    FailureClass::Transient,
    FailureClass::Overload,
    FailureClass::MidStream,
    FailureClass::RateWindow,
    FailureClass::Ramp,
    FailureClass::Concurrency,
];

/// Calls on accounts, some of which answer every call with a failure.
struct Play {
    pool: Pool,
    accounts: Vec<Account>,
    sick: BTreeMap<u128, FailureClass>,
    /// Number of calls of each account.
    calls: BTreeMap<u128, u32>,
    newest: u128,
    done: u32,
    failed: u32,
}

impl Play {
    fn new(accounts: Vec<Account>, sick: &[(u128, FailureClass)]) -> Self {
        Self {
            pool: Pool::new(accounts.clone()),
            accounts,
            sick: sick.iter().copied().collect(),
            calls: BTreeMap::new(),
            newest: 0,
            done: 0,
            failed: 0,
        }
    }

    fn push(&mut self, calls: u32) {
        for _ in 0..calls {
            self.newest += 1;
            self.pool.push(self.newest);
        }
    }

    /// Plays until every call is done or failed, or until a time; returns the time.
    fn run(&mut self, until: i64) -> i64 {
        let mut retries = BTreeMap::new();
        loop {
            let time = self.pool.time.port();
            let now = time.now().0;
            if self.pool.admission.is_empty() || now >= until {
                return now;
            }
            let Some(decided) = self.pool.decided_until(until) else {
                return until;
            };
            for one in decided {
                match one.decision {
                    DispatchDecision::Send(assignment) => {
                        self.call(&one.request, &assignment, &mut retries);
                    }
                    DispatchDecision::Refuse(_) => self.failed += 1,
                }
            }
        }
    }

    fn call(
        &mut self,
        request: &AdmissionRequest,
        assignment: &chorus_core::attempt::Assignment,
        retries: &mut BTreeMap<LeaseId, u32>,
    ) {
        let account = assignment.account.number();
        *self.calls.entry(account).or_default() += 1;
        let class = self.sick.get(&account).copied();
        let lease = assignment.lease.id;
        self.pool.send(lease.number(), i64::MAX);
        let end = match class {
            None => End::Used {
                usage: chorus_core::llm::Usage::default(),
                cost: MicroUsd(1),
            },
            Some(_) => End::Refused {
                counts_request: false,
            },
        };
        let ended = self.pool.time.run(self.pool.memory.end(lease, end));
        ended.expect("memory answers");
        self.pool.admission.call_ended(&CallSummary {
            provider: assignment.provider.clone(),
            model: assignment.model.clone(),
            account: assignment.account,
            kind: request.kind,
            size: request.size,
            class,
            complete: class.is_none(),
            usage: None,
            cost: MicroUsd(1),
            took: Millis(0),
        });
        match class {
            None => self.done += 1,
            Some(class) => self.again(request, account, class, retries),
        }
    }

    /// Queues a failed call as the worker and the store do, by the failure table.
    fn again(
        &mut self,
        request: &AdmissionRequest,
        account: u128,
        class: FailureClass,
        retries: &mut BTreeMap<LeaseId, u32>,
    ) {
        let (rule, now) = (class.rule(), self.pool.time.port().now());
        self.change_credential(account, class, now);
        let before = retries.remove(&request.lease).unwrap_or(0);
        let counted = u32::from(rule.requeue == RequeueReaction::CountedAsRetry);
        if before >= 8 {
            self.failed += 1;
            return;
        }
        self.newest += 1;
        let lease = LeaseId::new(self.newest);
        retries.insert(lease, before + counted);
        let refused = !rule.may_move_to_sibling;
        self.pool.admission.push(AdmissionRequest {
            lease,
            not_before: retry_at(rule, before, None, now, CHANCE),
            refused_by: refused.then(|| AccountId::new(account)),
            refused_until: now + chorus_core::failure::LONGEST_WAIT,
            ..request.clone()
        });
    }

    fn change_credential(&mut self, account: u128, class: FailureClass, now: Timestamp) {
        let reason = "refused".to_owned();
        let parked = |length| CredentialState::Parked {
            until: now + Millis::from_secs(length),
            reason: "used up".to_owned(),
        };
        let state = match class.rule().credential {
            CredentialReaction::Unchanged => return,
            CredentialReaction::Refused => CredentialState::Refused { reason },
            CredentialReaction::ParkedUntilMoney => parked(300),
            CredentialReaction::ParkedUntilDay => parked(80_000),
        };
        for one in &mut self.accounts {
            if one.id.number() == account {
                one.credentials[0].state = state.clone();
                one.credentials[0].mark = Some(Mark::of_call(now));
            }
        }
        let accounts = self.accounts.clone();
        self.pool
            .admission
            .update_endpoints(|index| index.set(&home(), accounts));
    }
}

fn siblings(limits: &[Limit]) -> Vec<Account> {
    vec![
        account(1, "ann", "anthropic", limits.to_vec()),
        account(2, "ann", "anthropic", limits.to_vec()),
    ]
}

#[test]
fn each_call_is_done_beside_an_account_with_any_sickness_and_few_calls_meet_it() {
    for class in SICK {
        let mut play = Play::new(siblings(&[requests(60, 4)]), &[(1, class)]);
        play.push(60);
        let at = play.run(240_000);
        assert_eq!((play.done, play.failed), (60, 0), "{class:?} at {at}");
        assert!(at <= 130_000, "{class:?} took {at} ms instead of 60,000");
        assert!(play.calls[&1] <= 14, "{class:?} met {}", play.calls[&1]);
    }
}

#[test]
fn two_sick_accounts_of_any_kind_stop_no_third_one() {
    for (at, first) in SICK.into_iter().enumerate() {
        let second = SICK[(at * 3 + 1) % SICK.len()];
        let mut accounts = siblings(&[requests(60, 4)]);
        accounts.insert(0, account(3, "bob", "anthropic", vec![requests(60, 4)]));
        let mut play = Play::new(accounts, &[(1, first), (3, second)]);
        play.push(40);
        let at = play.run(300_000);
        assert_eq!((play.done, play.failed), (40, 0), "{first:?} {second:?}");
        assert!(at <= 150_000, "{first:?} {second:?} took {at} ms");
    }
}

#[test]
fn where_no_account_is_healthy_each_waiting_call_has_a_reason() {
    for class in SICK {
        if class == FailureClass::Auth {
            continue; // No account is left: such calls are refused with the cause.
        }
        let all = [(1, class), (2, class)];
        let mut play = Play::new(siblings(&[requests(60, 4)]), &all);
        play.push(6);
        play.run(40_000);
        let leases = (1..=play.newest).map(LeaseId::new);
        let queued = leases.filter(|lease| play.pool.admission.waits(*lease));
        for lease in queued {
            let now = play.pool.time.port().now();
            let is_delayed = play.pool.admission.engine.is_delayed(lease, now);
            let reason = play.pool.admission.wait_reason(lease);
            assert!(is_delayed || reason.is_some(), "{class:?}: {lease}");
        }
        let met: u32 = play.calls.values().sum();
        assert!(met <= 60, "{class:?} met {met} times");
    }
}

#[test]
fn an_account_is_called_again_once_it_recovered() {
    let mut play = Play::new(siblings(&[]), &[(1, FailureClass::Transient)]);
    play.push(20);
    play.run(60_000);
    assert_eq!(play.done, 20);
    play.sick.clear();
    let time = play.pool.time.port();
    play.pool.time.run(time.sleep_until(Timestamp(500_000)));
    play.push(2);
    play.run(550_000);
    let before = play.calls[&1];
    play.push(40);
    play.run(600_000);
    assert_eq!(play.calls[&1] - before, 20, "its probe was answered");
}

#[test]
fn accounts_without_limits_share_the_calls() {
    let mut play = Play::new(siblings(&[]), &[]);
    play.push(200);
    play.run(1_000);
    assert_eq!(play.calls, BTreeMap::from([(1, 100), (2, 100)]));
}

#[test]
fn a_refused_call_goes_to_a_sibling_once_its_account_is_parked() {
    let mut accounts = siblings(&[]);
    let mut pool = Pool::new(accounts.clone());
    pool.push_with(1, |request| {
        request.refused_by = Some(AccountId::new(1));
        request.refused_until = Timestamp(30_000);
    });
    accounts[0].credentials[0].state = CredentialState::Parked {
        until: Timestamp(9_000_000),
        reason: "no money".to_owned(),
    };
    pool.admission
        .update_endpoints(|index| index.set(&home(), accounts));
    assert_eq!(pool.next(), (0, vec![(1, Some(2))]));
}

#[test]
fn a_refused_call_waits_for_its_account_no_longer_than_its_binding() {
    let mut accounts = siblings(&[requests(1, 1)]);
    accounts[1] = account(2, "ann", "anthropic", vec![]);
    let mut pool = Pool::new(accounts);
    pool.push_with(1, |request| request.refused_by = Some(AccountId::new(1)));
    assert_eq!(pool.next(), (0, vec![(1, Some(1))]));
    pool.send(1, 90_000);
    pool.push_with(9, |request| {
        request.refused_by = Some(AccountId::new(1));
        request.refused_until = Timestamp(30_000);
    });
    assert_eq!(pool.next(), (30_000, vec![(9, Some(2))]));
}

#[test]
fn the_oldest_call_that_may_use_one_account_only_is_not_starved_by_other_lines() {
    let mut accounts: Vec<Account> = (1..=3)
        .map(|number| account(number, "ann", "anthropic", vec![requests(60, 1)]))
        .collect();
    accounts[0].same_owner_spill = false;
    let mut pool = Pool::new(accounts);
    pool.push_with(1, |request| {
        request.since = Timestamp(-5_000);
        request.refused_by = Some(AccountId::new(1));
        request.refused_until = Timestamp(1_000_000);
    });
    (2..=90).for_each(|number| pool.push(number));
    let mut granted = BTreeMap::new();
    while granted.len() < 60 {
        let (at, leases) = pool.next();
        for (lease, account) in leases {
            pool.send(lease, i64::MAX);
            granted.insert(lease, (at, account));
        }
    }
    let (at, account) = granted[&1];
    assert_eq!(account, Some(1));
    assert!(at <= 2_000, "it was admitted at {at}");
}

#[test]
fn no_more_calls_are_admitted_than_workers_have_slots_and_the_reason_names_them() {
    let mut pool = Pool::new(siblings(&[]));
    let claude = PoolName::new("claude");
    let slots = |free, workers| BTreeMap::from([(claude.clone(), PoolSlots { free, workers })]);
    pool.admission.set_slots(slots(3, 1));
    (1..=9).for_each(|number| pool.push(number));
    assert_eq!(pool.next().1.len(), 3);
    assert_eq!(pool.decided_until(1_500), None, "a fourth was admitted");
    let reason = pool.admission.wait_reason(LeaseId::new(9));
    let pool_name = || claude.clone();
    assert_eq!(reason, Some(WaitReason::WorkerBusy { pool: pool_name() }));
    pool.admission.slot_freed(&claude);
    assert_eq!(pool.next().1.len(), 1);
    pool.admission.set_slots(slots(0, 0));
    assert_eq!(pool.decided_until(3_500), None);
    let reason = pool.admission.wait_reason(LeaseId::new(9));
    assert_eq!(reason, Some(WaitReason::NoWorker { pool: pool_name() }));
}

#[test]
fn a_role_falls_to_its_next_model_while_the_first_one_rests() {
    let accounts = vec![
        account(1, "ann", "anthropic", vec![]),
        account(2, "bob", "openai", vec![]),
    ];
    let mut play = Play::new(accounts, &[(1, FailureClass::Transient)]);
    let tiers = vec![
        vec![ModelSlug::new("claude/sonnet")],
        vec![ModelSlug::new("gpt/mini")],
    ];
    play.pool.admission.engine.roles = RoleModels::from([(ModelRole::Writer, tiers)]);
    play.push(30);
    let at = play.run(60_000);
    assert_eq!((play.done, play.failed), (30, 0));
    assert!(at <= 10_000, "the second model was used after {at} ms only");
    assert!(play.calls[&1] <= 40);
}
