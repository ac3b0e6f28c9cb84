//! Pauses of accounts by a person: no call begins with a paused credential, and a cut ends calls under way.
//!
//! A notice of a changed credential hastens the reading of its tenant's accounts; every heartbeat repeats it for tenants
//! with calls under way, because notices may be lost. A failed reading keeps what is known.

use std::collections::BTreeSet;

use chorus_core::id::Tenant;
use chorus_core::port::directory::CredentialState;

use crate::context::Context;
use crate::in_flight::Stop;

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
    context.credentials.set(tenant, paused);
    for holding in context.in_flight.on(&cut) {
        tracing::info!(task.attempt = %holding.attempt, "a call is cut, because its account is paused");
        context.in_flight.stop(&holding, Stop::Paused);
    }
}
