//! Admission over the in-memory limiter, under virtual time.

mod affinity;
mod overlap;
mod sick_accounts;
mod utilisation;

use std::sync::atomic::{AtomicU32, Ordering};

use chorus_core::attempt::{CallSize, DispatchDecision};
use chorus_core::catalog::Catalog;
use chorus_core::failure::FailureClass;
use chorus_core::id::{CredentialId, Holder};
use chorus_core::limit::{
    Demand, Dimension, End, GroupLevel, Lease, Limit, LimitSignals, QuotaGroup, Reserved,
    Restoration, Sent, Window,
};
use chorus_core::money::MicroUsd;
use chorus_core::port::LimitLevels;
use chorus_core::port::directory::{Account, CredentialState};
use chorus_core::port::limit_state::LimiterError;
use chorus_core::task_kind::{ModelRole, TaskKind};
use chorus_core::time::Millis;
use chorus_limits::{Memory, Start};
use chorus_virtual_time::Handle;

use super::*;
use crate::tests::{MINUTE, account, home, limit, model};

struct Pool {
    time: Handle,
    memory: Arc<Memory>,
    admission: Admission,
}

fn requests(amount: u64, burst: u64) -> Limit {
    Limit {
        burst: Some(burst),
        ..limit(Dimension::Requests, amount, MINUTE)
    }
}

fn slots(amount: u64) -> Limit {
    limit(Dimension::Concurrency, amount, Window::Held)
}

impl Pool {
    fn new(accounts: Vec<Account>) -> Self {
        let time = Handle::default();
        let memory = Arc::new(Memory::new(time.port(), Start::Full));
        let models = vec![
            model("claude/sonnet", &["anthropic"], 80),
            model("gpt/mini", &["openai"], 40),
            model("claude/haiku", &["anthropic"], 20),
        ];
        let mut index = EndpointIndex::new(Arc::new(Catalog {
            providers: Vec::new(),
            models,
        }));
        index.set(&home(), accounts);
        let roles = RoleModels::from([(
            ModelRole::Writer,
            vec![vec![ModelSlug::new("claude/sonnet")]],
        )]);
        let admission = Admission::new(
            Arc::clone(&memory) as Arc<dyn LimitState>,
            time.port(),
            Settings::default(),
            index,
            roles,
        );
        Self {
            time,
            memory,
            admission,
        }
    }

    fn push(&mut self, number: u128) {
        self.push_with(number, |_| {});
    }

    fn push_with(&mut self, number: u128, change: impl FnOnce(&mut AdmissionRequest)) {
        let mut request = AdmissionRequest {
            lease: LeaseId::new(number),
            tenant: home(),
            interactive: false,
            selector: ModelSelector::Role(ModelRole::Writer),
            kind: TaskKind::Work,
            size: CallSize {
                input: 1_000,
                output: 100,
                max_tokens: 400,
            },
            priority: 100,
            path: Millis(1_000),
            since: Timestamp(i64::try_from(number).expect("small")),
            not_before: Timestamp(0),
            ahead: false,
            project: None,
            refused_by: None,
            refused_until: Timestamp(10_000_000),
            prefix: None,
        };
        change(&mut request);
        self.admission.push(request);
    }

    fn send(&self, lease: u128, until: i64) {
        let lease = Lease {
            id: LeaseId::new(lease),
            credential: CredentialId::new(1),
            charges: Vec::new(),
            granted_at: Timestamp(0),
            not_after: Timestamp(30_000),
        };
        self.time
            .run(
                self.memory
                    .send(&lease, &Holder::new("h"), Timestamp(until)),
            )
            .expect("memory answers");
    }

    /// Waits for the next decisions until a time.
    fn decided_until(&mut self, until: i64) -> Option<Vec<Decided>> {
        let end = self.time.port().sleep_until(Timestamp(until));
        let next = Box::pin(self.admission.next());
        match self.time.run(select(next, end)) {
            Either::Left((decided, _)) => Some(decided.expect("the limiter lost nothing")),
            Either::Right(_) => None,
        }
    }

