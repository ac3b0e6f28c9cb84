//! A random history, applied step by step to Redis and to the ledger in memory.

use std::fmt::Debug;
use std::ops::AddAssign;
use std::sync::Arc;

use chorus_core::failure::FailureClass;
use chorus_core::id::{CredentialId, Holder, LeaseId};
use chorus_core::limit::{
    CallEstimate, Candidate, Charge, Demand, Dimension, End, HeldLease, Lease, Limit, LimitSignals,
    ObservedLevel, PastCall, PastUse, QuotaGroup, ReserveRule, Reserved, Restoration, Sent, Window,
    Zone,
};
use chorus_core::llm::Usage;
use chorus_core::money::MicroUsd;
use chorus_core::port::limit_state::LimiterError;
use chorus_core::port::{Clock, LimitLevels, LimitState};
use chorus_core::time::{Millis, Timestamp};
use fastrand::Rng;

use chorus_limits::{Memory, Redis, Start};
use chorus_simulation::contract::limits::ManualClock;

use super::server::Server;

/// One step.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Pass(u64),
    Reserve(Box<Demand>),
    Withdraw(LeaseId),
    Levels(Vec<Arc<QuotaGroup>>),
    Send {
        lease: Lease,
        holder: Holder,
        deadline: Timestamp,
    },
    End(LeaseId, End),
    Observe(LeaseId, Box<LimitSignals>),
    Restore(Restoration),
    Configure,
    Flush,
}

/// Number of steps by their effect.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Played {
    pub(super) granted: u32,
    pub(super) waited: u32,
    pub(super) never: u32,
    pub(super) sent: u32,
    pub(super) gone: u32,
    pub(super) lost: u32,
}

impl AddAssign for Played {
    fn add_assign(&mut self, other: Self) {
        self.granted += other.granted;
        self.waited += other.waited;
        self.never += other.never;
        self.sent += other.sent;
        self.gone += other.gone;
        self.lost += other.lost;
    }
}

/// Both limiters.
pub(super) struct Pair<'a> {
    server: &'a Server,
    pub(super) namespace: String,
    pub(super) clock: Arc<ManualClock>,
    memory: Memory,
    pub(super) redis: Redis,
    chance: Rng,
    groups: Vec<Arc<QuotaGroup>>,
    asked: Vec<Demand>,
    granted: Vec<Lease>,
    next: u128,
    lost: bool,
    pub(super) played: Played,
}

impl<'a> Pair<'a> {
    pub(super) async fn new(server: &'a Server, seed: u64) -> Self {
        let (namespace, clock) = (Server::namespace(), Arc::new(ManualClock::default()));
        let memory = Memory::new(Arc::clone(&clock) as Arc<dyn Clock>, Start::Empty);
        let redis = server.limiter(&namespace, &clock);
        let mut chance = Rng::with_seed(seed);
        let groups = (0..3).map(|number| group(number, &mut chance)).collect();
        for limiter in [&redis as &dyn LimitState, &memory] {
            limiter
                .restore(Vec::new().into())
                .await
                .expect("the server answers");
        }
        // Rates start at zero; most histories let them refill.
        clock.pass(Millis(if chance.u8(0..8) == 0 { 0 } else { 120_000 }));
        let (asked, granted) = (Vec::new(), Vec::new());
        Self {
            server,
            namespace,
            clock,
            memory,
            redis,
            chance,
            groups,
            asked,
            granted,
            next: u128::from(seed) << 32,
            lost: false,
            played: Played::default(),
        }
    }

