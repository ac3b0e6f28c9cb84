//! Cases of reclaiming overdue attempts, and their cost.

use chorus_core::attempt::{DeliveryEnd, DispatchDecision, Dispatched, Reclaim, Reclaimed};
use chorus_core::id::Epoch;
use chorus_core::time::Millis;

use super::context::{AMPLE, CLAIMABLE, ESTIMATE};
use super::{Case, CaseContext, Outcome, cases, fixtures, with_lost_reply};

pub(super) fn cases() -> Vec<Case> {
    cases![
        an_unclaimed_dispatch_is_taken_back_for_nothing,
        a_silent_worker_is_lost_at_the_price_of_its_estimate,
        a_reclaimed_attempt_ignores_its_former_holder,
        what_is_not_overdue_stays,
        a_worker_of_an_ended_process_is_lost_without_a_wait,
        only_so_many_are_taken_back_at_once,
        a_reclaim_with_a_lost_reply_takes_nothing_twice,
    ]
}

const OVERDUE: Reclaim = Reclaim {
    unclaimed_for: Millis::from_secs(5),
    silent_for: Millis::from_secs(20),
    alone_since: None,
    limit: 10,
};

async fn an_unclaimed_dispatch_is_taken_back_for_nothing(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let attempt = context.queued(project).await?;
    let DispatchDecision::Send(sent) = context.send(&attempt, Epoch(0)).await?.decision else {
        panic!("it was sent")
    };
    let lease = &sent.lease;
    context.pass(CLAIMABLE + Millis::from_secs(5)).await;
    let taken = context.ports.attempts.reclaim(OVERDUE).await?;
    assert_eq!(
        taken,
        [Reclaimed {
            attempt: attempt.id,
            epoch: Epoch(0),
            lease: lease.id,
            lost_worker: false,
            not_after: lease.not_after,
            provider: sent.provider.clone(),
            model: sent.model.clone(),
        }]
    );
    let queued = context.ports.attempts.queued(10).await?;
    assert_eq!(
        (queued[0].epoch, queued[0].lost, queued[0].queued_at),
        (Epoch(1), 0, context.now())
    );
    assert_eq!(context.money(project).await?, (0, 0, 0));
    assert_eq!(
        context.ports.deliveries.of_project(project).await?[0].end,
        Some(DeliveryEnd::Unclaimed)
    );
    Ok(())
}

async fn a_silent_worker_is_lost_at_the_price_of_its_estimate(context: CaseContext) -> Outcome {
    let (project, attempt, _) = context.running().await?;
    context.pass(Millis::from_secs(20)).await;
    let taken = context.ports.attempts.reclaim(OVERDUE).await?;
    assert_eq!(
        taken
            .iter()
            .map(|one| (one.attempt, one.lost_worker))
            .collect::<Vec<_>>(),
        [(attempt.id, true)]
    );
    let queued = context.ports.attempts.queued(10).await?;
    assert_eq!((queued[0].epoch, queued[0].lost), (Epoch(1), 1));
    assert_eq!(context.money(project).await?, (ESTIMATE.0, 0, ESTIMATE.0));
    let row = &context.ports.deliveries.of_project(project).await?[0];
    assert_eq!(
        (&row.end, row.cost),
        (&Some(DeliveryEnd::WorkerLost), ESTIMATE)
    );
    Ok(())
}

async fn a_reclaimed_attempt_ignores_its_former_holder(context: CaseContext) -> Outcome {
    let (project, attempt, holding) = context.running().await?;
    context.pass(Millis::from_secs(20)).await;
    context.ports.attempts.reclaim(OVERDUE).await?;
    assert_eq!(
        context.ports.attempts.beat(vec![holding.clone()]).await?,
        std::slice::from_ref(&holding)
    );
    assert!(
        !context
            .ports
            .attempts
            .finish(context.finish(&holding, fixtures::succeeded()))
            .await?
    );
    assert_eq!(
        context
            .ports
            .attempts
            .dispatch(vec![context.dispatch(&attempt, Epoch(0))])
            .await?,
        [Dispatched::Conflict]
    );
    let holding = context.run(&attempt, Epoch(1)).await?;
    assert!(
        context
            .ports
            .attempts
            .finish(context.finish(&holding, fixtures::succeeded()))
            .await?
    );
    assert_eq!(
        context.money(project).await?,
        (ESTIMATE.0 + 700, 0, ESTIMATE.0)
    );
    Ok(())
}

async fn what_is_not_overdue_stays(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let waiting = context.queued(project).await?;
    context.pass(Millis::from_secs(60)).await;
    let dispatched = context.queued(project).await?;
    context.send(&dispatched, Epoch(0)).await?;
    let running = context.queued(project).await?;
    let holding = context.run(&running, Epoch(0)).await?;
    context.pass(Millis::from_secs(19)).await;
    assert_eq!(context.ports.attempts.reclaim(OVERDUE).await?, []);
    assert_eq!(context.ports.attempts.beat(vec![holding]).await?, []);
    context.pass(Millis(15_999)).await;
    assert_eq!(context.ports.attempts.reclaim(OVERDUE).await?, []);
    assert_eq!(
        context.ports.attempts.queued(10).await?[0].attempt.id,
        waiting.id
    );
    Ok(())
}

async fn a_worker_of_an_ended_process_is_lost_without_a_wait(context: CaseContext) -> Outcome {
    let (project, lost, _) = context.running().await?;
    context.pass(Millis(10)).await;
    let alone_since = Some(context.now());
    context.pass(Millis(10)).await;
    let attempt = context.queued(project).await?;
    context.run(&attempt, Epoch(0)).await?;
    let ended = Reclaim {
        alone_since,
        ..OVERDUE
    };
    let taken = context.ports.attempts.reclaim(ended).await?;
    let taken: Vec<_> = taken
        .iter()
        .map(|one| (one.attempt, one.lost_worker))
        .collect();
    assert_eq!(taken, [(lost.id, true)]);
    assert_eq!(context.ports.attempts.reclaim(ended).await?, []);
    Ok(())
}

async fn only_so_many_are_taken_back_at_once(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    for _ in 0..3 {
        let attempt = context.queued(project).await?;
        context.send(&attempt, Epoch(0)).await?;
        let attempt = context.queued(project).await?;
        context.run(&attempt, Epoch(0)).await?;
    }
    context.pass(Millis::from_secs(600)).await;
    let mut counts = Vec::new();
    for _ in 0..4 {
        counts.push(
            context
                .ports
                .attempts
                .reclaim(Reclaim {
                    limit: 2,
                    ..OVERDUE
                })
                .await?
                .len(),
        );
    }
    assert_eq!(counts, [2, 2, 2, 0]);
    assert_eq!(
        context.money(project).await?,
        (3 * ESTIMATE.0, 0, 3 * ESTIMATE.0)
    );
    Ok(())
}

async fn a_reclaim_with_a_lost_reply_takes_nothing_twice(context: CaseContext) -> Outcome {
    let (project, _, _) = context.running().await?;
    context.pass(Millis::from_secs(20)).await;
    assert_eq!(
        with_lost_reply(async || context.ports.attempts.reclaim(OVERDUE).await).await?,
        []
    );
    let queued = context.ports.attempts.queued(10).await?;
    assert_eq!((queued[0].epoch, queued[0].lost), (Epoch(1), 1));
    assert_eq!(context.money(project).await?, (ESTIMATE.0, 0, ESTIMATE.0));
    Ok(())
}
