//! Watch of credentials that a person holds: no call begins with a paused one, and a cut ends calls under way.
//!
//! A notice of a changed credential hastens the reading of its tenant's accounts; every heartbeat repeats it for tenants
//! with calls under way, because notices may be lost. A failed reading keeps what is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chorus_core::id::{CredentialId, Tenant};
use chorus_core::port::directory::CredentialState;

use crate::context::Context;
use crate::in_flight::Stop;

/// Held credentials of the tenants that were read.
#[derive(Default)]
pub(crate) struct CredentialWatch {
    held: Mutex<BTreeMap<Tenant, BTreeSet<CredentialId>>>,
}

impl CredentialWatch {
    /// Returns true if no call may begin with the credential. A draining one still carries out what it was chosen for.
    pub(crate) fn is_paused(&self, tenant: &Tenant, credential: CredentialId) -> bool {
        self.lock()
            .get(tenant)
            .is_some_and(|held| held.contains(&credential))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Tenant, BTreeSet<CredentialId>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the accounts of all tenants with calls under way, and stops the calls of credentials that are cut.
pub(crate) async fn look(context: &Context) {
    for tenant in context.in_flight.tenants() {
        look_at(context, &tenant).await;
    }
}

/// Reads the accounts of one tenant, and stops the calls of credentials that are cut.
pub(crate) async fn look_at(context: &Context, tenant: &Tenant) {
    let until = context.clock().now() + context.settings.beat;
    let reading = context.ports.directory.accounts(tenant);
    let accounts = match context.clock().deadline(until, reading).await {
        Some(Ok(accounts)) => accounts,
        Some(Err(error)) => {
            tracing::warn!(error = %error, "failed to read accounts, calls go on");
            return;
        }
        None => return,
    };
    let credentials = accounts.iter().flat_map(|account| &account.credentials);
    let (mut paused, mut cut) = (BTreeSet::new(), BTreeSet::new());
    for credential in credentials {
        if matches!(credential.state, CredentialState::Paused { .. }) {
            paused.insert(credential.id);
        }
        if credential.state.is_cut() {
            cut.insert(credential.id);
        }
    }
    context.credentials.lock().insert(tenant.clone(), paused);
    for holding in context.in_flight.on(&cut) {
        tracing::info!(task.attempt = %holding.attempt, "a call is cut, because its account is paused");
        context.in_flight.stop(&holding, Stop::Paused);
    }
}
