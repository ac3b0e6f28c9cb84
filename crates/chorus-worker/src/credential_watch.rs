//! Credentials that a person paused, as they were read last. [`pauses`](crate::pauses) reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chorus_core::id::{CredentialId, Tenant};

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

    /// Replaces the paused credentials of a tenant.
    pub(crate) fn set(&self, tenant: &Tenant, paused: BTreeSet<CredentialId>) {
        self.lock().insert(tenant.clone(), paused);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Tenant, BTreeSet<CredentialId>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
