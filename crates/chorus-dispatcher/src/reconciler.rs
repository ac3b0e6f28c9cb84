//! Publishes again what the bus may have lost, takes back deliveries without a live worker, and deletes old records.
//!
//! Runs beside the queue of a term, on the same [`Context`].

use chorus_core::attempt::Reclaim;
use chorus_core::catalog::Catalog;
use chorus_core::time::Millis;

use crate::context::Context;
use crate::restoration;

/// Duration after which nothing of this installation is old enough.
const NEVER: Millis = Millis::from_secs(100 * 365 * 24 * 3_600);

/// Pause between two statements that collect old records, which lets other writers of the store go first.
const COLLECT_PAUSE: Millis = Millis(200);

/// Runs for as long as the term lasts.
pub(crate) async fn run(context: &Context, catalog: &Catalog) -> std::convert::Infallible {
    let mut collected = context.now();
    reclaim_of_ended_processes(context).await;
    loop {
        context.clock.sleep(context.settings.sweep).await;
        resend(context).await;
        reclaim(context, catalog).await;
        if context.now().since(collected) >= context.settings.collect {
            collect(context).await;
            collected = context.now();
        }
    }
}

/// Publishes records that were never marked as sent, and commands and results that were not folded in time.
async fn resend(context: &Context) {
    let (outbox, settings) = (&context.outbox, &context.settings);
    let unsent = context
        .statement(
            "read unsent records",
            outbox.unsent(settings.unsent_after, settings.sweep_size),
        )
        .await;
    context.publish(unsent.unwrap_or_default()).await;
    let unfolded = context
        .statement(
            "read unfolded records",
            outbox.unfolded(settings.unfolded_after, settings.sweep_size),
        )
        .await;
    context.publish(unfolded.unwrap_or_default()).await;
}

/// Deletes old records in batches, with pauses that let other writers of the store go first.
async fn collect(context: &Context) {
    let (outbox, settings) = (&context.outbox, &context.settings);
    while let Ok(forgotten) = context
        .statement(
            "delete old records",
            outbox.forget(settings.keep_records, settings.sweep_size),
        )
        .await
    {
        if forgotten < settings.sweep_size {
            return;
        }
        context.clock.sleep(COLLECT_PAUSE).await;
    }
}

/// Takes back what processes held that ended before this one began to work alone. Their leases were restored with
/// the time at which they end.
async fn reclaim_of_ended_processes(context: &Context) {
    let settings = &context.settings;
    if settings.alone_since.is_none() {
        return;
    }
    let ended = Reclaim {
        unclaimed_for: NEVER,
        silent_for: NEVER,
        alone_since: settings.alone_since,
        limit: settings.sweep_size,
    };
    loop {
        let reclaimed = context
            .until_ok("take back deliveries of ended processes", || {
                context.attempts.reclaim(ended)
            })
            .await;
        for delivery in &reclaimed {
            tracing::info!(attempt.id = %delivery.attempt, attempt.epoch = delivery.epoch.0, "took a delivery of an ended process back");
        }
        if reclaimed.len() < settings.sweep_size as usize {
            return;
        }
    }
}

/// Takes back overdue deliveries, unless the store was away within the last whole lease.
async fn reclaim(context: &Context, catalog: &Catalog) {
    let settings = &context.settings;
    let overdue = Reclaim {
        unclaimed_for: settings.unclaimed_after,
        silent_for: settings.beat_stale,
        alone_since: None,
        limit: settings.sweep_size,
    };
    while context
        .store_health
        .is_well_for(settings.whole_lease(), context.now())
    {
        let Ok(reclaimed) = context
            .statement(
                "take back overdue deliveries",
                context.attempts.reclaim(overdue),
            )
            .await
        else {
            return;
        };
        for delivery in &reclaimed {
            tracing::info!(attempt.id = %delivery.attempt, attempt.epoch = delivery.epoch.0, worker.lost = delivery.lost_worker, "took a delivery back");
            let end = restoration::end_of(context, catalog, delivery);
            context.end_lease(delivery.lease, end).await;
        }
        if reclaimed.len() < settings.sweep_size as usize {
            return;
        }
    }
}
