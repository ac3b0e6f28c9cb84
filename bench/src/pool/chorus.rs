//! The real [`Admission`] over a real limiter, driven as the dispatcher drives it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::attempt::{Assignment, CallSummary, DispatchDecision};
use chorus_core::catalog::{Catalog, Model, Price, Quirks};
use chorus_core::failure::{CHANCE, CredentialReaction, LONGEST_WAIT, RequeueReaction, retry_at};
use chorus_core::id::{
    AccountId, CredentialId, Holder, LeaseId, ModelSlug, ProjectId, ProviderId, Tenant,
};
use chorus_core::limit::{End, LimitSignals, ObservedLevel, QuotaGroup, Restoration, Sent};
use chorus_core::llm::Usage;
use chorus_core::money::MicroUsd;
use chorus_core::port::directory::{Account, Credential, CredentialState, Entitlement, GroupOf};
use chorus_core::port::limit_state::LimiterError;
use chorus_core::port::{Clock, LimitState};
use chorus_core::task_kind::TaskKind;
use chorus_core::time::{Millis, Timestamp};
use chorus_pool::admission::Settings;
use chorus_pool::{Admission, AdmissionRequest, EndpointIndex, ModelSelector, RoleModels};
use futures_util::FutureExt;

use super::clock::{START, VirtualClock};
use super::faults::{Fault, LOST_AFTER, SKEW_MS};
use super::fleet::{Amounts, Charging};
use super::random::Random;
use super::router::{After, Failure, Order, Router, Shown};
use super::workload::Workload;

/// Time in which another process takes the part of one that ended.
const TAKEOVER: Millis = Millis::from_secs(5);
/// Counted retries after which a task fails.
const RETRIES: u32 = 8;
/// Time for which a sent call may run.
const DEADLINE: Millis = Millis::from_secs(600);

/// Model that all accounts of a run serve.
const MODEL: &str = "sim/model";

/// Settings of the [`Chorus`] router.
#[derive(Debug, Clone)]
pub(crate) struct ChorusSettings {
    pub(crate) charging: Charging,
    pub(crate) fault: Fault,
    pub(crate) seed: u64,
    /// Number of processes that admit tasks side by side; interactive calls have one of their own.
    pub(crate) processes: usize,
    /// True if interactive calls are treated as such.
    pub(crate) interactive: bool,
}

/// Processes with the real engine.
pub(crate) struct Chorus {
    clock: Arc<VirtualClock>,
    workload: Arc<Workload>,
    settings: ChorusSettings,
    random: Random,
    accounts: Vec<Account>,
    processes: Vec<Process>,
    grants: Vec<Grant>,
    retries: BTreeMap<usize, u32>,
    given_up: Vec<usize>,
    restarts_at: Option<Timestamp>,
    /// True if a limiter was restored, after which it is asked again at once.
    restored: bool,
}

/// One process that admits calls.
struct Process {
    admission: Option<Admission>,
    limits: Arc<dyn LimitState>,
    /// Tasks that wait here, by lease.
    waiting: BTreeMap<LeaseId, usize>,
}

/// A call that was admitted.
struct Grant {
    task: usize,
    process: usize,
    request: AdmissionRequest,
    assignment: Assignment,
    charged: u64,
    began: Timestamp,
}

impl Chorus {
    /// Processes over limiters that share one state, one handle for each process.
    pub(crate) fn new(
        clock: Arc<VirtualClock>,
        workload: Arc<Workload>,
        fleet: &[Amounts],
        settings: ChorusSettings,
        handle: impl Fn() -> Arc<dyn LimitState>,
    ) -> Self {
        let has_interactive = workload
            .tasks
            .iter()
            .any(super::workload::Task::is_interactive);
        let count = settings.processes + usize::from(has_interactive);
        let accounts = (0..fleet.len())
            .map(|at| account(at, fleet[at], &settings))
            .collect();
        let mut router = Self {
            clock,
            random: Random::new(settings.seed ^ 0x77),
            accounts,
            processes: Vec::new(),
            grants: Vec::new(),
            retries: BTreeMap::new(),
            given_up: Vec::new(),
            restarts_at: None,
            restored: false,
            workload,
            settings,
        };
        for _ in 0..count {
            let limits = handle();
            router.processes.push(Process {
                admission: Some(router.admission(&limits)),
                limits,
                waiting: BTreeMap::new(),
            });
        }
        router
    }

