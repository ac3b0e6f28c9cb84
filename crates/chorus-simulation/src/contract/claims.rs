//! Claims and beats: `Dispatched -> Running` for one holder, who is then heard of.

use chorus_core::attempt::{Claim, DispatchDecision, Holding, Reclaim};
use chorus_core::id::Epoch;
use chorus_core::time::Millis;

use super::stage::{AMPLE, CLAIMABLE};
use super::{Case, Outcome, Stage, cases, given, with_lost_reply};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_claim_hands_out_the_delivery,
        the_claim_whose_reply_was_lost_finds_itself,
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

async fn a_claim_hands_out_the_delivery(stage: Stage) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let attempt = stage.queued(project).await?;
    let dispatch = stage.send(&attempt, Epoch(0)).await?;
    let claim = stage.claim(&attempt, Epoch(0));
    let delivery = stage
        .ports
        .attempts
        .claim(claim.clone())
        .await?
        .expect("nobody else claimed it");
    let DispatchDecision::Send(assignment) = dispatch.decision else {
        panic!("it was sent")
    };
    assert_eq!(
        (&delivery.attempt, delivery.epoch, &delivery.assignment),
        (&attempt, Epoch(0), &*assignment)
    );
    assert_eq!((delivery.retries, delivery.continues), (0, 0));
    let stories = stage.ports.deliveries.of_project(project).await?;
    assert_eq!(
        (stories[0].claimed_at, stories[0].deadline),
        (Some(stage.now()), Some(claim.deadline))
    );
    Ok(())
}

async fn the_claim_whose_reply_was_lost_finds_itself(stage: Stage) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let attempt = stage.queued(project).await?;
    stage.send(&attempt, Epoch(0)).await?;
    let claim = stage.claim(&attempt, Epoch(0));
    let delivery =
        with_lost_reply(async || stage.ports.attempts.claim(claim.clone()).await).await?;
    assert_eq!(delivery.map(|delivery| delivery.attempt), Some(attempt));
    stage.pass(CLAIMABLE + CLAIMABLE).await;
    assert!(
        stage.ports.attempts.claim(claim).await?.is_some(),
        "it is running and ours, whatever the lease's time"
    );
    Ok(())
}

async fn a_doubled_record_is_denied(stage: Stage) -> Outcome {
    let (_, attempt, _) = stage.running().await?;
    assert_eq!(
        stage
            .ports
            .attempts
            .claim(stage.claim(&attempt, Epoch(0)))
            .await?,
        None
    );
    Ok(())
}

async fn a_claim_at_another_epoch_is_denied(stage: Stage) -> Outcome {
    let (_, attempt, holding) = stage.running().await?;
    let outcome = given::requeue(chorus_core::attempt::Requeue::Drained, stage.now());
    assert!(
        stage
            .ports
            .attempts
            .finish(stage.finish(&holding, outcome))
            .await?
    );
    stage.send(&attempt, Epoch(1)).await?;
    assert_eq!(
        stage
            .ports
            .attempts
            .claim(stage.claim(&attempt, Epoch(0)))
            .await?,
        None
    );
    let old = Claim {
        holder: holding.holder,
        ..stage.claim(&attempt, Epoch(0))
    };
    assert_eq!(stage.ports.attempts.claim(old).await?, None);
    assert!(
        stage
            .ports
            .attempts
            .claim(stage.claim(&attempt, Epoch(1)))
            .await?
            .is_some()
    );
    Ok(())
}

async fn a_claim_until_the_last_moment_is_granted(stage: Stage) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let attempt = stage.queued(project).await?;
    stage.send(&attempt, Epoch(0)).await?;
    stage.pass(CLAIMABLE).await;
    assert!(
        stage
            .ports
            .attempts
            .claim(stage.claim(&attempt, Epoch(0)))
            .await?
            .is_some()
    );
    Ok(())
}

async fn a_claim_after_the_last_moment_is_denied(stage: Stage) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let attempt = stage.queued(project).await?;
    stage.send(&attempt, Epoch(0)).await?;
    stage.pass(CLAIMABLE + Millis(1)).await;
    assert_eq!(
        stage
            .ports
            .attempts
            .claim(stage.claim(&attempt, Epoch(0)))
            .await?,
        None
    );
    Ok(())
}

async fn a_claim_of_what_is_only_queued_is_denied(stage: Stage) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let attempt = stage.queued(project).await?;
    assert_eq!(
        stage
            .ports
            .attempts
            .claim(stage.claim(&attempt, Epoch(0)))
            .await?,
        None
    );
    let unknown = given::attempt(&stage.ids, project, stage.now());
    assert_eq!(
        stage
            .ports
            .attempts
            .claim(stage.claim(&unknown, Epoch(0)))
            .await?,
        None
    );
    Ok(())
}

async fn a_finished_delivery_is_not_claimed_again(stage: Stage) -> Outcome {
    let (_, attempt, holding) = stage.running().await?;
    assert!(
        stage
            .ports
            .attempts
            .finish(stage.finish(&holding, given::succeeded()))
            .await?
    );
    let again = Claim {
        holder: holding.holder,
        ..stage.claim(&attempt, Epoch(0))
    };
    assert_eq!(stage.ports.attempts.claim(again).await?, None);
    Ok(())
}

async fn a_beat_names_what_is_not_ours_any_more(stage: Stage) -> Outcome {
    let (_, _, ours) = stage.running().await?;
    let foreign = Holding {
        holder: stage.ids.holder(),
        ..ours.clone()
    };
    let old = Holding {
        epoch: Epoch(7),
        ..ours.clone()
    };
    let gone = stage
        .ports
        .attempts
        .beat(vec![foreign.clone(), ours, old.clone()])
        .await?;
    assert_eq!(gone, [foreign, old]);
    assert_eq!(stage.ports.attempts.beat(vec![]).await?, []);
    Ok(())
}

async fn many_holdings_beat_at_once(stage: Stage) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let mut held = Vec::new();
    for _ in 0..21 {
        let attempt = stage.queued(project).await?;
        held.push(stage.run(&attempt, Epoch(0)).await?);
    }
    let last = held.last().cloned().expect("there are some");
    assert!(
        stage
            .ports
            .attempts
            .finish(stage.finish(&last, given::succeeded()))
            .await?
    );
    assert_eq!(stage.ports.attempts.beat(held).await?, [last]);
    Ok(())
}

async fn a_beat_keeps_a_worker_from_being_lost(stage: Stage) -> Outcome {
    let (_, _, holding) = stage.running().await?;
    let reclaim = Reclaim {
        unclaimed_for: Millis::ZERO,
        silent_for: Millis::from_secs(20),
        limit: 10,
    };
    for _ in 0..5 {
        stage.pass(Millis::from_secs(15)).await;
        assert_eq!(stage.ports.attempts.beat(vec![holding.clone()]).await?, []);
        assert_eq!(stage.ports.attempts.reclaim(reclaim).await?, []);
    }
    stage.pass(Millis::from_secs(20)).await;
    assert_eq!(stage.ports.attempts.reclaim(reclaim).await?.len(), 1);
    Ok(())
}
