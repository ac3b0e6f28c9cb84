//! Heartbeats: one statement for every delivery that is held, and the announcement of the slots.
//!
//! A negative answer stops a delivery. Silence never does: a call that was paid for is worth more
//! than certainty about who may record it.

use std::convert::Infallible;
use std::pin::pin;

use chorus_core::id::Tenant;
use chorus_core::port::bus::{Incoming, Topic};
use chorus_core::port::subscriber::{Subscriber, SubscriberEvent};
use chorus_core::port::workers::WorkerSlots;
use chorus_core::record::{self, CANCELLED, CancelledNotice};
use chorus_core::time::Millis;
use futures_util::future::{Either, select};

use crate::context::Context;
use crate::in_flight::Stop;
use crate::pauses;

/// Number of heartbeats for which an announcement lasts.
const ANNOUNCED_BEATS: u64 = 3;

/// Sends heartbeats without an end: at the configured pace, and at once when a cancellation names
/// a delivery that is held.
pub(crate) async fn run(context: &Context) -> Infallible {
    let clock = context.clock();
    let mut control = Subscriber::of_all(
        context.ports.bus.clone(),
        context.ports.clock.clone(),
        vec![Topic::Control],
    );
    announce(context, slots(context)).await;
    let mut next = clock.now() + context.settings.beat;
    loop {
        let due = clock.sleep_until(next);
        if let Either::Left((event, _)) = select(pin!(control.next()), due).await {
            look_at_credential(context, &event).await;
            if !concerns(context, &event) {
                continue;
            }
        }
        send(context).await;
        pauses::look(context).await;
        if clock.now() >= next {
            announce(context, slots(context)).await;
        }
        next = clock.now() + context.settings.beat;
    }
}

/// Announces the slots of this worker to the dispatcher; zero when it stops.
pub(crate) async fn announce(context: &Context, slots: u32) {
    let worker = WorkerSlots {
        boot: context.boot,
        pool: context.settings.pool.clone(),
        slots,
    };
    let lasts = Millis(context.settings.beat.0 * ANNOUNCED_BEATS);
    let until = context.clock().now() + context.settings.beat;
    let announced = context.ports.workers.announce(worker, lasts);
    match context.clock().deadline(until, announced).await {
        Some(Ok(())) => {}
        Some(Err(error)) => {
            tracing::warn!(error = %error, "failed to announce slots, trying again with the next heartbeat");
        }
        None => tracing::warn!("an announcement of slots was not answered in time"),
    }
}

fn slots(context: &Context) -> u32 {
    if context.is_draining() {
        return 0;
    }
    u32::try_from(context.settings.slots).unwrap_or(u32::MAX)
}

/// Returns true if the record cancels an attempt that is held.
fn concerns(context: &Context, event: &SubscriberEvent) -> bool {
    if let SubscriberEvent::Broken(error) = event {
        tracing::warn!(error = %error, "the tail of cancellations broke, opening it again; heartbeats notice them meanwhile");
    }
    let SubscriberEvent::Incoming(Incoming::Record { record, .. }) = event else {
        return false;
    };
    record::read::<CancelledNotice>(record, CANCELLED)
        .is_ok_and(|notice| context.in_flight.has_any(&notice.attempts))
}

/// Reads the accounts of a tenant of which a credential changed.
async fn look_at_credential(context: &Context, event: &SubscriberEvent) {
    let SubscriberEvent::Incoming(Incoming::Record { record, .. }) = event else {
        return;
    };
    if record.header("chorus-schema") == Some(record::CREDENTIAL)
        && let Some(tenant) = record.header("chorus-tenant")
    {
        pauses::look_at(context, &Tenant::new(tenant)).await;
    }
}

async fn send(context: &Context) {
    let held = context.in_flight.all();
    if held.is_empty() {
        return;
    }
    let until = context.clock().now() + context.settings.beat;
    match context
        .clock()
        .deadline(until, context.ports.attempts.beat(held))
        .await
    {
        Some(Ok(lost)) => lost
            .iter()
            .for_each(|holding| context.in_flight.stop(holding, Stop::NotOurs)),
        Some(Err(error)) => {
            tracing::warn!(error = %error, "failed to send a heartbeat, calls go on");
        }
        None => tracing::warn!("a heartbeat was not answered in time, calls go on"),
    }
}
