//! Context of a limiter case: processes that share one limiter, a manual clock, and demands.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use chorus_core::id::{CredentialId, GroupId, Holder, LeaseId};
use chorus_core::limit::{
    CallEstimate, Candidate, Charge, Demand, Dimension, End, HeldLease, Lease, Limit, LimitSignals,
    QuotaGroup, ReserveRule, Reserved, Restoration, Sent, Window,
};
use chorus_core::llm::Usage;
use chorus_core::money::MicroUsd;
use chorus_core::port::limit_state::LimiterError;
use chorus_core::port::{Clock, LimitState};
use chorus_core::time::{Millis, Timestamp};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// An implementation of [`LimitState`] that is tested.
#[async_trait]
pub trait Implementation: Send + Sync {
    /// Name of the implementation in the output.
    fn name(&self) -> &'static str;

    /// Creates a limiter on a [`ManualClock`].
    async fn fresh(&self) -> LimiterContext;
}

/// State that all processes of one limiter share.
#[async_trait]
pub trait SharedState: Send + Sync {
    /// Returns the limiter as one more process sees it.
    fn new_process(&self) -> Arc<dyn LimitState>;

    /// Drops all state.
    async fn flush(&self);

    /// Waits until change signals have arrived.
    async fn deliver_signals(&self);
}

/// Clock that a case advances.
pub struct ManualClock {
    now: AtomicI64,
    drawn: AtomicU64,
}

impl Default for ManualClock {
    /// Starts in March 2026, so that calendar windows are not at their start.
    fn default() -> Self {
        Self {
            now: AtomicI64::new(1_773_000_000_000),
            drawn: AtomicU64::new(0),
        }
    }
}

