//! Cases of claims and heartbeats: `Dispatched -> Running` for one holder, which then sends
//! heartbeats.

use chorus_core::attempt::{Claim, DispatchDecision, Holding, Reclaim};
use chorus_core::id::Epoch;
use chorus_core::time::Millis;

use super::context::{AMPLE, CLAIMABLE};
use super::{Case, CaseContext, Outcome, cases, fixtures, with_lost_reply};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_claim_hands_out_the_delivery,
        a_claim_with_a_lost_reply_finds_itself,
        a_doubled_record_is_denied,
        a_claim_at_another_epoch_is_denied,
        a_claim_until_the_last_moment_is_granted,
        a_claim_after_the_last_moment_is_denied,
        a_claim_of_what_is_only_queued_is_denied,
        a_finished_delivery_is_not_claimed_again,
        a_beat_names_what_is_not_ours_any_more,
        many_holdings_beat_at_once,
        a_beat_keeps_a_worker_from_being_lost,
    ]
}

async fn a_claim_hands_out_the_delivery(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let attempt = context.queued(project).await?;
    let dispatch = context.send(&attempt, Epoch(0)).await?;
    let claim = context.claim(&attempt, Epoch(0));
    let delivery = context
        .ports
        .attempts
        .claim(claim.clone())
        .await?
        .expect("no other holder claimed it");
    let DispatchDecision::Send(assignment) = dispatch.decision else {
        panic!("it was sent")
    };
    assert_eq!(
        (&delivery.attempt, delivery.epoch, &delivery.assignment),
        (&attempt, Epoch(0), &*assignment)
    );
    assert_eq!((delivery.retries, delivery.continues), (0, 0));
    let rows = context.ports.deliveries.of_project(project).await?;
    assert_eq!(
        (rows[0].claimed_at, rows[0].deadline),
        (Some(context.now()), Some(claim.deadline))
    );
    Ok(())
}

async fn a_claim_with_a_lost_reply_finds_itself(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let attempt = context.queued(project).await?;
    context.send(&attempt, Epoch(0)).await?;
    let claim = context.claim(&attempt, Epoch(0));
    let delivery =
        with_lost_reply(async || context.ports.attempts.claim(claim.clone()).await).await?;
    assert_eq!(delivery.map(|delivery| delivery.attempt), Some(attempt));
    context.pass(CLAIMABLE + CLAIMABLE).await;
    assert!(
        context.ports.attempts.claim(claim).await?.is_some(),
        "it is running and ours, whatever the lease's time"
    );
    Ok(())
}

async fn a_doubled_record_is_denied(context: CaseContext) -> Outcome {
    let (_, attempt, _) = context.running().await?;
    assert_eq!(
        context
            .ports
            .attempts
            .claim(context.claim(&attempt, Epoch(0)))
            .await?,
        None
    );
    Ok(())
}

async fn a_claim_at_another_epoch_is_denied(context: CaseContext) -> Outcome {
    let (_, attempt, holding) = context.running().await?;
    let outcome = fixtures::requeue(chorus_core::attempt::Requeue::Drained, context.now());
    assert!(
        context
            .ports
            .attempts
            .finish(context.finish(&holding, outcome))
            .await?
    );
    context.send(&attempt, Epoch(1)).await?;
    assert_eq!(
        context
            .ports
            .attempts
            .claim(context.claim(&attempt, Epoch(0)))
            .await?,
        None
    );
    let old = Claim {
        holder: holding.holder,
        ..context.claim(&attempt, Epoch(0))
    };
    assert_eq!(context.ports.attempts.claim(old).await?, None);
    assert!(
        context
            .ports
            .attempts
            .claim(context.claim(&attempt, Epoch(1)))
            .await?
            .is_some()
    );
    Ok(())
}

async fn a_claim_until_the_last_moment_is_granted(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let attempt = context.queued(project).await?;
    context.send(&attempt, Epoch(0)).await?;
    context.pass(CLAIMABLE).await;
    assert!(
        context
            .ports
            .attempts
            .claim(context.claim(&attempt, Epoch(0)))
            .await?
            .is_some()
    );
    Ok(())
}

async fn a_claim_after_the_last_moment_is_denied(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let attempt = context.queued(project).await?;
    context.send(&attempt, Epoch(0)).await?;
    context.pass(CLAIMABLE + Millis(1)).await;
    assert_eq!(
        context
            .ports
            .attempts
            .claim(context.claim(&attempt, Epoch(0)))
            .await?,
        None
    );
    Ok(())
}

async fn a_claim_of_what_is_only_queued_is_denied(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let attempt = context.queued(project).await?;
    assert_eq!(
        context
            .ports
            .attempts
            .claim(context.claim(&attempt, Epoch(0)))
            .await?,
        None
    );
    let unknown = fixtures::attempt(&context.ids, project, context.now());
    assert_eq!(
        context
            .ports
            .attempts
            .claim(context.claim(&unknown, Epoch(0)))
            .await?,
        None
    );
    Ok(())
}

async fn a_finished_delivery_is_not_claimed_again(context: CaseContext) -> Outcome {
    let (_, attempt, holding) = context.running().await?;
    assert!(
        context
            .ports
            .attempts
            .finish(context.finish(&holding, fixtures::succeeded()))
            .await?
    );
    let again = Claim {
        holder: holding.holder,
        ..context.claim(&attempt, Epoch(0))
    };
    assert_eq!(context.ports.attempts.claim(again).await?, None);
    Ok(())
}

async fn a_beat_names_what_is_not_ours_any_more(context: CaseContext) -> Outcome {
    let (_, _, ours) = context.running().await?;
    let foreign = Holding {
        holder: context.ids.holder(),
        ..ours.clone()
    };
    let old = Holding {
        epoch: Epoch(7),
        ..ours.clone()
    };
    let gone = context
        .ports
        .attempts
        .beat(vec![foreign.clone(), ours, old.clone()])
        .await?;
    assert_eq!(gone, [foreign, old]);
    assert_eq!(context.ports.attempts.beat(vec![]).await?, []);
    Ok(())
}

async fn many_holdings_beat_at_once(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let mut held = Vec::new();
    for _ in 0..21 {
        let attempt = context.queued(project).await?;
        held.push(context.run(&attempt, Epoch(0)).await?);
    }
    let last = held.last().cloned().expect("there are some");
    assert!(
        context
            .ports
            .attempts
            .finish(context.finish(&last, fixtures::succeeded()))
            .await?
    );
    assert_eq!(context.ports.attempts.beat(held).await?, [last]);
    Ok(())
}

async fn a_beat_keeps_a_worker_from_being_lost(context: CaseContext) -> Outcome {
    let (_, _, holding) = context.running().await?;
    let reclaim = Reclaim {
        unclaimed_for: Millis::ZERO,
        silent_for: Millis::from_secs(20),
        alone_since: None,
        limit: 10,
    };
    for _ in 0..5 {
        context.pass(Millis::from_secs(15)).await;
        assert_eq!(
            context.ports.attempts.beat(vec![holding.clone()]).await?,
            []
        );
        assert_eq!(context.ports.attempts.reclaim(reclaim).await?, []);
    }
    context.pass(Millis::from_secs(20)).await;
    assert_eq!(context.ports.attempts.reclaim(reclaim).await?.len(), 1);
    Ok(())
}