    fn admission(&self, limits: &Arc<dyn LimitState>) -> Admission {
        let mut index = EndpointIndex::new(Arc::new(catalog()));
        for tenant in 0..self.workload.tenants {
            index.set(&name(tenant), self.accounts.clone());
        }
        let clock: Arc<dyn Clock> = Arc::new(self.clock.beside());
        Admission::new(
            Arc::clone(limits),
            clock,
            Settings::default(),
            index,
            RoleModels::default(),
        )
    }

    fn process_of(&self, task: usize) -> usize {
        if self.workload.tasks[task].is_interactive() {
            self.processes.len() - 1
        } else {
            task % self.settings.processes
        }
    }

    fn push(&mut self, task: usize, now: Timestamp, change: impl FnOnce(&mut AdmissionRequest)) {
        let row = &self.workload.tasks[task];
        let since = START + Millis(row.arrives.unwrap_or(0));
        let mut request = AdmissionRequest {
            lease: LeaseId::new(self.clock.random_u128()),
            tenant: name(row.tenant),
            interactive: row.is_interactive() && self.settings.interactive,
            selector: ModelSelector::Model(MODEL.into()),
            kind: TaskKind::Work,
            size: row.size,
            priority: 100,
            path: row.path,
            since: if row.parents.is_empty() { since } else { now },
            not_before: now,
            ahead: false,
            project: (!row.is_interactive()).then_some(ProjectId::new(row.tenant as u128 + 1)),
            refused_by: None,
            refused_until: now,
            prefix: None,
        };
        change(&mut request);
        let process = self.process_of(task);
        let process = &mut self.processes[process];
        process.waiting.insert(request.lease, task);
        if let Some(admission) = &mut process.admission {
            admission.push(request);
        }
    }

    fn push_again(&mut self, call: usize, now: Timestamp, not_before: Timestamp, refused: bool) {
        let (task, since) = (self.grants[call].task, self.grants[call].request.since);
        let account = self.grants[call].assignment.account;
        self.push(task, now, |request| {
            (request.since, request.not_before) = (since, not_before);
            if refused {
                request.refused_by = Some(account);
                request.refused_until = now + LONGEST_WAIT;
            }
        });
    }

    fn summary(&self, call: usize, now: Timestamp) -> CallSummary {
        let Grant {
            task,
            request,
            assignment,
            began,
            ..
        } = &self.grants[call];
        let row = &self.workload.tasks[*task];
        CallSummary {
            provider: assignment.provider.clone(),
            model: assignment.model.clone(),
            account: assignment.account,
            kind: request.kind,
            size: request.size,
            class: None,
            complete: true,
            usage: Some(Usage {
                input: row.input,
                output: row.output,
                ..Usage::default()
            }),
            cost: MicroUsd::ZERO,
            took: now.since(*began),
        }
    }

    fn learn(&mut self, call: usize, summary: &CallSummary, now: Timestamp) {
        let grant = &self.grants[call];
        let tenant = grant.request.tenant.clone();
        let (project, charged) = (grant.request.project, grant.charged);
        let Some(admission) = &mut self.processes[grant.process].admission else {
            return;
        };
        admission.call_ended_at(summary, now);
        admission.correct(&tenant, project, charged, summary);
        let answered = admission.answers_again(&tenant, summary);
        for credential in answered {
            self.set_state(credential, &CredentialState::Active);
        }
    }

    fn set_state(&mut self, credential: CredentialId, state: &CredentialState) {
        let credentials = self
            .accounts
            .iter_mut()
            .flat_map(|one| &mut one.credentials);
        for one in credentials.filter(|one| one.id == credential) {
            one.state = state.clone();
        }
        for process in &mut self.processes {
            let Some(admission) = &mut process.admission else {
                continue;
            };
            for tenant in 0..self.workload.tenants {
                let accounts = self.accounts.clone();
                admission.update_endpoints(|index| index.set(&name(tenant), accounts));
            }
        }
    }

    fn limits_of(&self, call: usize) -> &Arc<dyn LimitState> {
        &self.processes[self.grants[call].process].limits
    }

    fn observe(&self, call: usize, shown: &[Shown], failure: Option<&Failure>) {
        let grant = &self.grants[call];
        let account = grant.assignment.account.number();
        let skew = match self.settings.fault {
            Fault::Skew if account.is_multiple_of(2) => SKEW_MS,
            Fault::Skew => -SKEW_MS,
            _ => 0,
        };
        let signals = LimitSignals {
            sent_at: Timestamp(grant.began.0 + skew),
            failure: failure.map(|failure| failure.class),
            retry_after: failure.and_then(|failure| failure.retry_after),
            levels: shown.iter().map(observed).collect(),
        };
        if !signals.is_empty() {
            let lease = grant.assignment.lease.id;
            answered(self.limits_of(call).observe(lease, signals));
        }
    }