    pub(super) fn draw(&mut self) -> Step {
        if self.lost && self.chance.u8(0..4) == 0 {
            return Step::Restore(self.restoration());
        }
        match self.chance.u8(0..100) {
            0..20 => Step::Pass(self.length()),
            20..48 => Step::Reserve(Box::new(self.demand_or_again())),
            48 => match self.asked.last() {
                Some(demand) => Step::Withdraw(demand.lease),
                None => Step::Pass(1),
            },
            49 => Step::Levels(self.some_groups()),
            50..66 => match self.lease() {
                Some(lease) => {
                    let holder = Holder::new(["one", "one", "one", "two"][self.chance.usize(0..4)]);
                    let deadline = Timestamp(self.clock.now().0 + self.chance.i64(-1..60_000));
                    Step::Send {
                        lease,
                        holder,
                        deadline,
                    }
                }
                None => Step::Pass(1),
            },
            66..82 => match self.lease() {
                Some(lease) => Step::End(lease.id, self.end()),
                None => Step::Pass(1),
            },
            82..94 => match self.lease() {
                Some(lease) => Step::Observe(lease.id, Box::new(self.signals(&lease))),
                None => Step::Pass(1),
            },
            94..96 => Step::Restore(self.restoration()),
            96..99 => Step::Configure,
            _ => Step::Flush,
        }
    }

    /// Groups of the history, and one that no call drew on.
    fn some_groups(&mut self) -> Vec<Arc<QuotaGroup>> {
        let mut groups = self.groups.clone();
        let mut unknown = (*group(0, &mut self.chance)).clone();
        unknown.id = "never/drawn-on".into();
        groups.push(Arc::new(unknown));
        groups
    }

    fn length(&mut self) -> u64 {
        match self.chance.u8(0..20) {
            0..6 => 1,
            6..14 => self.chance.u64(1..2_000),
            14..18 => self.chance.u64(1_000..70_000),
            18 => self.chance.u64(60_000..4_000_000),
            _ => self.chance.u64(3_000_000..90_000_000),
        }
    }

    fn demand_or_again(&mut self) -> Demand {
        if !self.asked.is_empty() && self.chance.u8(0..6) == 0 {
            return self.asked[self.chance.usize(0..self.asked.len())].clone();
        }
        self.demand()
    }

    pub(super) fn demand(&mut self) -> Demand {
        self.next += 1;
        let candidates = (0..self.chance.u128(0..4))
            .map(|number| self.candidate(number))
            .collect::<Vec<_>>();
        let candidates = if candidates.is_empty() && self.chance.u8(0..4) > 0 {
            vec![self.candidate(1)]
        } else {
            candidates
        };
        let not_after = Timestamp(self.clock.now().0 + self.chance.i64(0..30_000));
        Demand {
            lease: LeaseId::new(self.next),
            interactive: self.chance.u8(0..8) == 0,
            not_after,
            candidates,
            books: self.chance.u8(0..3) == 0,
        }
    }

    /// A demand of `input` tokens on a group with 5,000 of them.
    pub(super) fn demand_for_tokens(&mut self, input: u64) -> Demand {
        let mut demand = self.demand();
        let limit = Limit {
            dimension: Dimension::InputTokens,
            amount: 5_000,
            burst: None,
            window: Window::Bucket { per_ms: 60_000 },
            reserve: ReserveRule::Estimate,
            cache_read_percent: 0,
            output_weight: 1,
        };
        let mut candidate = self.candidate(1);
        candidate.groups = vec![Arc::new(QuotaGroup {
            id: "tokens".into(),
            limits: vec![limit],
        })];
        (candidate.estimate.input, candidate.floor_permille) = (input, 0);
        (demand.interactive, demand.books) = (false, false);
        demand.candidates = vec![candidate];
        demand
    }

    fn candidate(&mut self, number: u128) -> Candidate {
        let some = self.chance.u8(0..8);
        let groups = self
            .groups
            .iter()
            .enumerate()
            .filter(|(place, _)| some & (1 << place) != 0)
            .map(|(_, group)| Arc::clone(group));
        let groups = groups.collect();
        let output = self.chance.u64(1..900);
        let estimate = CallEstimate {
            input: if self.chance.u8(0..30) == 0 {
                9_000
            } else {
                self.chance.u64(1..900)
            },
            cached: self.chance.u64(0..2) * self.chance.u64(0..900),
            output_p50: output / 2,
            output_p90: output,
            max_tokens: self.chance.u64(1..1_500),
            cost: MicroUsd(self.chance.i64(-1..5_000)),
        };
        let floor_permille = if self.chance.u8(0..4) == 0 {
            self.chance.u16(0..300)
        } else {
            0
        };
        Candidate {
            credential: CredentialId::new(number + 1),
            groups,
            estimate,
            rank: self.chance.u32(0..2),
            floor_permille,
        }
    }