    /// Waits for the next decisions: when they came, and each lease with the account it got.
    fn next(&mut self) -> (i64, Vec<(u128, Option<u128>)>) {
        let decisions = self
            .time
            .run(self.admission.next())
            .expect("the limiter lost nothing");
        let leases = decisions.into_iter().map(|decided| {
            let lease = decided.request.lease.number();
            match decided.decision {
                DispatchDecision::Send(assignment) => (lease, Some(assignment.account.number())),
                DispatchDecision::Refuse(_) => (lease, None),
            }
        });
        (self.time.port().now().0, leases.collect())
    }
}

#[test]
fn the_head_is_admitted_at_the_very_instant_at_which_it_fits() {
    let mut pool = Pool::new(vec![account(1, "ann", "anthropic", vec![requests(7, 1)])]);
    (1..=3).for_each(|number| pool.push(number));
    assert_eq!(pool.next(), (0, vec![(1, Some(1))]));
    pool.send(1, 90_000);
    assert_eq!(
        pool.next(),
        (9_072, vec![(2, Some(1))]),
        "500 ms to arrive, and a request comes back every 8571.4 ms"
    );
}

#[test]
fn no_call_passes_a_blocked_head() {
    let mut pool = Pool::new(vec![account(
        1,
        "ann",
        "anthropic",
        vec![limit(Dimension::InputTokens, 6_000, MINUTE)],
    )]);
    pool.push_with(1, |request| request.size.input = 3_000);
    pool.push_with(2, |request| request.size.input = 4_500);
    pool.push_with(3, |request| request.size.input = 10);
    assert_eq!(pool.next().1, [(1, Some(1))]);
    pool.send(1, 900_000);
    let (at, admitted) = pool.next();
    assert!(
        at > 20_000,
        "the small one waited behind the large one: {at}"
    );
    assert_eq!(admitted, [(2, Some(1))]);
}

#[test]
fn a_freed_slot_wakes_the_line_at_once() {
    let mut pool = Pool::new(vec![account(1, "ann", "anthropic", vec![slots(1)])]);
    (1..=2).for_each(|number| pool.push(number));
    assert_eq!(pool.next(), (0, vec![(1, Some(1))]));
    let (clock, memory) = (pool.time.port(), Arc::clone(&pool.memory));
    let free = async {
        clock.sleep_until(Timestamp(337)).await;
        memory
            .end(LeaseId::new(1), End::Unused)
            .await
            .expect("memory answers");
        pending::<()>().await;
    };
    let mut next = Box::pin(pool.admission.next());
    let verdicts = pool.time.run(async {
        match select(&mut next, Box::pin(free)).await {
            Either::Left((verdicts, _)) => verdicts.expect("the limiter lost nothing"),
            Either::Right(((), _)) => Vec::new(),
        }
    });
    assert_eq!((verdicts.len(), clock.now()), (1, Timestamp(337)));
}

#[test]
fn an_interactive_call_goes_before_tasks_that_wait_longer() {
    let mut pool = Pool::new(vec![account(1, "ann", "anthropic", vec![requests(60, 1)])]);
    (1..=3).for_each(|number| pool.push(number));
    assert_eq!(pool.next().1, [(1, Some(1))]);
    pool.send(1, 90_000);
    pool.push_with(9, |request| request.interactive = true);
    assert_eq!(pool.next().1, [(9, Some(1))]);
}

#[test]
fn a_refused_call_never_moves_to_a_sibling_without_a_recorded_approval() {
    let full = || vec![slots(1)];
    for approved in [false, true] {
        let mut sibling = account(2, "ann", "anthropic", full());
        sibling.same_owner_spill = approved;
        let mut pool = Pool::new(vec![account(1, "ann", "anthropic", full()), sibling]);
        pool.push_with(1, |request| request.refused_by = Some(AccountId::new(1)));
        assert_eq!(
            pool.next().1,
            [(1, Some(1))],
            "the refused account itself may be waited for"
        );
        pool.push_with(2, |request| request.refused_by = Some(AccountId::new(1)));
        let at = pool.next();
        assert_eq!(at.1[0].1, Some(if approved { 2 } else { 1 }), "{at:?}");
    }
    let mut pool = Pool::new(vec![
        account(1, "ann", "anthropic", full()),
        account(3, "bob", "anthropic", full()),
    ]);
    (1..=2).for_each(|number| {
        pool.push_with(number, |request| {
            request.refused_by = Some(AccountId::new(1));
        });
    });
    let (at, admitted) = pool.next();
    assert_eq!(
        (at, admitted.len()),
        (0, 2),
        "another owner's account takes the second"
    );
}

