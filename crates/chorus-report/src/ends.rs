//! Names of the ends of deliveries, as [`Span::end`](super::Span::end) holds them.

use chorus_core::attempt::{DeliveryEnd, DeliveryRow, Outcome, Requeue};

/// Name of the end of a delivery.
pub(super) fn name(delivery: &DeliveryRow) -> &'static str {
    match &delivery.end {
        None => "open",
        Some(DeliveryEnd::Unclaimed) => "unclaimed",
        Some(DeliveryEnd::WorkerLost) => "lost",
        Some(DeliveryEnd::Cancelled) => "cancelled",
        Some(DeliveryEnd::Finished { outcome }) => outcome_name(outcome),
    }
}

fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded { .. } => "done",
        Outcome::Asked { .. } => "asked",
        Outcome::Failed { .. } => "failed",
        Outcome::Requeue { reason, .. } => match reason {
            Requeue::Limited { class } if class.rule().is_limit() => "limited",
            Requeue::Limited { .. } => "refused",
            Requeue::Retry { .. } => "retried",
            Requeue::Continue => "continued",
            Requeue::Drained | Requeue::LeaseGone => "handed_back",
        },
    }
}

/// Returns true if the delivery contributed to a result, or may still do so.
pub(super) fn is_useful(delivery: &DeliveryRow) -> bool {
    matches!(name(delivery), "done" | "asked" | "continued" | "open")
}

/// Returns true if the cost is the sum reserved for a call of which nothing was heard.
pub(super) fn is_unconfirmed(delivery: &DeliveryRow) -> bool {
    delivery.usage.is_none() && delivery.cost.0 > 0
}