    fn lease(&mut self) -> Option<Lease> {
        let recent = self.granted.len().saturating_sub(12);
        (recent < self.granted.len())
            .then(|| self.granted[self.chance.usize(recent..self.granted.len())].clone())
    }

    fn end(&mut self) -> End {
        let mut tokens = || self.chance.u64(0..1_500);
        let usage = Usage {
            input: tokens(),
            output: tokens(),
            cache_read: tokens(),
            cache_write: tokens() / 4,
            reasoning: 0,
            is_estimated: false,
        };
        match self.chance.u8(0..9) {
            0 => End::Unused,
            1 => End::Aborted {
                usage: Some(usage).filter(|usage| usage.input.is_multiple_of(2)),
                grace: Millis(self.chance.u64(0..9_000)),
            },
            3 => End::Lost {
                grace: Millis(self.chance.u64(0..9_000)),
            },
            2 => End::Refused {
                counts_request: usage.input.is_multiple_of(2),
            },
            _ => End::Used {
                usage,
                cost: MicroUsd(self.chance.i64(-1..9_000)),
            },
        }
    }

    fn signals(&mut self, lease: &Lease) -> LimitSignals {
        let drawn_on = |group: &Arc<QuotaGroup>| {
            let mut charges = lease.charges.iter();
            charges.any(|charge| charge.group == group.id)
        };
        let group = self.groups.iter().find(|group| drawn_on(group));
        let group = Arc::clone(group.unwrap_or(&self.groups[0]));
        let levels = (0..self.chance.u8(0..3))
            .map(|_| self.header(&group))
            .collect();
        let failure = [
            None,
            None,
            None,
            Some(FailureClass::RateWindow),
            Some(FailureClass::Ramp),
            Some(FailureClass::Concurrency),
            Some(FailureClass::QuotaDay),
            Some(FailureClass::Spend),
            Some(FailureClass::Overload),
        ];
        // Groups that are closed for days would end the history.
        let failure = failure[if self.chance.u8(0..4) == 0 {
            self.chance.usize(0..9)
        } else {
            self.chance.usize(0..6)
        }];
        let retry_after = (self.chance.u8(0..3) > 0).then(|| Millis(self.chance.u64(0..20_000)));
        let longest = [10, 4_000, 20_000, 400_000][self.chance.usize(0..4)];
        let sent_at = Timestamp(self.clock.now().0 - self.chance.i64(0..longest));
        LimitSignals {
            sent_at,
            failure,
            retry_after,
            levels,
        }
    }

    fn header(&mut self, group: &QuotaGroup) -> ObservedLevel {
        let limit = &group.limits[self.chance.usize(0..group.limits.len())];
        let observation = [
            limit.amount,
            limit.amount,
            limit.amount / 2,
            limit.amount * 2 + 1,
            0,
        ][self.chance.usize(0..5)];
        let most = observation.max(limit.amount);
        ObservedLevel {
            dimension: if self.chance.u8(0..9) == 0 {
                Dimension::OutputTokens
            } else {
                limit.dimension
            },
            limit: (self.chance.u8(0..4) > 0).then_some(observation),
            remaining: (self.chance.u8(0..5) > 0).then(|| {
                if self.chance.bool() {
                    0
                } else {
                    self.chance.u64(0..most + 1)
                }
            }),
            full_at: None,
            rounded_to: [1, 1, 1_000, 7][self.chance.usize(0..4)],
            window: [limit.window.length(), Some(Millis(60_000)), None, None]
                [self.chance.usize(0..4)],
        }
    }

