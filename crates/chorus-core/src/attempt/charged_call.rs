//! The charge of one call on the limits, read from the row of its delivery.

use super::{DeliveryEnd, DeliveryRow};
use crate::id::{CredentialId, ModelSlug, ProviderId, Tenant};
use crate::limit::PastUse;
use crate::llm::Usage;
use crate::time::Timestamp;

/// Call that ended and was charged, for [`Restoration`](crate::limit::Restoration).
#[derive(Debug, Clone, PartialEq)]
pub struct ChargedCall {
    /// Tenant that owns the account.
    pub tenant: Tenant,
    /// Credential of the call.
    pub credential: CredentialId,
    /// Provider of the call.
    pub provider: ProviderId,
    /// Model of the call, which names the groups.
    pub model: ModelSlug,
    /// Time of the claim, just before the call was sent.
    pub sent_at: Timestamp,
    /// Time at which the call ended, or was given up.
    pub ended_at: Timestamp,
    /// Amounts that the call used.
    pub used: PastUse,
}

impl ChargedCall {
    /// Reads the charge of a delivery; none when no call was made, or its lease may still hold something
    /// at `now` (see [`Deliveries::outstanding`](crate::port::Deliveries::outstanding)).
    pub fn of_row(row: &DeliveryRow, tenant: &Tenant, now: Timestamp) -> Option<Self> {
        let sent_at = row.claimed_at?;
        let is_outstanding = row.deadline.is_some_and(|deadline| now <= deadline);
        let unknown = || PastUse::Unknown {
            charges: row.assignment.lease.charges.clone(),
        };
        let used = match (&row.end, row.usage) {
            (Some(DeliveryEnd::Unclaimed), _) | (Some(DeliveryEnd::Finished { .. }), None) => {
                return None;
            }
            (None | Some(DeliveryEnd::WorkerLost | DeliveryEnd::Cancelled), _)
                if is_outstanding =>
            {
                return None;
            }
            (Some(DeliveryEnd::Finished { outcome }), Some(usage))
                if outcome.failure_class().is_some() && usage == Usage::default() =>
            {
                PastUse::Refused
            }
            (Some(_), Some(usage)) => PastUse::Known {
                usage,
                cost: row.cost,
            },
            (None | Some(DeliveryEnd::WorkerLost | DeliveryEnd::Cancelled), _) => unknown(),
        };
        Some(Self {
            tenant: tenant.clone(),
            credential: row.assignment.lease.credential,
            provider: row.assignment.provider.clone(),
            model: row.assignment.model.clone(),
            sent_at,
            ended_at: row.ended_at.or(row.deadline).unwrap_or(sent_at),
            used,
        })
    }
}
