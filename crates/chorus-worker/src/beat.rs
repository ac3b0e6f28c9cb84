//! Beats: one batch for everything that is held. A negative answer stops a delivery; silence never does,
//! because a call that was paid for is worth more than certainty about who may record it.

use std::convert::Infallible;

use chorus_core::port::bus::{Incoming, Topic};
use chorus_core::port::subscriber::{Subscriber, SubscriberEvent};
use chorus_core::record::{self, CANCELLED, CancelledNotice};
use futures_util::future::{Either, select};
use std::pin::pin;

use crate::held::Stop;
use crate::workshop::Workshop;

/// Beats for ever: at the set pace, and at once when a cancellation names something that is held.
pub(crate) async fn keep(shop: &Workshop) -> Infallible {
    let clock = shop.clock();
    let mut control = Subscriber::of_all(
        shop.ports.bus.clone(),
        shop.ports.clock.clone(),
        vec![Topic::Control],
    );
    let mut next = clock.now() + shop.settings.beat;
    loop {
        let due = clock.sleep_until(next);
        if let Either::Left((fed, _)) = select(pin!(control.next()), due).await
            && !concerns(shop, &fed)
        {
            continue;
        }
        beat(shop).await;
        next = clock.now() + shop.settings.beat;
    }
}

fn concerns(shop: &Workshop, fed: &SubscriberEvent) -> bool {
    if let SubscriberEvent::Broken(error) = fed {
        tracing::warn!(error = %error, "the tail of cancellations broke, opening it again; beats hear of them meanwhile");
    }
    let SubscriberEvent::Incoming(Incoming::Record { record, .. }) = fed else {
        return false;
    };
    record::read::<CancelledNotice>(record, CANCELLED)
        .is_ok_and(|notice| shop.held.any_of(&notice.attempts))
}

async fn beat(shop: &Workshop) {
    let held = shop.held.all();
    if held.is_empty() {
        return;
    }
    let until = shop.clock().now() + shop.settings.beat;
    match shop
        .clock()
        .deadline(until, shop.ports.attempts.beat(held))
        .await
    {
        Some(Ok(lost)) => lost
            .iter()
            .for_each(|holding| shop.held.stop(holding, Stop::NotOurs)),
        Some(Err(error)) => tracing::warn!(error = %error, "a beat was not answered, calls go on"),
        None => tracing::warn!("a beat was not answered in time, calls go on"),
    }
}
