//! Cases of the queue and of dispatches: `Queued -> Dispatched` and `Queued -> Failed`.

use chorus_core::attempt::{Dispatch, DispatchDecision, Dispatched, FailureCause, NewAttempt};
use chorus_core::id::Epoch;
use chorus_core::money::MicroUsd;
use chorus_core::port::bus::Topic;
use chorus_core::port::projects::Commit;

use super::context::{AMPLE, ESTIMATE};
use super::{Case, CaseContext, Outcome, cases, fixtures, with_lost_reply};

pub(super) fn cases() -> Vec<Case> {
    cases![
        the_queue_is_oldest_first_and_limited,
        a_dispatch_leaves_the_queue_with_record_delivery_and_money,
        a_dispatch_with_a_lost_reply_is_done_once,
        a_dispatch_is_still_done_after_its_delivery_went_on,
        a_foreign_lease_in_the_row_means_lost,
        a_dispatch_at_another_epoch_is_lost,
        a_dispatch_of_nothing_is_lost,
        a_dispatch_over_budget_changes_nothing,
        a_batch_draws_on_one_budget,
        a_budget_is_used_to_the_last_unit,
        a_refusal_with_a_lost_reply_is_done_once,
        a_refusal_of_what_was_dispatched_is_lost,
    ]
}

async fn the_queue_is_oldest_first_and_limited(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let mut expected = Vec::new();
    for _ in 0..3 {
        context.pass(chorus_core::time::Millis(5)).await;
        expected.push(context.queued(project).await?.id);
    }
    let same_time: Vec<NewAttempt> = (0..2)
        .map(|_| fixtures::attempt(&context.ids, project, context.now()))
        .collect();
    expected.extend(same_time.iter().map(|attempt| attempt.id));
    let commit = context.decision(project).await?;
    context
        .decide(Commit {
            attempts: same_time.into_iter().rev().collect(),
            ..commit
        })
        .await?;
    for limit in [10, 2] {
        let queued = context.ports.attempts.queued(limit).await?;
        let ids: Vec<_> = queued.into_iter().map(|queued| queued.attempt.id).collect();
        assert_eq!(ids, expected[..expected.len().min(limit as usize)]);
    }
    Ok(())
}

async fn a_dispatch_leaves_the_queue_with_record_delivery_and_money(
    context: CaseContext,
) -> Outcome {
    let project = context.project(AMPLE).await?;
    let attempt = context.queued(project).await?;
    let dispatch = context.send(&attempt, Epoch(0)).await?;
    assert_eq!(context.ports.attempts.queued(10).await?, []);
    assert_eq!(context.money(project).await?, (0, ESTIMATE.0, 0));
    assert_eq!(
        context.unsent_topics().await?,
        ["chorus.project.cmd.v1", "chorus.task.dispatch.claude.v1"]
    );
    let rows = context.ports.deliveries.of_project(project).await?;
    let DispatchDecision::Send(assignment) = dispatch.decision else {
        panic!("it was sent")
    };
    assert_eq!(
        (&rows[0].assignment, rows[0].dispatched_at, rows[0].kind),
        (&*assignment, context.now(), attempt.kind)
    );
    assert_eq!(
        (rows[0].claimed_at, &rows[0].end, rows[0].cost),
        (None, &None, MicroUsd::ZERO)
    );
    Ok(())
}

async fn a_dispatch_with_a_lost_reply_is_done_once(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let attempt = context.queued(project).await?;
    let dispatch = context.dispatch(&attempt, Epoch(0));
    let answers = with_lost_reply(async || {
        context
            .ports
            .attempts
            .dispatch(vec![dispatch.clone()])
            .await
    })
    .await?;
    assert_eq!(answers, [Dispatched::Done]);
    assert_eq!(context.money(project).await?, (0, ESTIMATE.0, 0));
    assert_eq!(context.unsent_topics().await?.len(), 2);
    Ok(())
}

async fn a_dispatch_is_still_done_after_its_delivery_went_on(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let attempt = context.queued(project).await?;
    let dispatch = context.send(&attempt, Epoch(0)).await?;
    context
        .ports
        .attempts
        .claim(context.claim(&attempt, Epoch(0)))
        .await?;
    assert_eq!(
        context.ports.attempts.dispatch(vec![dispatch]).await?,
        [Dispatched::Done]
    );
    Ok(())
}

async fn a_foreign_lease_in_the_row_means_lost(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let attempt = context.queued(project).await?;
    context.send(&attempt, Epoch(0)).await?;
    let other = context.dispatch(&attempt, Epoch(0));
    assert_eq!(
        context.ports.attempts.dispatch(vec![other]).await?,
        [Dispatched::Conflict]
    );
    assert_eq!(context.money(project).await?, (0, ESTIMATE.0, 0));
    Ok(())
}

