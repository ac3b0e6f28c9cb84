//! Cases of a restore that knows the calls that ended before the loss.

use std::sync::Arc;

use chorus_core::limit::{
    Charge, Dimension, HeldLease, Limit, PastCall, PastUse, QuotaGroup, Reserved, Restoration,
    Window, Zone,
};
use chorus_core::llm::Usage;
use chorus_core::money::MicroUsd;
use chorus_core::time::Millis;

use super::context::{LimiterContext, group};

fn call(context: &LimiterContext, group: &Arc<QuotaGroup>, ago: u64, used: PastUse) -> PastCall {
    PastCall {
        groups: vec![Arc::clone(group)],
        sent_at: context.now() - Millis(ago),
        ended_at: context.now() - Millis(ago / 2),
        used,
    }
}

fn tokens(input: u64) -> PastUse {
    PastUse::Known {
        usage: Usage {
            input,
            ..Usage::default()
        },
        cost: MicroUsd(10),
    }
}

async fn restore(context: &LimiterContext, leases: Vec<HeldLease>, past: Vec<PastCall>) {
    let past = Some(past);
    let restored = context.limits.restore(Restoration { leases, past }).await;
    restored.expect("it answers");
}

pub(super) async fn rates_start_at_what_past_calls_left(context: LimiterContext) {
    context.flush().await;
    let group = Arc::clone(&context.group);
    let past = vec![
        call(&context, &group, 10_500, tokens(3_000)),
        call(&context, &group, 20_500, tokens(2_000)),
        call(&context, &group, 900_000, tokens(6_000)),
    ];
    let lease = context.lease_of_another(500);
    let held = context.held(&lease, Some(60_000));
    restore(&context, vec![held], past).await;
    // Of 5,000 tokens of the last minute 2,000 came back since the older call arrived.
    context.has_tokens(6_000 - 5_000 + 2_000 - 500).await;
    context.has_slots(1).await;
}

pub(super) async fn a_day_is_counted_across_lives(context: LimiterContext) {
    let day = Limit {
        dimension: Dimension::Requests,
        amount: 3,
        window: Window::Day { zone: Zone::UTC },
        ..context.group.limits[0].clone()
    };
    let group = Arc::new(QuotaGroup {
        id: "org/day".into(),
        limits: vec![day],
    });
    context.pass(3 * 86_400_000);
    let yesterday = call(&context, &group, 86_400_000, tokens(1));
    let today = [10_000, 20_000].map(|ago| call(&context, &group, ago, tokens(1)));
    for _ in 0..2 {
        context.flush().await;
        let past = [std::slice::from_ref(&yesterday), today.as_slice()].concat();
        restore(&context, Vec::new(), past).await;
        let mut demand = context.demand(1);
        demand.candidates[0].groups = vec![Arc::clone(&group)];
        let answer = context.answer(&demand).await;
        assert!(
            matches!(answer, Reserved::Granted(_)),
            "one of three is left"
        );
        demand.lease = context.demand(1).lease;
        let answer = context.answer(&demand).await;
        assert!(matches!(answer, Reserved::Wait { .. }), "{answer:?}");
    }
}

pub(super) async fn what_a_lost_call_reserved_counts_as_used(context: LimiterContext) {
    context.flush().await;
    let group = Arc::clone(&context.group);
    let charge = |dimension, amount| Charge {
        group: group.id.clone(),
        dimension,
        amount,
    };
    let charges = vec![
        charge(Dimension::InputTokens, 4_000),
        charge(Dimension::Concurrency, 1),
    ];
    let lost = call(&context, &group, 500, PastUse::Unknown { charges });
    let refused = call(&context, &group, 500, PastUse::Refused);
    restore(&context, Vec::new(), vec![lost, refused]).await;
    context.has_tokens(2_000).await;
    context.has_slots(2).await;
}

pub(super) async fn groups_without_a_past_call_are_full(context: LimiterContext) {
    context.flush().await;
    let other = group("another", 6_000, 2);
    let past = vec![call(&context, &other, 500, tokens(6_000))];
    restore(&context, Vec::new(), past).await;
    context.has_tokens(6_000).await;
}