#[test]
fn a_refused_account_whose_key_died_does_not_bind_its_siblings() {
    let mut dead = account(1, "ann", "anthropic", vec![slots(1)]);
    for credential in &mut dead.credentials {
        credential.state = CredentialState::Refused {
            reason: "401".to_owned(),
        };
    }
    let sibling = account(2, "ann", "anthropic", vec![slots(1)]);
    let mut pool = Pool::new(vec![dead, sibling]);
    pool.push_with(1, |request| request.refused_by = Some(AccountId::new(1)));
    assert_eq!(pool.next().1, [(1, Some(2))]);
}

#[test]
fn a_role_takes_the_strongest_model_that_some_account_serves_and_none_is_an_end() {
    let mut pool = Pool::new(vec![account(5, "bob", "openai", Vec::new())]);
    let choice = pool
        .admission
        .index()
        .choose(
            &home(),
            ModelRole::Writer,
            &pool.admission.engine.roles,
            Timestamp(0),
        )
        .expect("gpt serves it");
    assert_eq!(
        choice.to_string(),
        "writer: gpt/mini (the strongest model your accounts serve; none serves claude/sonnet)"
    );
    pool.push(1);
    assert_eq!(pool.next().1, [(1, Some(5))]);
    let mut refused = account(5, "bob", "openai", Vec::new());
    refused.credentials[0].state = CredentialState::Refused {
        reason: "invalid key".to_owned(),
    };
    pool.push(2);
    pool.admission
        .update_endpoints(|index| index.set(&home(), vec![refused]));
    assert_eq!(pool.next().1, [(2, None)]);
}

#[test]
fn a_parked_credential_is_used_again_when_its_time_comes() {
    let mut parked = account(1, "ann", "anthropic", Vec::new());
    parked.credentials[0].state = CredentialState::Parked {
        until: Timestamp(123_456),
        reason: "spend".to_owned(),
    };
    let mut pool = Pool::new(vec![parked]);
    pool.push(1);
    assert_eq!(pool.next(), (123_456, vec![(1, Some(1))]));
}

#[test]
fn an_ill_route_is_left_alone_until_its_probe() {
    let mut pool = Pool::new(vec![account(1, "ann", "anthropic", Vec::new())]);
    (0..4).for_each(|_| {
        pool.admission
            .call_ended(&call(1, Some(FailureClass::Overload)));
    });
    (1..=3).for_each(|number| pool.push(number));
    let (at, probe) = pool.next();
    assert!((2_000..2_500).contains(&at), "a rest until {at}");
    assert_eq!(probe, [(1, Some(1))], "one probe after the rest");
    pool.admission.call_ended(&call(1, None));
    let all = vec![(2, Some(1)), (3, Some(1))];
    assert_eq!(pool.next(), (at, all), "then all");
}

/// The end of a call on this account: a reply, or a failure of this class.
fn call(account: u128, class: Option<FailureClass>) -> CallSummary {
    CallSummary {
        provider: "anthropic".into(),
        model: "claude/sonnet".into(),
        account: AccountId::new(account),
        kind: TaskKind::Work,
        size: CallSize {
            input: 100,
            output: 100,
            max_tokens: 200,
        },
        class,
        complete: class.is_none(),
        usage: None,
        cost: MicroUsd::ZERO,
        took: Millis(100),
    }
}

