//! Limits on a real Redis: the contract that the memory limiter passes too, and the same random
//! histories on both.

mod away;
mod history;
mod server;

use std::sync::Arc;

use chorus_core::id::Holder;
use chorus_core::limit::{
    Dimension, End, HeldLease, Lease, LimitSignals, ObservedLevel, PastCall, PastUse, QuotaGroup,
    Reserved, Restoration, Window,
};
use chorus_core::llm::Usage;
use chorus_core::money::MicroUsd;
use chorus_core::port::{Clock, LimitState};
use chorus_core::time::Millis;
use chorus_simulation::contract::limits::{ManualClock, run};
use chorus_simulation::real;

use history::{Pair, Played, Step};
use server::Server;

/// Number of histories, and steps of each.
const HISTORIES: u64 = 400;
const STEPS: usize = 60;

/// Applies one history to both limiters.
async fn check_history(server: &Server, seed: u64) -> Played {
    let mut pair = Pair::new(server, seed).await;
    for number in 0..STEPS {
        let step = pair.draw();
        pair.take(&step)
            .await
            .unwrap_or_else(|problem| panic!("seed {seed}, step {number}, {step:?}: {problem}"));
    }
    pair.played
}

#[tokio::test]
async fn redis_keeps_the_contract_of_limits() {
    let Some(server) = Server::from_environment() else {
        return;
    };
    assert!(run(&server).await > 20);
}

#[tokio::test]
async fn redis_answers_random_histories_like_the_ledger() {
    let Some(server) = Server::from_environment() else {
        return;
    };
    let mut all = Played::default();
    for seeds in (0..HISTORIES).collect::<Vec<u64>>().chunks(16) {
        let histories = seeds.iter().map(|seed| check_history(&server, *seed));
        futures_util::future::join_all(histories)
            .await
            .into_iter()
            .for_each(|played| all += played);
    }
    println!("{HISTORIES} histories: {all:?}");
    assert!(
        all.granted > 2_000
            && all.waited > 1_500
            && all.never > 100
            && all.lost > 50
            && all.sent > 500,
        "{all:?}"
    );
    real::record_run("redis", "random histories", 400);
}

#[tokio::test]
async fn rates_restart_from_what_the_restoring_process_last_saw() {
    let Some(server) = Server::from_environment() else {
        return;
    };
    let mut pair = Pair::new(&server, 9_000).await;
    let demand = pair.demand_for_tokens(2_000);
    assert!(matches!(
        pair.redis.reserve(demand.clone()).await,
        Ok(Reserved::Granted(_))
    ));
    pair.redis
        .end(demand.lease, End::Unused)
        .await
        .expect("the server answers");
    let before = pair.redis.state().await.expect("the server answers").0;
    server.flush(&pair.namespace).await;
    pair.redis
        .restore(Vec::new().into())
        .await
        .expect("the server answers");
    let after = pair.redis.state().await.expect("the server answers").0;
    assert_eq!(
        (before[0].limits[0].room, after[0].limits[0].room),
        (5_000, 3_000),
        "it saw 2,000 set aside, and not that they were unused"
    );
    let stranger = server.limiter(&pair.namespace, &pair.clock);
    server.flush(&pair.namespace).await;
    stranger
        .restore(Vec::new().into())
        .await
        .expect("the server answers");
    let answer = stranger.reserve(demand).await;
    assert!(
        matches!(answer, Ok(Reserved::Wait { at: Some(_), .. })),
        "a process that saw nothing believes that nothing is left: {answer:?}"
    );
}

/// Reserves 100 tokens on both and sends the lease.
async fn sent(pair: &mut Pair<'_>) -> Lease {
    let mut demand = pair.demand_for_tokens(100);
    demand.not_after = pair.clock.now() + Millis(30_000);
    let reserve = Step::Reserve(Box::new(demand.clone()));
    pair.take(&reserve).await.expect("both agree");
    let Ok(Reserved::Granted(lease)) = pair.redis.reserve(demand).await else {
        panic!("there is room")
    };
    let send = Step::Send {
        lease: lease.clone(),
        holder: Holder::new("one"),
        deadline: pair.clock.now() + Millis(60_000),
    };
    pair.take(&send).await.expect("both agree");
    lease
}

