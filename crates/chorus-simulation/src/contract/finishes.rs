//! Cases of finishes: `Running -> Succeeded | Asked | Failed | Queued`, with delivery row, money
//! and record.

use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::{
    DeliveryEnd, FailureCause, Finish, Holding, Outcome as DeliveryOutcome, Requeue,
};
use chorus_core::failure::FailureClass;
use chorus_core::id::{AccountId, Epoch};
use chorus_core::money::MicroUsd;
use chorus_core::port::StoreError;
use chorus_core::port::bus::Topic;
use chorus_core::time::Millis;

use super::{Case, CaseContext, Outcome, cases, fixtures, with_lost_reply};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_finish_is_recorded_completely,
        a_finish_with_a_lost_reply_is_true,
        a_requeue_with_a_lost_reply_is_true_at_the_next_epoch_too,
        a_finish_of_another_holder_is_false,
        what_has_ended_never_changes_again,
        each_outcome_moves_money_as_it_should,
        each_requeue_counts_as_it_should,
        a_continued_attempt_takes_its_new_order,
        a_limit_is_remembered_until_the_next_delivery_ends,
        models_that_refuse_the_request_are_remembered,
        the_newest_order_and_time_are_delivered,
    ]
}

async fn a_finish_is_recorded_completely(context: CaseContext) -> Outcome {
    let (project, _, holding) = context.running().await?;
    context.pass(Millis(250)).await;
    let finish = context.finish(&holding, fixtures::succeeded());
    assert!(context.ports.attempts.finish(finish.clone()).await?);
    let rows = context.ports.deliveries.of_project(project).await?;
    let row = &rows[0];
    assert_eq!(
        row.end,
        Some(DeliveryEnd::Finished {
            outcome: finish.outcome
        })
    );
    assert_eq!(
        (row.ended_at, row.usage, row.cost),
        (Some(context.now()), finish.usage, finish.cost)
    );
    assert_eq!(
        context.unsent_topics().await?.last().map(String::as_str),
        Some("chorus.task.done.v1")
    );
    assert_eq!(context.ports.attempts.queued(10).await?, []);
    assert_eq!(context.ports.deliveries.outstanding().await?, []);
    Ok(())
}

async fn a_finish_with_a_lost_reply_is_true(context: CaseContext) -> Outcome {
    let (project, _, holding) = context.running().await?;
    let finish = context.finish(&holding, fixtures::succeeded());
    assert!(with_lost_reply(async || context.ports.attempts.finish(finish.clone()).await).await?);
    assert_eq!(context.money(project).await?, (700, 0, 0));
    assert_eq!(context.unsent_topics().await?.len(), 3);
    Ok(())
}

async fn a_requeue_with_a_lost_reply_is_true_at_the_next_epoch_too(
    context: CaseContext,
) -> Outcome {
    let (project, attempt, holding) = context.running().await?;
    let finish = context.finish(
        &holding,
        fixtures::requeue(Requeue::Continue, context.now()),
    );
    assert!(context.ports.attempts.finish(finish.clone()).await?);
    context.run(&attempt, Epoch(1)).await?;
    assert!(
        context.ports.attempts.finish(finish).await?,
        "it was done, whatever came after it"
    );
    assert_eq!(context.money(project).await?, (700, 1000, 0));
    Ok(())
}

async fn a_finish_of_another_holder_is_false(context: CaseContext) -> Outcome {
    let (project, _, holding) = context.running().await?;
    let foreign = Holding {
        holder: context.ids.holder(),
        ..holding.clone()
    };
    let ahead = Holding {
        epoch: Epoch(1),
        ..holding.clone()
    };
    let unknown = Holding {
        attempt: fixtures::attempt(&context.ids, project, context.now()).id,
        ..holding
    };
    for holding in [foreign, ahead, unknown] {
        assert!(
            !context
                .ports
                .attempts
                .finish(context.finish(&holding, fixtures::succeeded()))
                .await?
        );
    }
    assert_eq!(context.money(project).await?, (0, 1000, 0));
    assert_eq!(context.unsent_topics().await?.len(), 2);
    Ok(())
}

