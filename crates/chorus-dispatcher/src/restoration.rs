//! What the rows of deliveries show of the limits: leases that may still hold something, and charges of calls
//! that ended. [`EventLoop`](crate::term) restores the limiter from it.
//!
//! A call of a process that certainly ended holds its slot for the provider's `abort_grace`, because its
//! connections closed with it. A call of a worker that is only silent holds it for what such calls take at most by
//! measure. Neither is held beyond the deadline of the call.

use chorus_core::attempt::{ChargedCall, Outstanding, Reclaimed};
use chorus_core::catalog::Catalog;
use chorus_core::id::ProviderId;
use chorus_core::limit::{End, HeldLease, PastCall, PastUse, Window};
use chorus_core::port::StoreError;
use chorus_core::time::{Millis, Timestamp};
use chorus_pool::EndpointIndex;

use crate::context::Context;

/// Number of charged calls in one reading.
const PAGE: u32 = 2_000;

/// Age up to which charges are read at least: a day in any time zone.
const DAY: Millis = Millis::from_secs(25 * 3_600);

/// Grace of a provider that the catalogue does not name.
const GRACE: Millis = Millis::from_secs(10);

/// Returns the lease of a delivery with its groups, and the time at which it frees its slot.
pub(crate) fn held(
    context: &Context,
    catalog: &Catalog,
    index: &EndpointIndex,
    delivery: Outstanding,
) -> HeldLease {
    let groups = index.groups_of(delivery.lease.credential, &delivery.model);
    let ends_at = ends_at(context, catalog, &delivery);
    HeldLease {
        lease: delivery.lease,
        groups,
        sent_until: delivery
            .sent_until
            .map(|deadline| ends_at.map_or(deadline, |at| at.min(deadline))),
        process_ended: ends_at.is_some(),
    }
}

/// Returns the time at which the call of an ended process or a silent worker has ended; none for a call that may be
/// under way.
fn ends_at(context: &Context, catalog: &Catalog, delivery: &Outstanding) -> Option<Timestamp> {
    let claimed_at = delivery.claimed_at?;
    let grace = grace(catalog, &delivery.provider);
    match context.settings.alone_since {
        Some(alone_since) if claimed_at < alone_since => Some(alone_since + grace),
        _ if delivery.lost_worker => context
            .durations
            .bound(&delivery.provider, &delivery.model)
            .map(|bound| claimed_at + bound + grace),
        _ => None,
    }
}

/// Returns the [`End`] of the lease of a delivery that was taken back.
pub(crate) fn end_of(context: &Context, catalog: &Catalog, delivery: &Reclaimed) -> End {
    if !delivery.lost_worker {
        return End::Unused;
    }
    let grace = grace(catalog, &delivery.provider);
    let bound = context.durations.bound(&delivery.provider, &delivery.model);
    let now = context.now();
    // A call begins before `not_after`. Without a measure its deadline is the bound.
    let left = bound.map_or(DAY, |bound| (delivery.not_after + bound).since(now));
    End::Lost {
        grace: left + grace,
    }
}

fn grace(catalog: &Catalog, provider: &ProviderId) -> Millis {
    catalog
        .provider(provider)
        .map_or(GRACE, |provider| provider.abort_grace)
}

/// Reads the charges of all calls that a window of a limit may still count: those of this month, and of a day.
pub(crate) async fn charged(context: &Context) -> Result<Vec<ChargedCall>, StoreError> {
    let now = context.now();
    let month = Window::Month.period(now).map_or(now, |(start, _)| start);
    let since = month.min(now - DAY);
    let mut calls = Vec::new();
    let mut after = None;
    loop {
        let page = context.deliveries.charged_since(since, after, PAGE);
        let page = context.statement("read charged calls", page).await?;
        calls.extend(page.calls);
        let Some(next) = page.next else {
            return Ok(calls);
        };
        after = Some(next);
    }
}

/// Returns a charged call with the groups that it drew on; none where it counts nothing.
pub(crate) fn past(
    catalog: &Catalog,
    index: &EndpointIndex,
    call: ChargedCall,
) -> Option<PastCall> {
    let counts_refused = catalog
        .provider(&call.provider)
        .is_some_and(|provider| provider.refused_counts);
    if call.used == PastUse::Refused && !counts_refused {
        return None;
    }
    Some(PastCall {
        groups: index.groups_of(call.credential, &call.model),
        sent_at: call.sent_at,
        ended_at: call.ended_at,
        used: call.used,
    })
}