    fn restart(&mut self) {
        self.restarts_at = None;
        let limits = Arc::clone(&self.processes[0].limits);
        self.processes[0].admission = Some(self.admission(&limits));
        let waiting = std::mem::take(&mut self.processes[0].waiting);
        let now = self.clock.now();
        for task in waiting.into_values() {
            self.push(task, now, |_| {});
        }
    }
}

impl Router for Chorus {
    fn ready(&mut self, task: usize, now: Timestamp) {
        self.push(task, now, |_| {});
    }

    fn decide(&mut self, now: Timestamp) -> Vec<Order> {
        if self.restarts_at.is_some_and(|at| at <= now) {
            self.restart();
        }
        self.clock.forget_timers();
        self.restored = false;
        let mut orders = Vec::new();
        for (number, process) in self.processes.iter_mut().enumerate() {
            let Some(admission) = &mut process.admission else {
                continue;
            };
            let Some(decided) = admission.next().now_or_never() else {
                continue;
            };
            let Ok(decided) = decided else {
                // No call was made before: every limit starts full.
                let past = Some(Vec::new());
                let leases = Vec::new();
                answered(process.limits.restore(Restoration { leases, past }));
                self.restored = true;
                continue;
            };
            for decided in decided {
                let Some(task) = process.waiting.remove(&decided.request.lease) else {
                    continue;
                };
                match decided.decision {
                    DispatchDecision::Send(assignment) => {
                        orders.push(Order {
                            task,
                            account: index_of(assignment.account),
                            call: self.grants.len(),
                        });
                        self.grants.push(Grant {
                            task,
                            process: number,
                            request: *decided.request,
                            assignment: *assignment,
                            charged: decided.charged,
                            began: now,
                        });
                    }
                    DispatchDecision::Refuse(_) => self.given_up.push(task),
                }
            }
        }
        orders
    }

    fn given_up(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.given_up)
    }

    fn wakes_at(&self) -> Option<Timestamp> {
        let at_once = self.restored.then(|| self.clock.now());
        [self.clock.next_timer(), self.restarts_at, at_once]
            .into_iter()
            .flatten()
            .min()
    }

    fn sends(&mut self, call: usize, now: Timestamp) -> bool {
        self.grants[call].began = now;
        let lease = &self.grants[call].assignment.lease;
        let holder = Holder::new("worker");
        let sent = answered(self.limits_of(call).send(lease, &holder, now + DEADLINE));
        if sent == Some(Sent::Sent) {
            return true;
        }
        self.push_again(call, now, now, false);
        false
    }

    fn first_byte(&mut self, call: usize, shown: &[Shown], _now: Timestamp) {
        self.observe(call, shown, None);
    }

    fn ended(&mut self, call: usize, _took: Millis, now: Timestamp) {
        let summary = self.summary(call, now);
        let end = End::Used {
            usage: summary.usage.unwrap_or_default(),
            cost: summary.cost,
        };
        answered(
            self.limits_of(call)
                .end(self.grants[call].assignment.lease.id, end),
        );
        self.learn(call, &summary, now);
    }

    fn failed(&mut self, call: usize, failure: &Failure, now: Timestamp) -> After {
        self.observe(call, &failure.shown, Some(failure));
        let lease = self.grants[call].assignment.lease.id;
        let mut summary = self.summary(call, now);
        (summary.class, summary.complete) = (Some(failure.class), false);
        let end = if failure.produced > 0 {
            let usage = Usage {
                output: failure.produced,
                ..summary.usage.unwrap_or_default()
            };
            summary.usage = Some(usage);
            End::Used {
                usage,
                cost: MicroUsd::ZERO,
            }
        } else {
            summary.usage = None;
            End::Refused {
                counts_request: self.settings.charging == Charging::Openai,
            }
        };
        answered(self.limits_of(call).end(lease, end));
        self.learn(call, &summary, now);
        let rule = failure.class.rule();
        let assignment = &self.grants[call].assignment;
        let (credential, resets) = (assignment.credential(), assignment.resets.clone());
        let parked = |until| CredentialState::Parked {
            until,
            reason: String::new(),
        };
        match rule.credential {
            CredentialReaction::Unchanged => {}
            CredentialReaction::ParkedUntilDay => {
                self.set_state(credential, &parked(resets.next_day(now)));
            }
            CredentialReaction::ParkedUntilMoney => {
                let until = resets.money_returns(failure.retry_after, now);
                self.set_state(credential, &parked(until));
            }
            CredentialReaction::Refused => {
                let reason = String::new();
                self.set_state(credential, &CredentialState::Refused { reason });
            }
        }
        let retries = self.retries.entry(self.grants[call].task).or_insert(0);
        match rule.requeue {
            RequeueReaction::OtherModel => return After::Given,
            RequeueReaction::CountedAsRetry if *retries >= RETRIES => return After::Given,
            RequeueReaction::CountedAsRetry => *retries += 1,
            RequeueReaction::NotCounted => {}
        }
        let chance = (self.random.unit() * CHANCE as f64) as u64;
        let not_before = retry_at(rule, *retries, failure.retry_after, now, chance);
        self.push_again(call, now, not_before, !rule.may_move_to_sibling);
        After::Again
    }

    fn lost(&mut self, call: usize, now: Timestamp) {
        let lease = self.grants[call].assignment.lease.id;
        let end = End::Lost { grace: LOST_AFTER };
        answered(self.limits_of(call).end(lease, end));
        let grant = &self.grants[call];
        if let Some(admission) = &mut self.processes[grant.process].admission {
            let assignment = &grant.assignment;
            admission.call_dropped(assignment.account, &assignment.provider, &assignment.model);
        }
        self.push_again(call, now, now, false);
    }

    fn process_ends(&mut self, now: Timestamp) {
        self.processes[0].admission = None;
        self.restarts_at = Some(now + TAKEOVER);
    }
}