    /// Some of the granted leases, and in most cases calls that ended.
    fn restoration(&mut self) -> Restoration {
        let leases = self.held();
        let past = (self.chance.u8(0..4) > 0).then(|| {
            let calls = self.chance.usize(0..30);
            (0..calls).map(|_| self.past_call()).collect()
        });
        Restoration { leases, past }
    }

    fn past_call(&mut self) -> PastCall {
        let longest = [1_000, 90_000, 100_000_000][self.chance.usize(0..3)];
        let sent_at = Timestamp(self.clock.now().0 - self.chance.i64(0..longest));
        let group = Arc::clone(&self.groups[self.chance.usize(0..self.groups.len())]);
        let used = match self.end() {
            End::Used { usage, cost } => PastUse::Known { usage, cost },
            End::Unused | End::Refused { .. } => PastUse::Refused,
            End::Aborted { .. } | End::Lost { .. } => PastUse::Unknown {
                charges: group
                    .limits
                    .iter()
                    .map(|limit| Charge {
                        group: group.id.clone(),
                        dimension: limit.dimension,
                        amount: self.chance.u64(0..700),
                    })
                    .collect(),
            },
        };
        PastCall {
            groups: vec![group],
            sent_at,
            ended_at: sent_at + Millis(self.chance.u64(0..2_000)),
            used,
        }
    }

    /// Some of the granted leases, and one that was never granted.
    fn held(&mut self) -> Vec<HeldLease> {
        let now = self.clock.now().0;
        let mut leases = self.granted[self.granted.len().saturating_sub(6)..].to_vec();
        self.next += 1;
        let charges = vec![
            Charge {
                group: "g0".into(),
                dimension: Dimension::InputTokens,
                amount: 100,
            },
            Charge {
                group: "unknown".into(),
                dimension: Dimension::Concurrency,
                amount: 1,
            },
        ];
        let id = LeaseId::new(self.next);
        leases.push(Lease {
            id,
            credential: CredentialId::new(1),
            charges,
            granted_at: Timestamp(now),
            not_after: Timestamp(now + 9_000),
        });
        self.granted.extend(leases.last().cloned());
        let held = |lease: Lease| HeldLease {
            groups: if self.chance.bool() {
                self.groups.clone()
            } else {
                Vec::new()
            },
            sent_until: self
                .chance
                .bool()
                .then(|| Timestamp(now + self.chance.i64(-100..40_000))),
            process_ended: self.chance.u8(0..3) == 0,
            lease,
        };
        leases.into_iter().map(held).collect()
    }

