//! Cases of waiting: the obstacle that an answer names, and the end of a closure that has lost its reason.

use chorus_core::failure::FailureClass;
use chorus_core::limit::{Dimension, End, LimitSignals, Obstacle, ObstacleKind, Reserved};
use chorus_core::money::MicroUsd;
use chorus_core::time::{Millis, Timestamp};

use super::context::{LimiterContext, used};

/// Asserts that a call waits for this obstacle.
async fn waits_for(context: &LimiterContext, input: u64, kind: ObstacleKind, until: Option<u64>) {
    let demand = context.demand(input);
    let answer = context.answer(&demand).await;
    let Reserved::Wait { obstacle, .. } = answer else {
        panic!("{answer:?}");
    };
    let expected = Obstacle {
        credential: demand.candidates[0].credential,
        group: demand.candidates[0].groups[0].id.clone(),
        kind,
        until: until.map(|length| context.now() + Millis(length)),
    };
    assert_eq!(obstacle, Some(expected));
}

fn refusal(class: FailureClass, retry_after: u64, sent_at: Timestamp) -> LimitSignals {
    LimitSignals {
        sent_at,
        failure: Some(class),
        retry_after: Some(Millis(retry_after)),
        levels: Vec::new(),
    }
}

const REFUSED: End = End::Refused {
    counts_request: false,
};

pub(super) async fn a_wait_names_the_limit_that_is_used_up(context: LimiterContext) {
    context.sent(6_000, 60_000).await;
    let dimension = Dimension::InputTokens;
    waits_for(
        &context,
        100,
        ObstacleKind::Limit { dimension },
        Some(1_500),
    )
    .await;
    context.sent(0, 60_000).await;
    let dimension = Dimension::Concurrency;
    waits_for(&context, 0, ObstacleKind::Limit { dimension }, None).await;
}

pub(super) async fn a_wait_names_the_refusal_that_closed_the_group(context: LimiterContext) {
    let lease = context.sent(1, 60_000).await;
    context.pass(10);
    let signals = refusal(FailureClass::RateWindow, 7_000, context.now());
    let since = context.now();
    context.observe(&lease, &signals).await;
    context.end(&lease, REFUSED).await;
    let class = FailureClass::RateWindow;
    let closed = ObstacleKind::Closed { class, since };
    context.pass(5_000);
    waits_for(&context, 0, closed, Some(2_000)).await;
}

pub(super) async fn a_call_accepted_after_a_refusal_opens_the_group(context: LimiterContext) {
    let (refused, before) = (context.sent(1, 60_000).await, context.sent(1, 60_000).await);
    context.pass(10);
    let signals = refusal(FailureClass::Spend, 900_000, context.now());
    context.observe(&refused, &signals).await;
    context.end(&refused, REFUSED).await;
    context.end(&before, used(1)).await;
    let answer = context.answer(&context.demand(1)).await;
    assert_eq!(
        answer.asks_again_at(),
        Some(Some(context.now() + Millis(900_000))),
        "a call that was sent before the refusal says nothing about it"
    );
    context.pass(10);
    let probe = context.sent_while_closed(60_000).await;
    context.pass(10);
    context.end(&probe, used(1)).await;
    context.has_slots(2).await;
}

pub(super) async fn a_later_refusal_corrects_the_wait_of_an_earlier_one(context: LimiterContext) {
    let first = context.sent(1, 60_000).await;
    context.pass(10);
    let signals = refusal(FailureClass::RateWindow, 300_000, context.now());
    context.observe(&first, &signals).await;
    context.end(&first, REFUSED).await;
    context.pass(10);
    let second = context.sent_while_closed(60_000).await;
    context.pass(10);
    let signals = refusal(FailureClass::RateWindow, 2_000, context.now());
    context.observe(&second, &signals).await;
    context.end(&second, REFUSED).await;
    let answer = context.answer(&context.demand(0)).await;
    assert_eq!(
        answer.asks_again_at(),
        Some(Some(context.now() + Millis(2_000)))
    );
}

pub(super) async fn a_refusal_for_a_rate_closes_no_money_limit(context: LimiterContext) {
    let mut demand = context.demand(1);
    demand.candidates[0].groups = vec![context.group_of_money()];
    let Reserved::Granted(lease) = context.answer(&demand).await else {
        panic!("there is room")
    };
    let sent = context.send(&lease, "one", 60_000).await;
    assert_eq!(sent, Ok(chorus_core::limit::Sent::Sent));
    let signals = refusal(FailureClass::RateWindow, 12_000, context.now());
    context.observe(&lease, &signals).await;
    context.end(&lease, REFUSED).await;
    context.pass(12_000);
    demand.lease = context.demand(1).lease;
    demand.candidates[0].estimate.cost = MicroUsd(900_000);
    let answer = context.answer(&demand).await;
    assert!(matches!(answer, Reserved::Granted(_)), "{answer:?}");
}

pub(super) async fn a_refusal_for_concurrency_counts_the_calls_that_were_sent(
    context: LimiterContext,
) {
    let mut leases = Vec::new();
    for number in 0..9 {
        let mut demand = context.demand(1);
        demand.candidates[0].groups = vec![context.group_of_money()];
        let Reserved::Granted(lease) = context.answer(&demand).await else {
            panic!("there is room")
        };
        if number < 4 {
            let sent = context.send(&lease, "one", 60_000).await;
            assert_eq!(sent, Ok(chorus_core::limit::Sent::Sent));
        }
        leases.push(lease);
    }
    let signals = LimitSignals {
        retry_after: None,
        ..refusal(FailureClass::Concurrency, 0, context.now())
    };
    context.observe(&leases[0], &signals).await;
    context.end(&leases[0], REFUSED).await;
    for lease in &leases[4..] {
        context.end(lease, End::Unused).await;
    }
    let mut demand = context.demand(1);
    demand.candidates[0].groups = vec![context.group_of_money()];
    let answer = context.answer(&demand).await;
    let Reserved::Wait { obstacle, .. } = &answer else {
        panic!("the provider takes three at once, and three run: {answer:?}");
    };
    let kind = obstacle.as_ref().map(|obstacle| obstacle.kind);
    assert_eq!(kind, Some(ObstacleKind::CallsInFlight));
}

pub(super) async fn slots_of_a_process_that_ended_come_back_when_they_are_due(
    context: LimiterContext,
) {
    let (one, two) = (context.sent(0, 60_000).await, context.sent(0, 60_000).await);
    context.flush().await;
    let mut held = [
        context.held(&one, Some(10_000)),
        context.held(&two, Some(50_000)),
    ];
    held[0].process_ended = true;
    let restored = context.limits.restore(held.to_vec().into()).await;
    restored.expect("it answers");
    waits_for(&context, 0, ObstacleKind::SlotsOfEndedProcess, Some(10_000)).await;
    context.pass(9_999);
    context.has_slots(0).await;
    context.pass(1);
    context.has_slots(1).await;
}