/// Answer of a limiter whose futures are ready at once; none for a failure, which the run counts as a lost answer.
fn answered<T>(asked: impl Future<Output = Result<T, LimiterError>>) -> Option<T> {
    let answer = asked.now_or_never();
    debug_assert!(answer.is_some(), "limiters of a run answer at once");
    answer.and_then(Result::ok)
}

fn observed(shown: &Shown) -> ObservedLevel {
    ObservedLevel {
        dimension: shown.dimension,
        limit: shown.limit,
        remaining: Some(shown.remaining),
        full_at: Some(shown.full_at),
        rounded_to: shown.rounded_to,
        window: None,
    }
}

fn name(tenant: usize) -> Tenant {
    Tenant::new(format!("tenant{tenant}"))
}

fn index_of(account: AccountId) -> usize {
    usize::try_from(account.number()).unwrap_or(1) - 1
}

/// Providers of a run: two where one of them is overloaded, else one.
fn provider(at: usize, fault: Fault) -> ProviderId {
    if fault == Fault::Overload && at % 2 == 1 {
        "second".into()
    } else {
        "first".into()
    }
}

fn account(at: usize, amounts: Amounts, settings: &ChorusSettings) -> Account {
    let number = at as u128 + 1;
    let group = QuotaGroup {
        id: format!("group{number}").as_str().into(),
        limits: amounts.limits(settings.charging),
    };
    Account {
        id: AccountId::new(number),
        name: format!("account{number}@example.org"),
        owner: format!("owner{number}"),
        entitlement: Entitlement {
            kind: "own".to_owned(),
            attested_by: format!("owner{number}"),
            attested_at: START,
        },
        same_owner_spill: false,
        credentials: vec![Credential {
            id: CredentialId::new(number),
            provider: provider(at, settings.fault),
            base_url: None,
            groups: vec![GroupOf {
                group,
                models: Vec::new(),
            }],
            state: CredentialState::Active,
            mark: None,
            expires_at: None,
        }],
    }
}

/// Catalogue with the one model of a run.
fn catalog() -> Catalog {
    let slug = ModelSlug::from(MODEL);
    let providers = [ProviderId::from("first"), ProviderId::from("second")];
    Catalog {
        providers: Vec::new(),
        models: vec![Model {
            pool: "sim".into(),
            routes: providers
                .into_iter()
                .map(|provider| (provider, MODEL.to_owned()))
                .collect(),
            slug,
            context: 200_000,
            max_output: 64_000,
            price: Price::default(),
            strength: 50,
            reasoning: false,
            quirks: Quirks::default(),
        }],
    }
}
