//! Cases of headroom: which call fits where and when, and the effect of response headers.

use std::sync::Arc;

use chorus_core::failure::FailureClass;
use chorus_core::id::CredentialId;
use chorus_core::limit::{Dimension, End, LimitSignals, ObservedLevel, Reserved};
use chorus_core::time::Millis;
use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};

use super::context::{LimiterContext, group, used};

pub(super) async fn the_lowest_rank_with_room_is_taken(context: LimiterContext) {
    let candidate = |number: u128, tokens: u64, rank: u32| {
        let mut candidate = context.candidate(100);
        candidate.groups = vec![group(&format!("org-{number}"), tokens, 99)];
        (candidate.credential, candidate.rank) = (CredentialId::new(number), rank);
        candidate
    };
    let mut chosen = Vec::new();
    for _ in 0..2 {
        let mut demand = context.demand(100);
        demand.candidates = vec![
            candidate(1, 150, 0),
            candidate(2, 1_000, 1),
            candidate(3, 9_000, 1),
        ];
        let Reserved::Granted(lease) = context.answer(&demand).await else {
            panic!("there is room")
        };
        chosen.push(lease.credential.number());
    }
    assert_eq!(
        chosen,
        [1, 3],
        "the first has no room left, the third has most"
    );
}

pub(super) async fn all_groups_of_a_credential_are_charged_or_none(context: LimiterContext) {
    let small = group("project/model", 1_000, 2);
    let mut demand = context.demand(600);
    demand.candidates[0].groups.push(Arc::clone(&small));
    let Reserved::Granted(lease) = context.answer(&demand).await else {
        panic!("there is room")
    };
    assert_eq!(lease.charges.len(), 4);
    context.has_tokens(5_400).await;
    let mut second = context.demand(600);
    second.candidates[0].groups.push(small);
    assert!(matches!(
        context.answer(&second).await,
        Reserved::Wait { .. }
    ));
    context.has_tokens(5_400).await;
    context.has_slots(1).await;
}

pub(super) async fn a_wait_names_the_instant_at_which_it_fits(context: LimiterContext) {
    context.sent(6_000, 1_000).await;
    let demand = context.demand(100);
    let answer = context.answer(&demand).await;
    assert_eq!(
        answer.asks_again_at(),
        Some(Some(context.now() + Millis(1_500))),
        "half a second to arrive, one second to refill"
    );
    context.pass(1_499);
    assert!(matches!(
        context.answer(&demand).await,
        Reserved::Wait { .. }
    ));
    context.pass(1);
    assert!(matches!(
        context.answer(&demand).await,
        Reserved::Granted(_)
    ));
    context.sent(0, 9_000).await;
    assert_eq!(
        context.answer(&context.demand(0)).await.asks_again_at(),
        Some(None),
        "only a freed slot helps"
    );
}

pub(super) async fn a_call_larger_than_every_limit_is_never_granted(context: LimiterContext) {
    assert!(matches!(
        context.answer(&context.demand(6_001)).await,
        Reserved::Never(_)
    ));
    let mut empty = context.demand(1);
    empty.candidates.clear();
    assert!(matches!(context.answer(&empty).await, Reserved::Never(_)));
}

pub(super) async fn a_header_lowers_what_is_left(context: LimiterContext) {
    context.has_tokens(6_000).await;
    context.pass(10);
    let lease = context.sent(1_000, 60_000).await;
    let level = ObservedLevel {
        dimension: Dimension::InputTokens,
        limit: Some(6_000),
        remaining: Some(2_000),
        full_at: None,
        rounded_to: 1,
        window: None,
    };
    let signals = LimitSignals {
        sent_at: context.now(),
        failure: None,
        retry_after: None,
        levels: vec![level],
    };
    for _ in 0..2 {
        context.observe(&lease, &signals).await;
        context.has_tokens(2_000).await;
    }
}