#[tokio::test]
async fn a_charge_after_a_lowered_amount_is_corrected_while_an_earlier_call_is_on_its_way() {
    let Some(server) = Server::from_environment() else {
        return;
    };
    let mut pair = Pair::new(&server, 9_003).await;
    pair.take(&Step::Pass(120_000)).await.expect("both agree");
    let first = sent(&mut pair).await;
    pair.take(&Step::Pass(100)).await.expect("both agree");
    let lowered = LimitSignals {
        sent_at: pair.clock.now(),
        failure: None,
        retry_after: None,
        levels: vec![ObservedLevel {
            dimension: Dimension::InputTokens,
            limit: Some(3_000),
            remaining: None,
            full_at: None,
            rounded_to: 1,
            window: None,
        }],
    };
    let observe = Step::Observe(first.id, Box::new(lowered));
    pair.take(&observe).await.expect("both agree");
    pair.take(&Step::Pass(50)).await.expect("both agree");
    let second = sent(&mut pair).await;
    let usage = Usage {
        input: 10,
        ..Usage::default()
    };
    let cost = MicroUsd(1);
    let end = Step::End(second.id, End::Used { usage, cost });
    pair.take(&end).await.expect("both give 90 tokens back");
}

#[tokio::test]
async fn past_calls_count_although_the_restoring_process_saw_another_window_last() {
    let Some(server) = Server::from_environment() else {
        return;
    };
    let mut pair = Pair::new(&server, 9_004).await;
    pair.take(&Step::Pass(120_000)).await.expect("both agree");
    let demand = pair.demand_for_tokens(100);
    let reserve = Step::Reserve(Box::new(demand.clone()));
    pair.take(&reserve).await.expect("both agree");
    let mut group = QuotaGroup::clone(&demand.candidates[0].groups[0]);
    group.limits[0].window = Window::Sliding { per_ms: 600_000 };
    let usage = Usage {
        input: 4_000,
        ..Usage::default()
    };
    let cost = MicroUsd(1);
    let call = PastCall {
        groups: vec![Arc::new(group)],
        sent_at: pair.clock.now(),
        ended_at: pair.clock.now(),
        used: PastUse::Known { usage, cost },
    };
    server.flush(&pair.namespace).await;
    let past = Restoration {
        leases: Vec::new(),
        past: Some(vec![call]),
    };
    let restored = pair.redis.restore(past).await;
    restored.expect("the server answers");
    let levels = pair.redis.state().await.expect("the server answers").0;
    assert_eq!(
        (levels[0].limits[0].window, levels[0].limits[0].room),
        (Window::Sliding { per_ms: 600_000 }, 1_000)
    );
}

#[tokio::test]
async fn what_is_forgotten_leaves_no_key_behind() {
    let Some(server) = Server::from_environment() else {
        return;
    };
    let mut pair = Pair::new(&server, 9_001).await;
    for _ in 0..300 {
        pair.take(&Step::Pass(400)).await.expect("both agree");
        let demand = pair.demand_for_tokens(10);
        pair.take(&Step::Reserve(Box::new(demand.clone())))
            .await
            .expect("both agree");
        pair.take(&Step::End(demand.lease, End::Unused))
            .await
            .expect("both agree");
    }
    server.forget_scripts().await;
    pair.take(&Step::Pass(3_700_000)).await.expect("both agree");
    let unknown = pair.demand_for_tokens(1).lease;
    pair.take(&Step::End(unknown, End::Unused))
        .await
        .expect("both agree");
    let mut keys = server.keys(&pair.namespace).await;
    keys.sort();
    let names: Vec<&str> = keys
        .iter()
        .filter_map(|key| key.split(':').nth(1))
        .collect();
    assert_eq!(names, ["groups", "life", "members", "names"]);
}

#[tokio::test]
async fn a_restored_lease_is_the_one_that_was_granted() {
    let Some(server) = Server::from_environment() else {
        return;
    };
    let hand = Arc::new(ManualClock::default());
    let redis = server.limiter(&Server::namespace(), &hand);
    redis
        .restore(Vec::new().into())
        .await
        .expect("the server answers");
    hand.pass(Millis(120_000));
    let mut pair = Pair::new(&server, 9_002).await;
    let demand = pair.demand_for_tokens(100);
    let Ok(Reserved::Granted(lease)) = redis.reserve(demand.clone()).await else {
        panic!("there is room")
    };
    pair.take(&Step::Flush).await.expect("both forget");
    let groups = demand.candidates[0].groups.clone();
    let held = HeldLease {
        lease: lease.clone(),
        groups,
        sent_until: None,
        process_ended: false,
    };
    pair.take(&Step::Restore(vec![held].into()))
        .await
        .expect("both agree");
    assert_eq!(
        pair.redis.reserve(demand).await,
        Ok(Reserved::Granted(lease))
    );
}
