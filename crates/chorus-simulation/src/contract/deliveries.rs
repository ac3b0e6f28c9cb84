//! Cases of [`Deliveries`](chorus_core::port::Deliveries): outstanding leases, late usage, order.

use chorus_core::attempt::{
    DeliveryEnd, DeliveryRow, Finish, Holding, LateUsage, Outcome as DeliveryOutcome, Reclaim,
    Requeue,
};
use chorus_core::failure::FailureClass;
use chorus_core::id::{AttemptId, Epoch};
use chorus_core::limit::PastUse;
use chorus_core::llm::Usage;
use chorus_core::money::MicroUsd;
use chorus_core::port::StoreError;
use chorus_core::port::deliveries::{EndPosition, Selection};
use chorus_core::time::{Millis, Timestamp};

use super::context::{AMPLE, CLAIMABLE, ESTIMATE};
use super::{Case, CaseContext, Outcome, cases, fixtures, with_lost_reply};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_dispatched_lease_is_outstanding_until_its_last_moment,
        a_claimed_lease_is_outstanding_until_its_deadline,
        a_lost_workers_lease_is_outstanding_until_its_deadline,
        a_finished_lease_is_not_outstanding,
        deliveries_are_listed_in_order_of_dispatch,
        ended_deliveries_are_read_in_pages_and_open_calls_apart,
        ended_calls_are_listed_from_a_time_on_oldest_first,
        charges_are_read_in_pages_without_outstanding_calls,
        a_late_usage_replaces_the_estimate_once,
        a_late_usage_on_a_finished_delivery_changes_nothing,
        a_late_usage_on_a_running_delivery_changes_nothing,
        a_late_usage_on_nothing_is_no_error,
    ]
}

async fn outstanding(context: &CaseContext) -> Result<usize, StoreError> {
    Ok(context.ports.deliveries.outstanding().await?.len())
}

async fn a_dispatched_lease_is_outstanding_until_its_last_moment(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let attempt = context.queued(project).await?;
    context.send(&attempt, Epoch(0)).await?;
    context.pass(CLAIMABLE).await;
    let found = context.ports.deliveries.outstanding().await?;
    assert_eq!(
        (found.len(), found[0].sent_until, found[0].lease.not_after),
        (1, None, context.now())
    );
    assert_eq!(
        found[0].tenant, attempt.tenant,
        "the tenant names the accounts, and those the groups of the lease"
    );
    context.pass(Millis(1)).await;
    assert_eq!(outstanding(&context).await?, 0);
    Ok(())
}

async fn a_claimed_lease_is_outstanding_until_its_deadline(context: CaseContext) -> Outcome {
    context.running().await?;
    let deadline = context.now() + Millis::from_secs(300);
    context.pass(Millis::from_secs(300)).await;
    let found = context.ports.deliveries.outstanding().await?;
    assert_eq!((found.len(), found[0].sent_until), (1, Some(deadline)));
    context.pass(Millis(1)).await;
    assert_eq!(outstanding(&context).await?, 0);
    Ok(())
}

async fn a_lost_workers_lease_is_outstanding_until_its_deadline(context: CaseContext) -> Outcome {
    context.running().await?;
    context.pass(Millis::from_secs(200)).await;
    lose(&context).await?;
    assert_eq!(outstanding(&context).await?, 1);
    context.pass(Millis::from_secs(101)).await;
    assert_eq!(outstanding(&context).await?, 0);
    Ok(())
}

async fn a_finished_lease_is_not_outstanding(context: CaseContext) -> Outcome {
    let (_, _, holding) = context.running().await?;
    assert!(
        context
            .ports
            .attempts
            .finish(context.finish(&holding, fixtures::requeue(Requeue::Drained, context.now())))
            .await?
    );
    assert_eq!(outstanding(&context).await?, 0);
    Ok(())
}

async fn deliveries_are_listed_in_order_of_dispatch(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let (first, second) = (
        context.queued(project).await?,
        context.queued(project).await?,
    );
    let mut expected: Vec<(AttemptId, Epoch)> = Vec::new();
    for (attempt, epoch) in [(&second, Epoch(0)), (&first, Epoch(0)), (&second, Epoch(1))] {
        context.pass(Millis(10)).await;
        let holding = context.run(attempt, epoch).await?;
        assert!(
            context
                .ports
                .attempts
                .finish(
                    context.finish(&holding, fixtures::requeue(Requeue::Drained, context.now()))
                )
                .await?
        );
        expected.push((attempt.id, epoch));
    }
    let rows = context.ports.deliveries.of_project(project).await?;
    assert_eq!(
        rows.iter()
            .map(|row| (row.attempt, row.epoch))
            .collect::<Vec<_>>(),
        expected
    );
    Ok(())
}

