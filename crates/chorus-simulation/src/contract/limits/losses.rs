//! Cases of lost and restored state.

use chorus_core::limit::{End, LimitSignals, Reserved, Sent};
use chorus_core::port::limit_state::LimiterError;
use std::sync::Arc;

use super::context::{LimiterContext, used};

pub(super) async fn restored_leases_hold_again_and_known_ones_stay(context: LimiterContext) {
    let (known, ended) = (context.granted(1_000).await, context.sent(0, 9_000).await);
    context.end(&ended, used(0)).await;
    let mut unknown = known.clone();
    unknown.id = context.demand(0).lease;
    let held = [
        context.held(&known, Some(60_000)),
        context.held(&ended, Some(60_000)),
        context.held(&unknown, None),
    ];
    for _ in 0..2 {
        context
            .limits
            .restore(held.to_vec().into())
            .await
            .expect("it answers");
    }
    context.has_slots(0).await;
    assert_eq!(
        context.send(&ended, "two", 9_000).await,
        Ok(Sent::Gone),
        "what ended stays ended"
    );
    context.end(&known, End::Unused).await;
    context.end(&unknown, End::Unused).await;
    context.has_slots(2).await;
    context.has_tokens(6_000).await;
}

pub(super) async fn a_flushed_limiter_fails_every_operation_until_it_is_restored(
    context: LimiterContext,
) {
    let lease = context.granted(10).await;
    context.flush().await;
    let signals = LimitSignals {
        sent_at: context.now(),
        failure: None,
        retry_after: None,
        levels: Vec::new(),
    };
    for _ in 0..2 {
        for process in [Arc::clone(&context.limits), context.new_process()] {
            assert_eq!(
                process.reserve(context.demand(1)).await,
                Err(LimiterError::StateLost)
            );
            assert_eq!(
                process.end(lease.id, End::Unused).await,
                Err(LimiterError::StateLost)
            );
            assert_eq!(
                process.observe(lease.id, signals.clone()).await,
                Err(LimiterError::StateLost)
            );
            assert_eq!(process.intact().await, Err(LimiterError::StateLost));
        }
        assert_eq!(
            context.send(&lease, "one", 9_000).await,
            Err(LimiterError::StateLost)
        );
    }
    context
        .limits
        .restore(Vec::new().into())
        .await
        .expect("it answers");
    context
        .limits
        .observe(lease.id, signals)
        .await
        .expect("it was restored");
    context
        .new_process()
        .intact()
        .await
        .expect("it was restored");
    context.has_slots(2).await;
}

pub(super) async fn calls_under_way_hold_their_slots_after_a_loss(context: LimiterContext) {
    let (one, two) = (context.sent(0, 50_000).await, context.sent(0, 60_000).await);
    context.flush().await;
    context
        .limits
        .restore(
            vec![
                context.held(&one, Some(50_000)),
                context.held(&two, Some(60_000)),
            ]
            .into(),
        )
        .await
        .expect("it answers");
    context.has_slots(0).await;
    context.end(&two, used(0)).await;
    context.has_slots(1).await;
    context.pass(50_000);
    context.has_slots(2).await;
}

pub(super) async fn a_restored_lease_goes_to_the_holder_that_asks_first(context: LimiterContext) {
    let lease = context.granted(0).await;
    context.flush().await;
    context
        .limits
        .restore(vec![context.held(&lease, Some(9_000))].into())
        .await
        .expect("it answers");
    assert_eq!(context.send(&lease, "two", 9_000).await, Ok(Sent::Sent));
    assert_eq!(context.send(&lease, "one", 9_000).await, Ok(Sent::Gone));
}

pub(super) async fn rates_do_not_start_full_after_a_loss(context: LimiterContext) {
    context.has_tokens(6_000).await;
    let lease = context.sent(5_000, 9_000).await;
    context.end(&lease, used(5_000)).await;
    context.flush().await;
    context
        .limits
        .restore(Vec::new().into())
        .await
        .expect("it answers");
    let answer = context.answer(&context.demand(1_001)).await;
    assert!(
        matches!(answer, Reserved::Wait { at: Some(_), .. }),
        "5,000 of 6,000 tokens had been used: {answer:?}"
    );
    context.pass(61_000);
    context.has_tokens(6_000).await;
}

pub(super) async fn a_lease_that_was_not_restored_is_gone(context: LimiterContext) {
    let lease = context.granted(0).await;
    context.flush().await;
    context
        .limits
        .restore(Vec::new().into())
        .await
        .expect("it answers");
    assert_eq!(context.send(&lease, "one", 9_000).await, Ok(Sent::Gone));
}

pub(super) async fn a_process_that_restored_learns_of_another_restore_after_a_loss(
    context: LimiterContext,
) {
    let (leader, deposed, gateway) = (
        Arc::clone(&context.limits),
        context.new_process(),
        context.new_process(),
    );
    let lease = context.sent(0, 60_000).await;
    context.flush().await;
    deposed
        .restore(Vec::new().into())
        .await
        .expect("it answers");
    assert_eq!(
        leader.reserve(context.demand(0)).await,
        Err(LimiterError::StateLost),
        "who restored may have known less"
    );
    assert!(
        matches!(
            gateway.reserve(context.demand(0)).await,
            Ok(Reserved::Granted(_))
        ),
        "it never restored anything"
    );
    leader
        .restore(vec![context.held(&lease, Some(60_000))].into())
        .await
        .expect("it answers");
    context.has_slots(0).await;
}
