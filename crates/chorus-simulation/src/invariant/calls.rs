//! Calls as providers see them: each under a lease of its own, one in flight for each epoch.

use std::collections::BTreeMap;

use chorus_core::id::{AttemptId, CredentialId, Epoch, LeaseId};
use chorus_core::time::Timestamp;
use chorus_provider_sim::engine::quota::Counted;
use chorus_store::rows::Rows;

use super::{Invariant, Leases, Violation};

/// A request that reached a provider.
#[derive(Debug, Clone, Copy)]
pub struct CallStart<'a> {
    /// Header `x-client-request-id`: attempt and epoch, joined by a dot.
    pub reference: &'a str,
    /// Credential of the API key in the request.
    pub credential: CredentialId,
    /// Limit that the call exceeds by the provider's own count, if any.
    pub passed: Option<Counted>,
}

/// Calls in flight and the number of calls of each delivery.
#[derive(Debug, Default)]
pub struct Calls {
    flying: BTreeMap<(AttemptId, Epoch), LeaseId>,
    made: BTreeMap<(AttemptId, Epoch), u32>,
}

impl Calls {
    pub(super) fn start(
        &mut self,
        call: &CallStart<'_>,
        leases: &mut Leases,
        rows: &Rows,
        now: Timestamp,
    ) -> Result<(), Violation> {
        let Some(key) = parsed(call.reference) else {
            return Err(Violation::new(
                Invariant::CallsAccounted,
                format!("a call names itself {:?}", call.reference),
            ));
        };
        *self.made.entry(key).or_default() += 1;
        if self.flying.contains_key(&key) {
            return Err(Violation::new(
                Invariant::OneCallPerEpoch,
                format!("a second call of {} is in flight", call.reference),
            ));
        }
        let Some(stored) = rows.deliveries.get(&key) else {
            return Err(Violation::new(
                Invariant::CallsAccounted,
                format!("call {} belongs to no delivery", call.reference),
            ));
        };
        let lease = &stored.delivery.assignment.lease;
        if lease.credential != call.credential {
            let what = format!(
                "call {} ran on {}, its lease is for {}",
                call.reference, call.credential, lease.credential
            );
            return Err(Violation::new(Invariant::CallNeedsLease, what));
        }
        self.flying.insert(key, lease.id);
        leases.call(lease.id, now)?;
        match call.passed {
            Some(counted) => {
                let what = format!(
                    "call {} on {} would pass the provider's limit of {counted:?}",
                    call.reference, lease.credential
                );
                Err(Violation::new(Invariant::ProviderCount, what))
            }
            None => Ok(()),
        }
    }

    pub(super) fn end(&mut self, reference: &str, leases: &mut Leases) {
        if let Some(lease) = parsed(reference).and_then(|key| self.flying.remove(&key)) {
            leases.call_ended(lease);
        }
    }

    /// Number of calls of each delivery.
    pub(super) const fn made(&self) -> &BTreeMap<(AttemptId, Epoch), u32> {
        &self.made
    }
}

pub(super) fn parsed(reference: &str) -> Option<(AttemptId, Epoch)> {
    let (attempt, epoch) = reference.split_once('.')?;
    Some((attempt.parse().ok()?, Epoch(epoch.parse().ok()?)))
}
