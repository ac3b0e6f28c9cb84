//! The life of leases.

use chorus_core::id::{CredentialId, LeaseId};
use chorus_core::limit::{Dimension, End, Lease, Reserved, Sent};
use chorus_core::time::Millis;
use std::sync::Arc;

use super::subject::{MINUTE, Subject, limit, used};

pub(super) async fn asking_again_after_a_lost_reply_gives_the_same_grant_once(subject: Subject) {
    let demand = subject.demand(1_000);
    let first = subject.answer(&demand).await;
    assert!(matches!(first, Reserved::Granted(_)));
    assert_eq!(subject.answer(&demand).await, first);
    subject.has_tokens(5_000).await;
    subject.has_slots(1).await;
}

pub(super) async fn a_lease_is_sent_by_its_first_holder_who_may_repeat_it(subject: Subject) {
    let lease = subject.granted(1_000).await;
    assert_eq!(subject.send(&lease, "one", 9_000).await, Ok(Sent::Sent));
    assert_eq!(subject.send(&lease, "one", 9_000).await, Ok(Sent::Sent));
    assert_eq!(subject.send(&lease, "two", 9_000).await, Ok(Sent::Gone));
    subject.has_tokens(5_000).await;
}

pub(super) async fn a_lease_that_nobody_granted_is_gone(subject: Subject) {
    let now = subject.now();
    let (id, credential) = (LeaseId::new(u128::MAX), CredentialId::new(1));
    let lease = Lease {
        id,
        credential,
        charges: Vec::new(),
        granted_at: now,
        not_after: now + Millis(9_000),
    };
    assert_eq!(subject.send(&lease, "one", 9_000).await, Ok(Sent::Gone));
    for end in [
        End::Unused,
        used(9),
        End::Refused {
            counts_request: true,
        },
    ] {
        subject.end(&lease, end).await;
    }
    subject.has_slots(2).await;
}

pub(super) async fn unused_acts_on_leases_that_were_never_sent(subject: Subject) {
    let (reserved, sent) = (
        subject.granted(1_000).await,
        subject.sent(2_000, 9_000).await,
    );
    subject.end(&reserved, End::Unused).await;
    subject.end(&sent, End::Unused).await;
    subject.has_slots(1).await;
    subject.has_tokens(4_000).await;
    assert_eq!(subject.send(&reserved, "one", 9_000).await, Ok(Sent::Gone));
}

pub(super) async fn every_end_that_is_repeated_changes_nothing(subject: Subject) {
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
        let lease = subject.sent(1_000, 9_000).await;
        for _ in 0..3 {
            subject.end(&lease, end.clone()).await;
        }
        subject.has_tokens(tokens).await;
        subject.has_slots(slots).await;
    }
}

pub(super) async fn a_reserved_lease_gives_everything_back_when_its_time_is_over(subject: Subject) {
    let lease = subject.granted(6_000).await;
    subject.pass(30_000);
    subject.has_slots(1).await;
    subject.pass(1);
    subject.has_slots(2).await;
    subject.has_tokens(6_000).await;
    assert_eq!(subject.send(&lease, "one", 9_000).await, Ok(Sent::Gone));
}

pub(super) async fn a_sent_lease_frees_its_slot_at_its_deadline_and_keeps_its_charge(
    subject: Subject,
) {
    let lease = subject.sent(6_000, 10_000).await;
    subject.pass(9_999);
    subject.has_slots(1).await;
    subject.pass(1);
    subject.has_slots(2).await;
    subject.has_tokens(950).await;
    assert_eq!(subject.send(&lease, "one", 9_000).await, Ok(Sent::Gone));
}

pub(super) async fn a_late_usage_corrects_the_charge_and_never_the_slot(subject: Subject) {
    let lease = subject.sent(4_000, 1_000).await;
    subject.pass(1_000);
    subject.has_tokens(2_050).await;
    let other = subject.sent(0, 60_000).await;
    subject.end(&lease, used(3_000)).await;
    subject.end(&lease, used(1)).await;
    subject.has_tokens(3_050).await;
    subject.has_slots(1).await;
    subject.end(&other, used(0)).await;
    subject.has_slots(2).await;
}

pub(super) async fn an_aborted_call_keeps_its_slot_for_its_grace(subject: Subject) {
    let lease = subject.sent(6_000, 60_000).await;
    subject.pass(1_000);
    subject
        .end(
            &lease,
            End::Aborted {
                usage: None,
                grace: Millis(5_000),
            },
        )
        .await;
    subject.pass(4_999);
    subject.has_slots(1).await;
    subject.pass(1);
    subject.has_slots(2).await;
    subject.has_tokens(550).await;
}

pub(super) async fn a_refused_call_charges_what_refusals_count(mut subject: Subject) {
    let mut limits = subject.group.limits.clone();
    limits.push(limit(Dimension::Requests, 3, MINUTE));
    subject.group = Arc::new(chorus_core::limit::QuotaGroup {
        id: "org/refusing".into(),
        limits,
    });
    // The group was never seen, and rates have had their time to fill.
    for counts_request in [false, true] {
        let lease = subject.sent(5_000, 60_000).await;
        subject.end(&lease, End::Refused { counts_request }).await;
        subject.has_tokens(6_000).await;
    }
    let (one, two) = (subject.granted(0).await, subject.granted(0).await);
    subject.end(&one, used(0)).await;
    let answer = subject.answer(&subject.demand(0)).await;
    assert!(
        matches!(answer, Reserved::Wait { at: Some(_) }),
        "one of three requests was charged for a refusal: {answer:?}"
    );
    subject.end(&two, End::Unused).await;
}

pub(super) async fn a_lease_that_ended_is_never_granted_again(subject: Subject) {
    let demand = subject.demand(10);
    let Reserved::Granted(lease) = subject.answer(&demand).await else {
        panic!("there is room")
    };
    subject
        .send(&lease, "one", 9_000)
        .await
        .expect("it answers");
    subject.end(&lease, used(10)).await;
    assert!(matches!(subject.answer(&demand).await, Reserved::Never(_)));
    let unused = subject.demand(10);
    subject.answer(&unused).await;
    subject
        .limits
        .end(unused.lease, End::Unused)
        .await
        .expect("it answers");
    assert!(
        matches!(subject.answer(&unused).await, Reserved::Granted(_)),
        "nobody called on it, so it may be wanted again"
    );
}