async fn what_has_ended_never_changes_again(context: CaseContext) -> Outcome {
    let (project, attempt, holding) = context.running().await?;
    let failed = DeliveryOutcome::Failed {
        cause: FailureCause::Empty,
    };
    assert!(
        context
            .ports
            .attempts
            .finish(context.finish(&holding, failed.clone()))
            .await?
    );
    context.pass(Millis::from_secs(3600)).await;
    assert!(
        context
            .ports
            .attempts
            .finish(context.finish(&holding, fixtures::succeeded()))
            .await?,
        "it was finished by this holder"
    );
    let rows = context.ports.deliveries.of_project(project).await?;
    assert_eq!(rows[0].end, Some(DeliveryEnd::Finished { outcome: failed }));
    assert_eq!(
        context.ports.attempts.beat(vec![holding.clone()]).await?,
        [holding]
    );
    assert_eq!(
        context
            .ports
            .attempts
            .claim(context.claim(&attempt, Epoch(0)))
            .await?,
        None
    );
    assert_eq!(context.money(project).await?, (700, 0, 700));
    Ok(())
}

async fn each_outcome_moves_money_as_it_should(context: CaseContext) -> Outcome {
    let limited = Requeue::Limited {
        class: FailureClass::RateWindow,
    };
    let retry = Requeue::Retry {
        class: FailureClass::Transient,
    };
    let table = [
        (fixtures::succeeded(), 0),
        (
            DeliveryOutcome::Asked {
                question: ArtifactHash::of(b"which?"),
            },
            0,
        ),
        (
            DeliveryOutcome::Failed {
                cause: FailureCause::Endless,
            },
            700,
        ),
        (fixtures::requeue(Requeue::Continue, context.now()), 0),
        (fixtures::requeue(retry, context.now()), 700),
        (fixtures::requeue(limited, context.now()), 700),
        (fixtures::requeue(Requeue::Drained, context.now()), 700),
    ];
    for (outcome, wasted) in table {
        let (project, _, holding) = context.running().await?;
        assert!(
            context
                .ports
                .attempts
                .finish(context.finish(&holding, outcome.clone()))
                .await?
        );
        assert_eq!(
            context.money(project).await?,
            (700, 0, wasted),
            "{outcome:?}"
        );
    }
    let (project, _, holding) = context.running().await?;
    let no_call = context.finish(
        &holding,
        fixtures::requeue(Requeue::LeaseGone, context.now()),
    );
    assert!(
        context
            .ports
            .attempts
            .finish(Finish {
                usage: None,
                cost: MicroUsd::ZERO,
                ..no_call
            })
            .await?
    );
    assert_eq!(context.money(project).await?, (0, 0, 0));
    Ok(())
}

async fn each_requeue_counts_as_it_should(context: CaseContext) -> Outcome {
    let class = FailureClass::Overload;
    let table = [
        (Requeue::Retry { class }, (1, 0, None)),
        (Requeue::Continue, (0, 1, None)),
        (
            Requeue::Limited {
                class: FailureClass::QuotaDay,
            },
            (0, 0, Some(AccountId::new(78))),
        ),
        // Another key of the same owner may take the call when this one is dead.
        (
            Requeue::Limited {
                class: FailureClass::Auth,
            },
            (0, 0, None),
        ),
        (Requeue::Drained, (0, 0, None)),
        (Requeue::LeaseGone, (0, 0, None)),
    ];
    for (reason, (retries, continues, refused_by)) in table {
        let (_, attempt, holding) = context.running().await?;
        context.pass(Millis(40)).await;
        let not_before = context.now() + Millis::from_secs(1);
        let finish = context.finish(&holding, fixtures::requeue(reason, not_before));
        let ready = Finish {
            record: fixtures::record(&context.ids, Topic::TaskReady, "claude"),
            ..finish
        };
        assert!(context.ports.attempts.finish(ready).await?);
        let queued = context
            .ports
            .attempts
            .queued(10)
            .await?
            .pop()
            .expect("it is queued again");
        assert_eq!(
            (queued.attempt.id, queued.epoch, queued.lost),
            (attempt.id, Epoch(1), 0),
            "{reason:?}"
        );
        assert_eq!(
            (queued.continues, queued.refused_by),
            (continues, refused_by),
            "{reason:?}"
        );
        assert_eq!(
            (queued.queued_at, queued.attempt.not_before),
            (context.now(), not_before),
            "{reason:?}"
        );
        assert_eq!(
            retries_of(&context, &queued.attempt, Epoch(1)).await?,
            retries,
            "{reason:?}"
        );
    }
    Ok(())
}

