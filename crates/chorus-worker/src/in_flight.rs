//! Deliveries that this worker holds, each with a way to stop its call.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use chorus_core::attempt::{Delivery, Holding};
use chorus_core::id::{AttemptId, CredentialId, Tenant};
use futures_channel::oneshot;
use futures_util::FutureExt as _;

/// Reason for which a call is stopped on our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The row has another holder, or none.
    NotOurs,
    /// The worker drains, and its time is over.
    Drained,
    /// A person paused the account, and cuts its calls.
    Paused,
}

/// Future that completes when [`InFlight::stop`] stops its delivery; it stays pending after the
/// delivery ended.
#[derive(Debug)]
pub(crate) struct StopSignal {
    receiver: oneshot::Receiver<Stop>,
    reason: Option<Stop>,
}

impl StopSignal {
    /// Returns the reason of the stop, once the signal completed.
    pub(crate) const fn reason(&self) -> Option<Stop> {
        self.reason
    }
}

impl Future for StopSignal {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.reason.is_none()
            && let Poll::Ready(Ok(reason)) = self.receiver.poll_unpin(context)
        {
            self.reason = Some(reason);
        }
        match self.reason {
            Some(_) => Poll::Ready(()),
            None => Poll::Pending,
        }
    }
}

/// One held delivery.
struct Entry {
    tenant: Tenant,
    credential: CredentialId,
    stop: Option<oneshot::Sender<Stop>>,
}

/// Held deliveries; each stays until its finish was recorded.
#[derive(Default)]
pub(crate) struct InFlight {
    entries: Mutex<BTreeMap<Holding, Entry>>,
}

impl InFlight {
    /// Adds a delivery; the returned signal completes when its call must stop.
    pub(crate) fn add(&self, holding: Holding, delivery: &Delivery) -> StopSignal {
        let (sender, receiver) = oneshot::channel();
        let entry = Entry {
            tenant: delivery.attempt.tenant.clone(),
            credential: delivery.assignment.credential(),
            stop: Some(sender),
        };
        self.lock().insert(holding, entry);
        StopSignal {
            receiver,
            reason: None,
        }
    }

    /// Removes a delivery that was recorded.
    pub(crate) fn remove(&self, holding: &Holding) {
        self.lock().remove(holding);
    }

    /// Returns all held deliveries, in order.
    pub(crate) fn all(&self) -> Vec<Holding> {
        self.lock().keys().cloned().collect()
    }

    /// Returns true if one of these attempts is held.
    pub(crate) fn has_any(&self, attempts: &[AttemptId]) -> bool {
        self.lock()
            .keys()
            .any(|holding| attempts.contains(&holding.attempt))
    }

    /// Stops one delivery; does nothing when it is not held any more or was stopped before.
    pub(crate) fn stop(&self, holding: &Holding, reason: Stop) {
        let mut entries = self.lock();
        let sender = entries.get_mut(holding).and_then(|entry| entry.stop.take());
        if let Some(sender) = sender {
            // A delivery that is past its call has dropped its receiver and needs no stop.
            let _ = sender.send(reason);
        }
    }

    /// Stops all deliveries.
    pub(crate) fn stop_all(&self, reason: Stop) {
        for holding in self.all() {
            self.stop(&holding, reason);
        }
    }

    /// Returns the tenants of the held deliveries.
    pub(crate) fn tenants(&self) -> BTreeSet<Tenant> {
        let entries = self.lock();
        entries.values().map(|entry| entry.tenant.clone()).collect()
    }

    /// Returns the deliveries with one of these credentials.
    pub(crate) fn on(&self, credentials: &BTreeSet<CredentialId>) -> Vec<Holding> {
        let entries = self.lock();
        let on = entries
            .iter()
            .filter(|(_, entry)| credentials.contains(&entry.credential));
        on.map(|(holding, _)| holding.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Holding, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
