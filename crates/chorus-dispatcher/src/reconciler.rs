//! Sending again what the bus may have lost, taking back what nobody does any more, and collecting what is done with.

use chorus_core::attempt::Reclaim;

use crate::office::Office;

/// Sweeps for as long as the term lasts.
pub(crate) async fn run(office: &Office) -> std::convert::Infallible {
    let mut collected = office.now();
    loop {
        office.ports.clock.sleep(office.settings.sweep).await;
        resend(office).await;
        reclaim(office).await;
        if office.now().since(collected) >= office.settings.collect {
            collect(office).await;
            collected = office.now();
        }
    }
}

/// Publishes records that were never marked sent, and those that nobody folded.
async fn resend(office: &Office) {
    let (outbox, settings) = (&office.ports.outbox, &office.settings);
    let unsent = office
        .statement(
            "read unsent records",
            outbox.unsent(settings.unsent_after, settings.sweep_size),
        )
        .await;
    office.publish(unsent.unwrap_or_default()).await;
    let unfolded = office
        .statement(
            "read unfolded records",
            outbox.unfolded(settings.unfolded_after, settings.sweep_size),
        )
        .await;
    office.publish(unfolded.unwrap_or_default()).await;
}

/// Forgets old records, a handful at a time, so that nobody else waits for the store.
async fn collect(office: &Office) {
    let (outbox, settings) = (&office.ports.outbox, &office.settings);
    while let Ok(forgotten) = office
        .statement(
            "forget old records",
            outbox.forget(settings.keep_records, settings.sweep_size),
        )
        .await
    {
        if forgotten < settings.sweep_size {
            return;
        }
        office.rest().await;
    }
}

/// Takes back overdue deliveries, unless the store was away within the last whole lease.
async fn reclaim(office: &Office) {
    let settings = &office.settings;
    let overdue = Reclaim {
        unclaimed_for: settings.unclaimed_after,
        silent_for: settings.beat_stale,
        limit: settings.sweep_size,
    };
    while office.watch.well_for(settings.whole_lease(), office.now()) {
        let Ok(reclaimed) = office
            .statement(
                "take back overdue deliveries",
                office.ports.attempts.reclaim(overdue),
            )
            .await
        else {
            return;
        };
        for delivery in &reclaimed {
            tracing::info!(attempt.id = %delivery.attempt, attempt.epoch = delivery.epoch.0, worker.lost = delivery.lost_worker, "took a delivery back");
            office.end_unused(delivery.lease).await;
        }
        if reclaimed.len() < settings.sweep_size as usize {
            return;
        }
    }
}
