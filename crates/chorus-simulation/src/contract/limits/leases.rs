//! Cases of leases, from reservation to expiry.

use chorus_core::id::{CredentialId, LeaseId};
use chorus_core::limit::{Dimension, End, Lease, Reserved, Sent};
use chorus_core::time::Millis;
use std::sync::Arc;

use super::context::{LimiterContext, MINUTE, limit, used};

pub(super) async fn asking_again_after_a_lost_reply_gives_the_same_grant_once(
    context: LimiterContext,
) {
    let demand = context.demand(1_000);
    let first = context.answer(&demand).await;
    assert!(matches!(first, Reserved::Granted(_)));
    assert_eq!(context.answer(&demand).await, first);
    context.has_tokens(5_000).await;
    context.has_slots(1).await;
}

pub(super) async fn a_lease_is_sent_by_its_first_holder_who_may_repeat_it(context: LimiterContext) {
    let lease = context.granted(1_000).await;
    assert_eq!(context.send(&lease, "one", 9_000).await, Ok(Sent::Sent));
    assert_eq!(context.send(&lease, "one", 9_000).await, Ok(Sent::Sent));
    assert_eq!(context.send(&lease, "two", 9_000).await, Ok(Sent::Gone));
    context.has_tokens(5_000).await;
}

pub(super) async fn a_lease_that_was_never_granted_is_gone(context: LimiterContext) {
    let now = context.now();
    let (id, credential) = (LeaseId::new(u128::MAX), CredentialId::new(1));
    let lease = Lease {
        id,
        credential,
        charges: Vec::new(),
        granted_at: now,
        not_after: now + Millis(9_000),
    };
    assert_eq!(context.send(&lease, "one", 9_000).await, Ok(Sent::Gone));
    for end in [
        End::Unused,
        used(9),
        End::Refused {
            counts_request: true,
        },
    ] {
        context.end(&lease, end).await;
    }
    context.has_slots(2).await;
}

pub(super) async fn unused_acts_on_leases_that_were_never_sent(context: LimiterContext) {
    let (reserved, sent) = (
        context.granted(1_000).await,
        context.sent(2_000, 9_000).await,
    );
    context.end(&reserved, End::Unused).await;
    context.end(&sent, End::Unused).await;
    context.has_slots(1).await;
    context.has_tokens(4_000).await;
    assert_eq!(context.send(&reserved, "one", 9_000).await, Ok(Sent::Gone));
}

pub(super) async fn every_end_that_is_repeated_changes_nothing(context: LimiterContext) {
    let ends = [
        (used(500), 5_500, 2),
        (
            End::Refused {
                counts_request: false,
            },
            5_500,
            2,
        ),
        (
            End::Aborted {
                usage: None,
                grace: Millis(60_000),
            },
            4_500,
            1,
        ),
    ];
    for (end, tokens, slots) in ends {
        let lease = context.sent(1_000, 9_000).await;
        for _ in 0..3 {
            context.end(&lease, end.clone()).await;
        }
        context.has_tokens(tokens).await;
        context.has_slots(slots).await;
    }
}

pub(super) async fn a_reserved_lease_gives_everything_back_when_its_time_is_over(
    context: LimiterContext,
) {
    let lease = context.granted(6_000).await;
    context.pass(30_000);
    context.has_slots(1).await;
    context.pass(1);
    context.has_slots(2).await;
    context.has_tokens(6_000).await;
    assert_eq!(context.send(&lease, "one", 9_000).await, Ok(Sent::Gone));
}

pub(super) async fn a_sent_lease_frees_its_slot_at_its_deadline_and_keeps_its_charge(
    context: LimiterContext,
) {
    let lease = context.sent(6_000, 10_000).await;
    context.pass(9_999);
    context.has_slots(1).await;
    context.pass(1);
    context.has_slots(2).await;
    context.has_tokens(950).await;
    assert_eq!(context.send(&lease, "one", 9_000).await, Ok(Sent::Gone));
}

pub(super) async fn a_late_usage_corrects_the_charge_and_never_the_slot(context: LimiterContext) {
    let lease = context.sent(4_000, 1_000).await;
    context.pass(1_000);
    context.has_tokens(2_050).await;
    let other = context.sent(0, 60_000).await;
    context.end(&lease, used(3_000)).await;
    context.end(&lease, used(1)).await;
    context.has_tokens(3_050).await;
    context.has_slots(1).await;
    context.end(&other, used(0)).await;
    context.has_slots(2).await;
}

pub(super) async fn an_aborted_call_keeps_its_slot_for_its_grace(context: LimiterContext) {
    let lease = context.sent(6_000, 60_000).await;
    context.pass(1_000);
    context
        .end(
            &lease,
            End::Aborted {
                usage: None,
                grace: Millis(5_000),
            },
        )
        .await;
    context.pass(4_999);
    context.has_slots(1).await;
    context.pass(1);
    context.has_slots(2).await;
    context.has_tokens(550).await;
}

pub(super) async fn a_lease_without_its_holder_keeps_its_slot_for_its_grace_within_its_deadline(
    context: LimiterContext,
) {
    let (long, short) = (context.sent(0, 60_000).await, context.sent(0, 3_000).await);
    let grace = Millis(5_000);
    context.end(&long, End::Lost { grace }).await;
    context.end(&short, End::Lost { grace }).await;
    assert_eq!(
        context.send(&long, "one", 60_000).await,
        Ok(Sent::Gone),
        "no call is made on it any more"
    );
    context.has_slots(0).await;
    context.pass(3_000);
    context.has_slots(1).await;
    context.pass(2_000);
    context.has_slots(2).await;
    let unsent = context.granted(0).await;
    context.end(&unsent, End::Lost { grace }).await;
    context.has_slots(2).await;
}

pub(super) async fn a_refused_call_charges_what_refusals_count(mut context: LimiterContext) {
    let mut limits = context.group.limits.clone();
    limits.push(limit(Dimension::Requests, 3, MINUTE));
    context.group = Arc::new(chorus_core::limit::QuotaGroup {
        id: "org/refusing".into(),
        limits,
    });
    // The group is new, and its rates have had time to fill.
    for counts_request in [false, true] {
        let lease = context.sent(5_000, 60_000).await;
        context.end(&lease, End::Refused { counts_request }).await;
        context.has_tokens(6_000).await;
    }
    let (one, two) = (context.granted(0).await, context.granted(0).await);
    context.end(&one, used(0)).await;
    let answer = context.answer(&context.demand(0)).await;
    assert!(
        matches!(answer, Reserved::Wait { at: Some(_), .. }),
        "one of three requests was charged for a refusal: {answer:?}"
    );
    context.end(&two, End::Unused).await;
}

pub(super) async fn a_lease_that_ended_is_never_granted_again(context: LimiterContext) {
    let demand = context.demand(10);
    let Reserved::Granted(lease) = context.answer(&demand).await else {
        panic!("there is room")
    };
    context
        .send(&lease, "one", 9_000)
        .await
        .expect("it answers");
    context.end(&lease, used(10)).await;
    assert!(matches!(context.answer(&demand).await, Reserved::Never(_)));
    let unused = context.demand(10);
    context.answer(&unused).await;
    context
        .limits
        .end(unused.lease, End::Unused)
        .await
        .expect("it answers");
    assert!(
        matches!(context.answer(&unused).await, Reserved::Granted(_)),
        "no call was made on it, so it may be reserved again"
    );
}
