//! Size limits of a tenant, read from its accounts and kept for a while: the binary's [`SizePolicy`] around the
//! pure rule [`chorus_pool::size_policy::fitted`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chorus_core::catalog::Catalog;
use chorus_core::id::Tenant;
use chorus_core::port::{Clock, Directory};
use chorus_core::sizes::SizeLimits;
use chorus_core::time::{Millis, Timestamp};
use chorus_orchestrator::SizePolicy;
use chorus_pool::{EndpointIndex, RoleModels, size_policy};

use super::App;

/// Time for which limits are reused; a new account is noticed this late.
const KEPT_FOR: Millis = Millis::from_secs(10);

/// [`SizePolicy`] over the accounts in the directory.
pub(super) struct AccountSizePolicy {
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    catalog: Arc<Catalog>,
    roles: RoleModels,
    max_tasks: u32,
    kept: Mutex<BTreeMap<Tenant, (Timestamp, SizeLimits)>>,
}

impl AccountSizePolicy {
    pub(super) fn new(app: &App) -> Self {
        Self {
            directory: Arc::clone(&app.ports.directory),
            clock: Arc::clone(&app.clock),
            catalog: Arc::clone(&app.catalog),
            roles: app.config.roles.lists(),
            max_tasks: app.config.project.max_tasks,
            kept: Mutex::new(BTreeMap::new()),
        }
    }

    fn configured(&self) -> SizeLimits {
        let mut limits = SizeLimits::default();
        limits.plan.max_tasks = self.max_tasks;
        limits
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<Tenant, (Timestamp, SizeLimits)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SizePolicy for AccountSizePolicy {
    async fn limits(&self, tenant: &Tenant) -> SizeLimits {
        let now = self.clock.now();
        let known = self.kept().get(tenant).cloned();
        if let Some((since, limits)) = &known
            && now.since(*since) < KEPT_FOR
        {
            return limits.clone();
        }
        let accounts = match self.directory.accounts(tenant).await {
            Ok(accounts) => accounts,
            Err(error) => {
                tracing::warn!(error = %error, "failed to read accounts, older size limits are used");
                return known.map_or_else(|| self.configured(), |(_, limits)| limits);
            }
        };
        let mut index = EndpointIndex::new(Arc::clone(&self.catalog));
        index.set(tenant, accounts);
        let limits = size_policy::fitted(self.configured(), &index, tenant, &self.roles, now);
        self.kept().insert(tenant.clone(), (now, limits.clone()));
        limits
    }
}