async fn a_dispatch_at_another_epoch_is_lost(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let attempt = context.queued(project).await?;
    let ahead = context.dispatch(&attempt, Epoch(1));
    assert_eq!(
        context.ports.attempts.dispatch(vec![ahead]).await?,
        [Dispatched::Conflict]
    );
    assert_eq!(context.ports.attempts.queued(10).await?.len(), 1);
    assert_eq!(context.money(project).await?, (0, 0, 0));
    Ok(())
}

async fn a_dispatch_of_nothing_is_lost(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let unknown = fixtures::attempt(&context.ids, project, context.now());
    let dispatch = context.dispatch(&unknown, Epoch(0));
    assert_eq!(
        context.ports.attempts.dispatch(vec![dispatch]).await?,
        [Dispatched::Conflict]
    );
    assert_eq!(context.ports.attempts.dispatch(vec![]).await?, []);
    Ok(())
}

async fn a_dispatch_over_budget_changes_nothing(context: CaseContext) -> Outcome {
    let project = context.project(MicroUsd(ESTIMATE.0 - 1)).await?;
    let attempt = context.queued(project).await?;
    let dispatch = context.dispatch(&attempt, Epoch(0));
    assert_eq!(
        context.ports.attempts.dispatch(vec![dispatch]).await?,
        [Dispatched::OverBudget]
    );
    assert_eq!(context.ports.attempts.queued(10).await?.len(), 1);
    assert_eq!(context.unsent_topics().await?.len(), 1);
    assert_eq!(context.ports.deliveries.of_project(project).await?, []);
    Ok(())
}

async fn a_batch_draws_on_one_budget(context: CaseContext) -> Outcome {
    let project = context.project(MicroUsd(2 * ESTIMATE.0 + 1)).await?;
    let mut batch = Vec::new();
    for _ in 0..3 {
        let attempt = context.queued(project).await?;
        batch.push(context.dispatch(&attempt, Epoch(0)));
    }
    let twice = batch[0].clone();
    batch.push(Dispatch {
        attempt: twice.attempt,
        ..context.dispatch(
            &fixtures::attempt(&context.ids, project, context.now()),
            Epoch(0),
        )
    });
    let answers = context.ports.attempts.dispatch(batch).await?;
    assert_eq!(
        answers,
        [
            Dispatched::Done,
            Dispatched::Done,
            Dispatched::OverBudget,
            Dispatched::Conflict
        ]
    );
    assert_eq!(context.money(project).await?, (0, 2 * ESTIMATE.0, 0));
    Ok(())
}

async fn a_budget_is_used_to_the_last_unit(context: CaseContext) -> Outcome {
    let project = context.project(ESTIMATE).await?;
    let attempt = context.queued(project).await?;
    context.send(&attempt, Epoch(0)).await?;
    assert_eq!(context.money(project).await?, (0, ESTIMATE.0, 0));
    Ok(())
}

fn refusal(context: &CaseContext, attempt: &NewAttempt) -> Dispatch {
    let record = fixtures::record(&context.ids, Topic::TaskDone, "key");
    let decision = DispatchDecision::Refuse(FailureCause::KillsWorkers);
    Dispatch {
        decision,
        record,
        ..context.dispatch(attempt, Epoch(0))
    }
}

async fn a_refusal_with_a_lost_reply_is_done_once(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let attempt = context.queued(project).await?;
    let refusal = refusal(&context, &attempt);
    let answers =
        with_lost_reply(async || context.ports.attempts.dispatch(vec![refusal.clone()]).await)
            .await?;
    assert_eq!(answers, [Dispatched::Done]);
    assert_eq!(context.ports.attempts.queued(10).await?, []);
    assert_eq!(
        context.unsent_topics().await?,
        ["chorus.project.cmd.v1", "chorus.task.done.v1"]
    );
    assert_eq!(
        context
            .ports
            .attempts
            .dispatch(vec![context.dispatch(&attempt, Epoch(0))])
            .await?,
        [Dispatched::Conflict]
    );
    Ok(())
}

async fn a_refusal_of_what_was_dispatched_is_lost(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let attempt = context.queued(project).await?;
    context.send(&attempt, Epoch(0)).await?;
    assert_eq!(
        context
            .ports
            .attempts
            .dispatch(vec![refusal(&context, &attempt)])
            .await?,
        [Dispatched::Conflict]
    );
    assert_eq!(context.unsent_topics().await?.len(), 2);
    Ok(())
}