async fn ended_deliveries_are_read_in_pages_and_open_calls_apart(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let selected = async |selection, limit| -> Result<Vec<DeliveryRow>, StoreError> {
        let deliveries = &context.ports.deliveries;
        deliveries.selected(project, selection, limit).await
    };
    let (first, second, open) = (
        context.queued(project).await?,
        context.queued(project).await?,
        context.queued(project).await?,
    );
    context.run(&open, Epoch(0)).await?;
    let mut expected: Vec<(AttemptId, Epoch)> = Vec::new();
    for (attempt, epoch) in [(&second, Epoch(0)), (&first, Epoch(0)), (&second, Epoch(1))] {
        let holding = context.run(attempt, epoch).await?;
        let again = requeued_with("no room", context.now());
        let finish = context.finish(&holding, again);
        assert!(context.ports.attempts.finish(finish).await?);
        expected.push((attempt.id, epoch));
        context.pass(Millis(10)).await;
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = selected(Selection::Ended { after }, 2).await?;
        let Some(last) = page.last() else { break };
        after = EndPosition::of(last);
        assert!(page.iter().all(|row| message(row) == "no room"));
        found.extend(page.iter().map(|row| (row.attempt, row.epoch)));
    }
    assert_eq!(found, expected);
    let rows = selected(Selection::Open, 9).await?;
    let rows: Vec<AttemptId> = rows.iter().map(|row| row.attempt).collect();
    assert_eq!(rows, [open.id], "an ended call is not under way");
    Ok(())
}

fn requeued_with(message: &str, not_before: Timestamp) -> DeliveryOutcome {
    DeliveryOutcome::Requeue {
        reason: Requeue::Drained,
        not_before,
        order: None,
        message: message.to_owned(),
    }
}

fn message(row: &DeliveryRow) -> &str {
    match &row.end {
        Some(DeliveryEnd::Finished {
            outcome: DeliveryOutcome::Requeue { message, .. },
        }) => message,
        _ => "",
    }
}

async fn ended_calls_are_listed_from_a_time_on_oldest_first(context: CaseContext) -> Outcome {
    let project = context.project(AMPLE).await?;
    let (first, second) = (
        context.queued(project).await?,
        context.queued(project).await?,
    );
    let ended_since = async |since, limit| -> Result<Vec<(AttemptId, Epoch)>, StoreError> {
        let calls = context.ports.deliveries.ended_since(since, limit).await?;
        Ok(calls
            .iter()
            .map(|call| (call.attempt, call.epoch))
            .collect())
    };
    let mut times = Vec::new();
    for (attempt, epoch) in [(&second, Epoch(0)), (&first, Epoch(0)), (&second, Epoch(1))] {
        context.pass(Millis(10)).await;
        let holding = context.run(attempt, epoch).await?;
        context.pass(Millis(5)).await;
        let requeue = fixtures::requeue(Requeue::Drained, context.now());
        let finish = context.finish(&holding, requeue);
        assert!(context.ports.attempts.finish(finish).await?);
        times.push(context.now());
    }
    context.pass(Millis(10)).await;
    context.run(&first, Epoch(1)).await?;
    lose(&context).await?;
    let all = [
        (second.id, Epoch(0)),
        (first.id, Epoch(0)),
        (second.id, Epoch(1)),
    ];
    assert_eq!(ended_since(times[0], 10).await?, all);
    assert_eq!(ended_since(times[1], 10).await?, all[1..]);
    assert_eq!(
        ended_since(times[0], 2).await?,
        all[2..],
        "the latest two are counted, and a lost worker reported nothing"
    );
    assert_eq!(ended_since(context.now() + Millis(1), 10).await?, []);
    let calls = context.ports.deliveries.ended_since(times[0], 10).await?;
    assert_eq!(
        (calls[0].ended_at, calls[0].call.took),
        (times[0], Millis(5))
    );
    assert_eq!(calls[0].call.size, second.size);
    assert!(!calls[0].call.complete, "a drained delivery has no reply");
    Ok(())
}

