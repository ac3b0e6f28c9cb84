//! The state is lost, and put back.

use chorus_core::limit::{End, Observation, Reserved, Sent};
use chorus_core::port::limit_state::LimiterError;
use std::sync::Arc;

use super::subject::{Subject, used};

pub(super) async fn restored_leases_hold_again_and_known_ones_stay(subject: Subject) {
    let (known, ended) = (subject.granted(1_000).await, subject.sent(0, 9_000).await);
    subject.end(&ended, used(0)).await;
    let mut unknown = known.clone();
    unknown.id = subject.demand(0).lease;
    let held = [
        subject.held(&known, Some(60_000)),
        subject.held(&ended, Some(60_000)),
        subject.held(&unknown, None),
    ];
    for _ in 0..2 {
        subject
            .limits
            .restore(held.to_vec())
            .await
            .expect("it answers");
    }
    subject.has_slots(0).await;
    assert_eq!(
        subject.send(&ended, "two", 9_000).await,
        Ok(Sent::Gone),
        "what ended stays ended"
    );
    subject.end(&known, End::Unused).await;
    subject.end(&unknown, End::Unused).await;
    subject.has_slots(2).await;
    subject.has_tokens(6_000).await;
}

pub(super) async fn a_flushed_limiter_says_so_to_everything_until_it_is_restored(subject: Subject) {
    let lease = subject.granted(10).await;
    subject.flush().await;
    let told = Observation {
        group: Arc::clone(&subject.group),
        sent_at: subject.now(),
        failure: None,
        retry_after: None,
        levels: Vec::new(),
    };
    for _ in 0..2 {
        for process in [Arc::clone(&subject.limits), subject.another()] {
            assert_eq!(
                process.reserve(subject.demand(1)).await,
                Err(LimiterError::StateLost)
            );
            assert_eq!(
                process.end(lease.id, End::Unused).await,
                Err(LimiterError::StateLost)
            );
            assert_eq!(
                process.observe(told.clone()).await,
                Err(LimiterError::StateLost)
            );
            assert_eq!(process.intact().await, Err(LimiterError::StateLost));
        }
        assert_eq!(
            subject.send(&lease, "one", 9_000).await,
            Err(LimiterError::StateLost)
        );
    }
    subject
        .limits
        .restore(Vec::new())
        .await
        .expect("it answers");
    subject.limits.observe(told).await.expect("it was restored");
    subject.another().intact().await.expect("it was restored");
    subject.has_slots(2).await;
}

pub(super) async fn calls_under_way_hold_their_slots_after_a_loss(subject: Subject) {
    let (one, two) = (subject.sent(0, 50_000).await, subject.sent(0, 60_000).await);
    subject.flush().await;
    subject
        .limits
        .restore(vec![
            subject.held(&one, Some(50_000)),
            subject.held(&two, Some(60_000)),
        ])
        .await
        .expect("it answers");
    subject.has_slots(0).await;
    subject.end(&two, used(0)).await;
    subject.has_slots(1).await;
    subject.pass(50_000);
    subject.has_slots(2).await;
}

pub(super) async fn a_restored_lease_goes_to_the_holder_that_asks_first(subject: Subject) {
    let lease = subject.granted(0).await;
    subject.flush().await;
    subject
        .limits
        .restore(vec![subject.held(&lease, Some(9_000))])
        .await
        .expect("it answers");
    assert_eq!(subject.send(&lease, "two", 9_000).await, Ok(Sent::Sent));
    assert_eq!(subject.send(&lease, "one", 9_000).await, Ok(Sent::Gone));
}

pub(super) async fn rates_do_not_start_full_after_a_loss(subject: Subject) {
    subject.has_tokens(6_000).await;
    let lease = subject.sent(5_000, 9_000).await;
    subject.end(&lease, used(5_000)).await;
    subject.flush().await;
    subject
        .limits
        .restore(Vec::new())
        .await
        .expect("it answers");
    let answer = subject.answer(&subject.demand(1_001)).await;
    assert!(
        matches!(answer, Reserved::Wait { at: Some(_) }),
        "5,000 of 6,000 tokens had been used: {answer:?}"
    );
    subject.pass(61_000);
    subject.has_tokens(6_000).await;
}

pub(super) async fn a_lease_that_nobody_restored_is_gone(subject: Subject) {
    let lease = subject.granted(0).await;
    subject.flush().await;
    subject
        .limits
        .restore(Vec::new())
        .await
        .expect("it answers");
    assert_eq!(subject.send(&lease, "one", 9_000).await, Ok(Sent::Gone));
}

pub(super) async fn a_process_that_restored_hears_of_another_restore_after_a_loss(
    subject: Subject,
) {
    let (leader, deposed, gateway) = (
        Arc::clone(&subject.limits),
        subject.another(),
        subject.another(),
    );
    let lease = subject.sent(0, 60_000).await;
    subject.flush().await;
    deposed.restore(Vec::new()).await.expect("it answers");
    assert_eq!(
        leader.reserve(subject.demand(0)).await,
        Err(LimiterError::StateLost),
        "who restored may have known less"
    );
    assert!(
        matches!(
            gateway.reserve(subject.demand(0)).await,
            Ok(Reserved::Granted(_))
        ),
        "it never restored anything"
    );
    leader
        .restore(vec![subject.held(&lease, Some(60_000))])
        .await
        .expect("it answers");
    subject.has_slots(0).await;
}
