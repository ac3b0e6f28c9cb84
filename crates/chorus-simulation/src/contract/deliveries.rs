//! The story of deliveries: outstanding leases, late words, order.

use chorus_core::attempt::{Holding, LateUsage, Reclaim, Requeue};
use chorus_core::id::{AttemptId, Epoch};
use chorus_core::llm::Usage;
use chorus_core::money::MicroUsd;
use chorus_core::port::StoreError;
use chorus_core::time::Millis;

use super::stage::{AMPLE, CLAIMABLE, ESTIMATE};
use super::{Case, Outcome, Stage, cases, given, with_lost_reply};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_dispatched_lease_is_outstanding_until_its_last_moment,
        a_claimed_lease_is_outstanding_until_its_deadline,
        a_lost_workers_lease_is_outstanding_until_its_deadline,
        a_finished_lease_is_not_outstanding,
        deliveries_are_told_in_order_of_dispatch,
        a_late_word_replaces_the_estimate_once,
        a_late_word_on_a_finished_delivery_changes_nothing,
        a_late_word_on_a_running_delivery_changes_nothing,
        a_late_word_on_nothing_is_no_error,
    ]
}

async fn outstanding(stage: &Stage) -> Result<usize, StoreError> {
    Ok(stage.ports.deliveries.outstanding().await?.len())
}

async fn a_dispatched_lease_is_outstanding_until_its_last_moment(stage: Stage) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let attempt = stage.queued(project).await?;
    stage.send(&attempt, Epoch(0)).await?;
    stage.pass(CLAIMABLE).await;
    let found = stage.ports.deliveries.outstanding().await?;
    assert_eq!(
        (found.len(), found[0].sent_until, found[0].lease.not_after),
        (1, None, stage.now())
    );
    assert_eq!(
        found[0].tenant, attempt.tenant,
        "the tenant names the accounts, and those the groups of the lease"
    );
    stage.pass(Millis(1)).await;
    assert_eq!(outstanding(&stage).await?, 0);
    Ok(())
}

async fn a_claimed_lease_is_outstanding_until_its_deadline(stage: Stage) -> Outcome {
    stage.running().await?;
    let deadline = stage.now() + Millis::from_secs(300);
    stage.pass(Millis::from_secs(300)).await;
    let found = stage.ports.deliveries.outstanding().await?;
    assert_eq!((found.len(), found[0].sent_until), (1, Some(deadline)));
    stage.pass(Millis(1)).await;
    assert_eq!(outstanding(&stage).await?, 0);
    Ok(())
}

async fn a_lost_workers_lease_is_outstanding_until_its_deadline(stage: Stage) -> Outcome {
    stage.running().await?;
    stage.pass(Millis::from_secs(200)).await;
    lose(&stage).await?;
    assert_eq!(outstanding(&stage).await?, 1);
    stage.pass(Millis::from_secs(101)).await;
    assert_eq!(outstanding(&stage).await?, 0);
    Ok(())
}

async fn a_finished_lease_is_not_outstanding(stage: Stage) -> Outcome {
    let (_, _, holding) = stage.running().await?;
    assert!(
        stage
            .ports
            .attempts
            .finish(stage.finish(&holding, given::requeue(Requeue::Drained, stage.now())))
            .await?
    );
    assert_eq!(outstanding(&stage).await?, 0);
    Ok(())
}

async fn deliveries_are_told_in_order_of_dispatch(stage: Stage) -> Outcome {
    let project = stage.project(AMPLE).await?;
    let (first, second) = (stage.queued(project).await?, stage.queued(project).await?);
    let mut expected: Vec<(AttemptId, Epoch)> = Vec::new();
    for (attempt, epoch) in [(&second, Epoch(0)), (&first, Epoch(0)), (&second, Epoch(1))] {
        stage.pass(Millis(10)).await;
        let holding = stage.run(attempt, epoch).await?;
        assert!(
            stage
                .ports
                .attempts
                .finish(stage.finish(&holding, given::requeue(Requeue::Drained, stage.now())))
                .await?
        );
        expected.push((attempt.id, epoch));
    }
    let stories = stage.ports.deliveries.of_project(project).await?;
    assert_eq!(
        stories
            .iter()
            .map(|story| (story.attempt, story.epoch))
            .collect::<Vec<_>>(),
        expected
    );
    Ok(())
}

async fn lose(stage: &Stage) -> Outcome {
    let overdue = Reclaim {
        unclaimed_for: Millis::ZERO,
        silent_for: Millis::ZERO,
        limit: 10,
    };
    assert_eq!(stage.ports.attempts.reclaim(overdue).await?.len(), 1);
    Ok(())
}

fn late(stage: &Stage, holding: &Holding, cost: i64) -> LateUsage {
    let usage = Usage {
        output: 5,
        ..given::usage()
    };
    LateUsage {
        attempt: holding.attempt,
        epoch: holding.epoch,
        usage,
        cost: MicroUsd(cost),
        event: stage.ids.event(),
    }
}

async fn a_late_word_replaces_the_estimate_once(stage: Stage) -> Outcome {
    let (project, _, holding) = stage.running().await?;
    lose(&stage).await?;
    let word = late(&stage, &holding, 300);
    with_lost_reply(async || stage.ports.deliveries.late(word.clone()).await).await?;
    assert_eq!(stage.money(project).await?, (300, 0, 300));
    stage
        .ports
        .deliveries
        .late(late(&stage, &holding, 5000))
        .await?;
    assert_eq!(stage.money(project).await?, (300, 0, 300));
    let story = &stage.ports.deliveries.of_project(project).await?[0];
    assert_eq!((story.cost, story.usage), (MicroUsd(300), Some(word.usage)));
    Ok(())
}

async fn a_late_word_on_a_finished_delivery_changes_nothing(stage: Stage) -> Outcome {
    let (project, _, holding) = stage.running().await?;
    assert!(
        stage
            .ports
            .attempts
            .finish(stage.finish(&holding, given::succeeded()))
            .await?
    );
    stage
        .ports
        .deliveries
        .late(late(&stage, &holding, 300))
        .await?;
    assert_eq!(stage.money(project).await?, (700, 0, 0));
    Ok(())
}

async fn a_late_word_on_a_running_delivery_changes_nothing(stage: Stage) -> Outcome {
    let (project, _, holding) = stage.running().await?;
    stage
        .ports
        .deliveries
        .late(late(&stage, &holding, 300))
        .await?;
    assert_eq!(stage.money(project).await?, (0, ESTIMATE.0, 0));
    Ok(())
}

async fn a_late_word_on_nothing_is_no_error(stage: Stage) -> Outcome {
    let (project, _, holding) = stage.running().await?;
    let unknown = Holding {
        epoch: Epoch(9),
        ..holding
    };
    stage
        .ports
        .deliveries
        .late(late(&stage, &unknown, 300))
        .await?;
    assert_eq!(stage.money(project).await?, (0, ESTIMATE.0, 0));
    Ok(())
}