pub(super) async fn signals_of_an_unknown_or_ended_lease_change_nothing(context: LimiterContext) {
    let ended = context.sent(1_000, 60_000).await;
    context.end(&ended, used(1_000)).await;
    let mut unknown = ended.clone();
    unknown.id = context.demand(0).lease;
    let signals = LimitSignals {
        sent_at: context.now(),
        failure: Some(FailureClass::Spend),
        retry_after: None,
        levels: vec![ObservedLevel {
            dimension: Dimension::InputTokens,
            limit: Some(6_000),
            remaining: Some(0),
            full_at: None,
            rounded_to: 1,
            window: None,
        }],
    };
    for lease in [ended, unknown] {
        context.observe(&lease, &signals).await;
        context.has_tokens(5_000).await;
    }
}

pub(super) async fn a_header_gives_nothing_back_of_a_call_that_it_overtook(
    context: LimiterContext,
) {
    let overtaken = context.sent(1_000, 60_000).await;
    context.pass(10);
    let overtaking = context.sent(2_000, 60_000).await;
    let sent_at = context.now();
    context.pass(10);
    let level = ObservedLevel {
        dimension: Dimension::InputTokens,
        limit: Some(6_000),
        remaining: Some(4_000),
        full_at: None,
        rounded_to: 1,
        window: None,
    };
    let signals = LimitSignals {
        sent_at,
        failure: None,
        retry_after: None,
        levels: vec![level],
    };
    context.observe(&overtaking, &signals).await;
    context.end(&overtaken, used(1_000)).await;
    context.has_tokens(3_000).await;
}

pub(super) async fn a_refusal_closes_the_group_until_the_named_time(context: LimiterContext) {
    let lease = context.sent(1, 60_000).await;
    let signals = LimitSignals {
        sent_at: context.now(),
        failure: Some(FailureClass::Spend),
        retry_after: Some(Millis(7_000)),
        levels: Vec::new(),
    };
    context.observe(&lease, &signals).await;
    let refused = End::Refused {
        counts_request: false,
    };
    context.end(&lease, refused).await;
    assert_eq!(
        context.answer(&context.demand(1)).await.asks_again_at(),
        Some(Some(context.now() + Millis(7_000)))
    );
    context.pass(7_000);
    context.has_slots(2).await;
}

pub(super) async fn freed_headroom_is_signalled_to_every_process(context: LimiterContext) {
    let (one, other) = (context.new_process(), context.new_process());
    for process in [one, other] {
        let mut changes = process.changed();
        let mut changed = None;
        // A signal sent before the subscription is lost, which hints may be.
        for _ in 0..500 {
            changed = changed.or_else(|| changes.next().now_or_never().flatten());
            if changed.is_some() {
                break;
            }
            let lease = context.granted(1).await;
            context.end(&lease, End::Unused).await;
            context.deliver_signals().await;
        }
        let changed = changed.expect("one of many signals arrives");
        assert_eq!(changed.group, context.group.id);
        let level = changed.level.expect("the group is known");
        assert_eq!((level.limits[1].room, level.in_flight), (2, 0));
    }
}

pub(super) async fn many_processes_at_once_never_pass_a_limit(mut context: LimiterContext) {
    context.group = group("org/busy", 6_000, 5);
    let processes: Vec<_> = (0..8).map(|_| context.new_process()).collect();
    let mut granted = Vec::new();
    for _ in 0..4 {
        let demands: Vec<_> = (0..40).map(|_| context.demand(500)).collect();
        let answers = demands
            .iter()
            .zip(processes.iter().cycle())
            .map(|(demand, process)| process.reserve(demand.clone()));
        for answer in join_all(answers).await {
            if let Reserved::Granted(lease) = answer.expect("it answers") {
                granted.push(lease);
            }
        }
        assert_eq!(granted.len(), 5, "slots");
        for lease in granted.drain(..).take(5) {
            context
                .send(&lease, "one", 9_000)
                .await
                .expect("it answers");
            context.end(&lease, used(500)).await;
        }
        context.pass(30_000);
    }
    context.has_slots(5).await;
}