impl ManualClock {
    /// Advances the clock.
    pub fn pass(&self, length: Millis) {
        self.now
            .fetch_add(length.0.cast_signed(), Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        futures_util::future::ready(()).boxed()
    }

    fn random_u128(&self) -> u128 {
        u128::from(self.drawn.fetch_add(1, Ordering::Relaxed))
    }

    fn random_below(&self, _: u64) -> u64 {
        0
    }
}

/// Limiter, clock and quota group of one case.
pub struct LimiterContext {
    shared: Box<dyn SharedState>,
    clock: Arc<ManualClock>,
    pub(super) limits: Arc<dyn LimitState>,
    /// Group with 6,000 input tokens per minute and two slots.
    pub(super) group: Arc<QuotaGroup>,
}

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

pub(super) fn group(name: &str, tokens: u64, slots: u64) -> Arc<QuotaGroup> {
    let limits = vec![
        limit(Dimension::InputTokens, tokens, MINUTE),
        limit(Dimension::Concurrency, slots, Window::Held),
    ];
    Arc::new(QuotaGroup {
        id: GroupId::new(name),
        limits,
    })
}

pub(super) fn used(input: u64) -> End {
    End::Used {
        usage: Usage {
            input,
            ..Usage::default()
        },
        cost: MicroUsd(10),
    }
}

pub(super) fn holder(name: &str) -> Holder {
    Holder::new(name)
}

impl LimiterContext {
    /// Restores the limiter after a past without calls, so that all limits are full.
    pub async fn new(shared: Box<dyn SharedState>, clock: Arc<ManualClock>) -> Self {
        let limits = shared.new_process();
        let unused = Restoration {
            leases: Vec::new(),
            past: Some(Vec::new()),
        };
        limits.restore(unused).await.expect("it answers");
        clock.pass(Millis::from_secs(120));
        Self {
            shared,
            clock,
            limits,
            group: group("org/model", 6_000, 2),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn pass(&self, length: u64) {
        self.clock.pass(Millis(length));
    }

    pub(super) async fn flush(&self) {
        self.shared.flush().await;
    }

    pub(super) async fn deliver_signals(&self) {
        self.shared.deliver_signals().await;
    }

    pub(super) fn new_process(&self) -> Arc<dyn LimitState> {
        self.shared.new_process()
    }

    pub(super) fn candidate(&self, input: u64) -> Candidate {
        let estimate = CallEstimate {
            input,
            cached: 0,
            output_p50: 1,
            output_p90: 1,
            max_tokens: 1,
            cost: MicroUsd(1),
        };
        Candidate {
            credential: CredentialId::new(1),
            groups: vec![Arc::clone(&self.group)],
            estimate,
            rank: 0,
            floor_permille: 0,
        }
    }

    /// A demand of `input` tokens on the group.
    pub(super) fn demand(&self, input: u64) -> Demand {
        let lease = LeaseId::new(self.clock.random_u128() + 1);
        Demand {
            lease,
            interactive: false,
            not_after: self.now() + Millis(30_000),
            candidates: vec![self.candidate(input)],
            books: false,
        }
    }

    pub(super) async fn observe(&self, lease: &Lease, signals: &LimitSignals) {
        let observed = self.limits.observe(lease.id, signals.clone());
        observed.await.expect("it answers");
    }

    pub(super) async fn answer(&self, demand: &Demand) -> Reserved {
        self.limits
            .reserve(demand.clone())
            .await
            .expect("it answers")
    }

    pub(super) async fn granted(&self, input: u64) -> Lease {
        match self.answer(&self.demand(input)).await {
            Reserved::Granted(lease) => lease,
            other => panic!("{other:?}"),
        }
    }

    /// A lease that was sent and runs for `lasts` milliseconds.
    pub(super) async fn sent(&self, input: u64, lasts: u64) -> Lease {
        let lease = self.granted(input).await;
        assert_eq!(self.send(&lease, "one", lasts).await, Ok(Sent::Sent));
        lease
    }

    pub(super) async fn send(
        &self,
        lease: &Lease,
        by: &str,
        lasts: u64,
    ) -> Result<Sent, LimiterError> {
        self.limits
            .send(lease, &holder(by), self.now() + Millis(lasts))
            .await
    }

    pub(super) async fn end(&self, lease: &Lease, end: End) {
        self.limits.end(lease.id, end).await.expect("it answers");
    }

    /// Asserts the number of free slots of the group.
    pub(super) async fn has_slots(&self, expected: usize) {
        let mut taken = Vec::new();
        while let Reserved::Granted(lease) = self.answer(&self.demand(0)).await {
            taken.push(lease);
        }
        for lease in &taken {
            self.end(lease, End::Unused).await;
        }
        assert_eq!(taken.len(), expected, "free slots");
    }

    /// Asserts the exact number of tokens left in the group.
    pub(super) async fn has_tokens(&self, expected: u64) {
        for (input, fits) in [(expected, true), (expected + 1, false)] {
            let demand = self.demand(input);
            let answer = self.answer(&demand).await;
            let granted = matches!(answer, Reserved::Granted(_));
            self.limits
                .end(demand.lease, End::Unused)
                .await
                .expect("it answers");
            assert_eq!(
                granted, fits,
                "{input} tokens, while {expected} should be left: {answer:?}"
            );
        }
    }

    /// A lease of `input` tokens that another process granted.
    pub(super) fn lease_of_another(&self, input: u64) -> Lease {
        let charge = |dimension, amount| Charge {
            group: self.group.id.clone(),
            dimension,
            amount,
        };
        Lease {
            id: self.demand(0).lease,
            credential: CredentialId::new(1),
            charges: vec![
                charge(Dimension::InputTokens, input),
                charge(Dimension::Concurrency, 1),
            ],
            granted_at: self.now(),
            not_after: self.now() + Millis(30_000),
        }
    }

    /// A lease that another process sent, although the group is closed.
    pub(super) async fn sent_while_closed(&self, lasts: u64) -> Lease {
        let lease = self.lease_of_another(1);
        let held = self.held(&lease, Some(lasts));
        let restored = self.limits.restore(vec![held].into()).await;
        restored.expect("it answers");
        lease
    }

    /// A group with money that comes back in ten minutes and no other limit.
    pub(super) fn group_of_money(&self) -> Arc<QuotaGroup> {
        let limit = Limit {
            dimension: Dimension::Spend,
            amount: 1_000_000,
            window: Window::Sliding { per_ms: 600_000 },
            ..self.group.limits[0].clone()
        };
        Arc::new(QuotaGroup {
            id: "org/money".into(),
            limits: vec![limit],
        })
    }

    pub(super) fn held(&self, lease: &Lease, sent_for: Option<u64>) -> HeldLease {
        let sent_until = sent_for.map(|length| self.now() + Millis(length));
        HeldLease {
            lease: lease.clone(),
            groups: vec![Arc::clone(&self.group)],
            sent_until,
            process_ended: false,
        }
    }
}