    /// Applies the step to both and compares replies and levels.
    pub(super) async fn take(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Pass(length) => self.clock.pass(Millis(*length)),
            Step::Configure => {
                let place = self.chance.usize(0..self.groups.len());
                self.groups[place] = group(place, &mut self.chance);
            }
            Step::Flush => {
                self.server.flush(&self.namespace).await;
                self.redis = self.server.limiter(&self.namespace, &self.clock);
                self.memory.flush();
                self.memory = self.memory.beside();
                self.lost = true;
            }
            Step::Reserve(demand) => {
                let answer = same(
                    self.redis.reserve(*demand.clone()).await,
                    &self.memory.reserve(*demand.clone()).await,
                )?;
                self.asked.push(*demand.clone());
                match answer {
                    Ok(Reserved::Granted(lease)) => {
                        self.played.granted += 1;
                        self.granted.push(lease);
                    }
                    Ok(Reserved::Wait { .. }) => self.played.waited += 1,
                    Ok(Reserved::Never(_)) => self.played.never += 1,
                    Err(_) => self.played.lost += 1,
                }
            }
            Step::Send {
                lease,
                holder,
                deadline,
            } => {
                let answer = same(
                    self.redis.send(lease, holder, *deadline).await,
                    &self.memory.send(lease, holder, *deadline).await,
                )?;
                self.played.sent += u32::from(answer == Ok(Sent::Sent));
                self.played.gone += u32::from(answer == Ok(Sent::Gone));
            }
            Step::Withdraw(lease) => drop(same(
                self.redis.withdraw(*lease).await,
                &self.memory.withdraw(*lease).await,
            )?),
            Step::Levels(groups) => drop(same(
                LimitLevels::levels(&self.redis, groups).await,
                &self.memory.levels(groups).await,
            )?),
            Step::End(lease, end) => drop(same(
                self.redis.end(*lease, end.clone()).await,
                &self.memory.end(*lease, end.clone()).await,
            )?),
            Step::Observe(lease, signals) => drop(same(
                self.redis.observe(*lease, *signals.clone()).await,
                &self.memory.observe(*lease, *signals.clone()).await,
            )?),
            Step::Restore(restoration) => {
                same(
                    self.redis.restore(restoration.clone()).await,
                    &self.memory.restore(restoration.clone()).await,
                )?
                .map_err(|lost| lost.to_string())?;
                self.lost = false;
            }
        }
        if self.lost {
            return Ok(());
        }
        same(
            self.redis.state().await,
            &Ok((self.memory.all_levels(), self.memory.live_leases())),
        )
        .map(drop)
    }
}

type Answer<T> = Result<T, LimiterError>;

fn same<T: PartialEq + Debug>(redis: Answer<T>, memory: &Answer<T>) -> Result<Answer<T>, String> {
    if redis == *memory {
        Ok(redis)
    } else {
        Err(format!(
            "Redis: 
{redis:#?}
ledger: 
{memory:#?}"
        ))
    }
}

/// A group with some limits of every kind.
fn group(number: usize, chance: &mut Rng) -> Arc<QuotaGroup> {
    let mut limits: Vec<Limit> = (0..chance.usize(1..5)).map(|_| limit(chance)).collect();
    if chance.bool() {
        limits.push(Limit {
            amount: chance.u64(1..5),
            burst: None,
            window: Window::Held,
            dimension: Dimension::Concurrency,
            ..limits[0].clone()
        });
    }
    Arc::new(QuotaGroup {
        id: format!("g{number}").as_str().into(),
        limits,
    })
}

fn limit(chance: &mut Rng) -> Limit {
    let dimension = [
        Dimension::Requests,
        Dimension::InputTokens,
        Dimension::OutputTokens,
        Dimension::TotalTokens,
        Dimension::Spend,
    ][chance.usize(0..5)];
    let amount = match dimension {
        Dimension::Requests => chance.u64(3..40),
        Dimension::Spend => chance.u64(10_000..200_000),
        _ => chance.u64(900..9_000),
    };
    let window = match chance.u8(0..8) {
        0..4 => Window::Bucket {
            per_ms: [1_000, 60_000, 59_999, 600_000][chance.usize(0..4)],
        },
        4..6 => Window::Sliding {
            per_ms: [10_000, 60_000][chance.usize(0..2)],
        },
        6 => Window::Day {
            zone: [Zone::UTC, Zone::Offset(-480), pacific()][chance.usize(0..3)],
        },
        _ => Window::Month,
    };
    let reserve = [
        ReserveRule::Estimate,
        ReserveRule::AsProduced,
        ReserveRule::InputPlusMax,
        ReserveRule::MaxOfBoth,
    ][chance.usize(0..4)];
    Limit {
        dimension,
        amount,
        burst: (chance.u8(0..4) == 0).then(|| chance.u64(amount / 2..amount * 2)),
        window,
        reserve,
        cache_read_percent: [0, 100, 33][chance.usize(0..3)],
        output_weight: [1, 1, 5][chance.usize(0..3)],
    }
}

/// Zone of a provider that counts days with daylight saving.
fn pacific() -> Zone {
    Zone::named("America/Los_Angeles").expect("a zone of the database")
}