#[test]
fn an_account_that_keeps_failing_goes_last_and_is_still_used_when_others_are_full() {
    let accounts = ["ann", "bob"].into_iter().zip(1..);
    let accounts = accounts.map(|(owner, number)| {
        let limits = vec![slots(4), requests(600, 600)];
        account(number, owner, "anthropic", limits)
    });
    let mut pool = Pool::new(accounts.collect());
    (0..2).for_each(|_| {
        pool.admission
            .call_ended(&call(1, Some(FailureClass::Transient)));
    });
    (1..=6).for_each(|number| pool.push(number));
    let used: Vec<_> = pool.next().1.into_iter().map(|(_, on)| on).collect();
    assert_eq!(used, [2, 2, 2, 2, 1, 1].map(Some));
}

/// Loses every reply but each third, after the operation; others take a while.
struct Forgetful {
    inner: Arc<dyn LimitState>,
    clock: Arc<dyn Clock>,
    asked: AtomicU32,
}

#[async_trait::async_trait]
impl LimitState for Forgetful {
    async fn reserve(&self, demand: Demand) -> Result<Reserved, LimiterError> {
        let answer = self.inner.reserve(demand).await;
        self.clock.sleep(Millis(40)).await;
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        if asked % 3 == 2 {
            answer
        } else {
            Err(LimiterError::unavailable("the reply was lost"))
        }
    }

    async fn withdraw(&self, lease: LeaseId) -> Result<(), LimiterError> {
        self.inner.withdraw(lease).await
    }

    async fn send(
        &self,
        lease: &Lease,
        holder: &Holder,
        deadline: Timestamp,
    ) -> Result<Sent, LimiterError> {
        self.inner.send(lease, holder, deadline).await
    }

    async fn end(&self, lease: LeaseId, end: End) -> Result<(), LimiterError> {
        self.inner.end(lease, end).await
    }

    async fn observe(&self, lease: LeaseId, signals: LimitSignals) -> Result<(), LimiterError> {
        self.inner.observe(lease, signals).await
    }

    async fn restore(&self, restoration: Restoration) -> Result<(), LimiterError> {
        self.inner.restore(restoration).await
    }

    async fn intact(&self) -> Result<(), LimiterError> {
        self.inner.intact().await
    }
}

#[async_trait::async_trait]
impl LimitLevels for Forgetful {
    async fn levels(&self, groups: &[Arc<QuotaGroup>]) -> Result<Vec<GroupLevel>, LimiterError> {
        self.inner.levels(groups).await
    }

    fn changed(&self) -> futures_util::stream::BoxStream<'static, GroupChange> {
        self.inner.changed()
    }
}

#[test]
fn lost_replies_and_dropped_waits_reserve_each_call_once() {
    let accounts = vec![account(1, "ann", "anthropic", vec![slots(5)])];
    let mut pool = Pool::new(accounts);
    let clock = pool.time.port();
    let forgetful = Forgetful {
        inner: Arc::clone(&pool.memory) as Arc<dyn LimitState>,
        clock: Arc::clone(&clock),
        asked: AtomicU32::new(0),
    };
    let index = pool.admission.index().clone();
    let roles = pool.admission.engine.roles.clone();
    pool.admission = Admission::new(
        Arc::new(forgetful),
        Arc::clone(&clock),
        Settings::default(),
        index,
        roles,
    );
    (1..=4).for_each(|number| pool.push(number));
    let mut granted = Vec::new();
    while granted.len() < 4 {
        let verdicts = pool.time.run(async {
            clock
                .deadline(clock.now() + Millis(25), pool.admission.next())
                .await
        });
        granted.extend(verdicts.into_iter().flatten().flatten());
        let verdicts = pool.time.run(async {
            clock
                .deadline(clock.now() + Millis(1_900), pool.admission.next())
                .await
        });
        granted.extend(verdicts.into_iter().flatten().flatten());
    }
    assert_eq!(pool.memory.live_leases(), 4);
    let mut leases: Vec<u128> = granted
        .iter()
        .map(|decided| decided.request.lease.number())
        .collect();
    leases.sort_unstable();
    assert_eq!(leases, [1, 2, 3, 4]);
}