async fn charges_are_read_in_pages_without_outstanding_calls(context: CaseContext) -> Outcome {
    let (project, first, holding) = context.running().await?;
    let since = context.now();
    context.pass(Millis(5)).await;
    let finish = context.finish(&holding, fixtures::succeeded());
    assert!(context.ports.attempts.finish(finish).await?);
    let refused = context.queued(project).await?;
    let holding = context.run(&refused, Epoch(0)).await?;
    let class = FailureClass::RateWindow;
    let requeue = fixtures::requeue(Requeue::Limited { class }, context.now());
    let refusal = Finish {
        usage: Some(Usage::default()),
        cost: MicroUsd::ZERO,
        ..context.finish(&holding, requeue)
    };
    assert!(context.ports.attempts.finish(refusal).await?);
    let lost = context.queued(project).await?;
    context.run(&lost, Epoch(0)).await?;
    context.pass(Millis(5)).await;
    lose(&context).await?;
    let read = async |limit| -> Result<Vec<PastUse>, StoreError> {
        let (mut used, mut after) = (Vec::new(), None);
        loop {
            let deliveries = &context.ports.deliveries;
            let page = deliveries.charged_since(since, after, limit).await?;
            assert!(page.calls.len() <= limit as usize);
            used.extend(page.calls.into_iter().map(|call| call.used));
            after = page.next;
            if after.is_none() {
                return Ok(used);
            }
        }
    };
    let (usage, cost) = (fixtures::usage(), MicroUsd(700));
    let ended = [PastUse::Known { usage, cost }, PastUse::Refused];
    for limit in [1, 2, 10] {
        assert_eq!(read(limit).await?, ended, "the lost call is outstanding");
    }
    context.pass(Millis::from_secs(301)).await;
    let all = read(2).await?;
    assert_eq!(all[..2], ended);
    assert!(matches!(all[2..], [PastUse::Unknown { .. }]), "{all:?}");
    let page = context
        .ports
        .deliveries
        .charged_since(since, None, 10)
        .await?;
    assert_eq!(page.calls[0].sent_at, since);
    assert_eq!(page.calls[0].ended_at, since + Millis(5));
    assert_eq!(page.calls[0].tenant, first.tenant);
    let none = context
        .ports
        .deliveries
        .charged_since(context.now(), None, 10)
        .await?;
    assert_eq!(none.calls, []);
    Ok(())
}

async fn lose(context: &CaseContext) -> Outcome {
    let overdue = Reclaim {
        unclaimed_for: Millis::ZERO,
        silent_for: Millis::ZERO,
        alone_since: None,
        limit: 10,
    };
    assert_eq!(context.ports.attempts.reclaim(overdue).await?.len(), 1);
    Ok(())
}

fn late(context: &CaseContext, holding: &Holding, cost: i64) -> LateUsage {
    let usage = Usage {
        output: 5,
        ..fixtures::usage()
    };
    LateUsage {
        attempt: holding.attempt,
        epoch: holding.epoch,
        usage,
        cost: MicroUsd(cost),
        event: context.ids.event(),
    }
}

async fn a_late_usage_replaces_the_estimate_once(context: CaseContext) -> Outcome {
    let (project, _, holding) = context.running().await?;
    lose(&context).await?;
    let usage = late(&context, &holding, 300);
    with_lost_reply(async || context.ports.deliveries.late(usage.clone()).await).await?;
    assert_eq!(context.money(project).await?, (300, 0, 300));
    context
        .ports
        .deliveries
        .late(late(&context, &holding, 5000))
        .await?;
    assert_eq!(context.money(project).await?, (300, 0, 300));
    let row = &context.ports.deliveries.of_project(project).await?[0];
    assert_eq!((row.cost, row.usage), (MicroUsd(300), Some(usage.usage)));
    Ok(())
}

async fn a_late_usage_on_a_finished_delivery_changes_nothing(context: CaseContext) -> Outcome {
    let (project, _, holding) = context.running().await?;
    assert!(
        context
            .ports
            .attempts
            .finish(context.finish(&holding, fixtures::succeeded()))
            .await?
    );
    context
        .ports
        .deliveries
        .late(late(&context, &holding, 300))
        .await?;
    assert_eq!(context.money(project).await?, (700, 0, 0));
    Ok(())
}

async fn a_late_usage_on_a_running_delivery_changes_nothing(context: CaseContext) -> Outcome {
    let (project, _, holding) = context.running().await?;
    context
        .ports
        .deliveries
        .late(late(&context, &holding, 300))
        .await?;
    assert_eq!(context.money(project).await?, (0, ESTIMATE.0, 0));
    Ok(())
}

async fn a_late_usage_on_nothing_is_no_error(context: CaseContext) -> Outcome {
    let (project, _, holding) = context.running().await?;
    let unknown = Holding {
        epoch: Epoch(9),
        ..holding
    };
    context
        .ports
        .deliveries
        .late(late(&context, &unknown, 300))
        .await?;
    assert_eq!(context.money(project).await?, (0, ESTIMATE.0, 0));
    Ok(())
}