/// Number of retries in the next worker's [`Delivery`](chorus_core::attempt::Delivery); the attempt ends here.
async fn retries_of(
    context: &CaseContext,
    attempt: &chorus_core::attempt::NewAttempt,
    epoch: Epoch,
) -> Result<u32, StoreError> {
    context.send(attempt, epoch).await?;
    let delivery = context
        .ports
        .attempts
        .claim(context.claim(attempt, epoch))
        .await?;
    Ok(delivery.expect("no other holder claimed it").retries)
}

async fn a_continued_attempt_takes_its_new_order(context: CaseContext) -> Outcome {
    let (_, attempt, holding) = context.running().await?;
    let longer = ArtifactHash::of(b"the order with what there is so far");
    let outcome = DeliveryOutcome::Requeue {
        reason: Requeue::Continue,
        not_before: context.now(),
        order: Some(longer),
        message: String::new(),
    };
    assert!(
        context
            .ports
            .attempts
            .finish(context.finish(&holding, outcome))
            .await?
    );
    let queued = context.ports.attempts.queued(10).await?;
    assert_eq!(
        (queued[0].attempt.order, queued[0].created_at),
        (longer, attempt.not_before)
    );
    Ok(())
}

async fn a_limit_is_remembered_until_the_next_delivery_ends(context: CaseContext) -> Outcome {
    let (_, attempt, holding) = context.running().await?;
    let limited = Requeue::Limited {
        class: FailureClass::RateWindow,
    };
    assert!(
        context
            .ports
            .attempts
            .finish(context.finish(&holding, fixtures::requeue(limited, context.now())))
            .await?
    );
    assert_eq!(
        context.ports.attempts.queued(1).await?[0].refused_by,
        Some(AccountId::new(78))
    );
    let holding = context.run(&attempt, Epoch(1)).await?;
    assert!(
        context
            .ports
            .attempts
            .finish(context.finish(&holding, fixtures::requeue(Requeue::Drained, context.now())))
            .await?
    );
    assert_eq!(context.ports.attempts.queued(1).await?[0].refused_by, None);
    Ok(())
}

async fn models_that_refuse_the_request_are_remembered(context: CaseContext) -> Outcome {
    let (_, attempt, mut holding) = context.running().await?;
    for count in 1..=2 {
        let outcome = DeliveryOutcome::Requeue {
            reason: Requeue::Retry {
                class: FailureClass::Request,
            },
            not_before: context.now(),
            order: None,
            message: format!("too long, time {count}"),
        };
        let finish = context.finish(&holding, outcome);
        assert!(context.ports.attempts.finish(finish).await?);
        let queued = &context.ports.attempts.queued(1).await?[0];
        assert_eq!((queued.unfit.len(), queued.refused_by), (count, None));
        let last = &queued.unfit[count - 1];
        assert_eq!(last.message, format!("too long, time {count}"));
        holding = context.run(&attempt, queued.epoch).await?;
    }
    let drained = fixtures::requeue(Requeue::Drained, context.now());
    let finish = context.finish(&holding, drained);
    assert!(context.ports.attempts.finish(finish).await?);
    assert_eq!(context.ports.attempts.queued(1).await?[0].unfit.len(), 2);
    Ok(())
}

async fn the_newest_order_and_time_are_delivered(context: CaseContext) -> Outcome {
    let (_, attempt, holding) = context.running().await?;
    let longer = ArtifactHash::of(b"longer");
    let not_before = context.now() + Millis(7);
    let outcome = DeliveryOutcome::Requeue {
        reason: Requeue::Continue,
        not_before,
        order: Some(longer),
        message: String::new(),
    };
    assert!(
        context
            .ports
            .attempts
            .finish(context.finish(&holding, outcome))
            .await?
    );
    context.send(&attempt, Epoch(1)).await?;
    let delivery = context
        .ports
        .attempts
        .claim(context.claim(&attempt, Epoch(1)))
        .await?
        .expect("no other holder claimed it");
    assert_eq!(
        (
            delivery.attempt.order,
            delivery.attempt.not_before,
            delivery.continues
        ),
        (longer, not_before, 1)
    );
    Ok(())
}
