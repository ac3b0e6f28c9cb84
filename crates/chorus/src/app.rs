//! The app: all ports of one process, over the adapters that the configuration asks for, and the services on them.
//!
//! This is the only place where concrete adapters meet services. With SQLite it takes the data folder for this
//! process alone; over PostgreSQL, Kafka and Redis any number of processes have a app each.

mod adapters;
mod beside;
mod build;
mod dependency;
mod gateway;
mod key;
mod services;
mod shared;
mod sizes;

use std::sync::Arc;

use chorus_accounts::{AccountOperator, Importer};
use chorus_core::catalog::Catalog;
use chorus_core::id::Tenant;
use chorus_core::port::{Clock, Ports};
use chorus_core::time::Millis;
use chorus_upstream::Http;
use chorus_vault::{EnvelopeKey, KeyChecker};

use crate::config::Config;

use adapters::Adapters;

pub(crate) use adapters::{open_folder, place};
pub(crate) use build::BuildOptions;
pub(crate) use dependency::Dependency;
pub(crate) use services::{ServiceSet, Services};
pub(crate) use shared::{
    BusState, DeadLetter, Group, create_topics, dead_letters, look_at_bus, look_at_limits, replay,
};

/// Maximum time for leaving the bus.
const LEAVING: Millis = Millis::from_secs(5);

/// All ports of one process.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) tenant: Tenant,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ports: Ports,
    adapters: Adapters,
    key: EnvelopeKey,
    http: Http,
}

impl App {
    /// An importer of a tenant's accounts; with `check` it asks the providers whether credentials are alive.
    pub(crate) fn importer(&self, tenant: &Tenant, check: bool) -> Importer {
        Importer {
            directory: Arc::clone(&self.ports.directory),
            clock: Arc::clone(&self.clock),
            catalog: Arc::clone(&self.catalog),
            key: self.key.clone(),
            tenant: tenant.clone(),
            addresses: self.config.addresses(),
            checker: check.then(|| self.checker()),
            replaces_keys: false,
        }
    }

    /// Acts of operators on accounts.
    pub(crate) fn operator(&self) -> AccountOperator {
        AccountOperator {
            directory: Arc::clone(&self.ports.directory),
            audit: Arc::clone(&self.ports.audit),
            bus: Arc::clone(&self.ports.bus),
            clock: Arc::clone(&self.clock),
            catalog: Arc::clone(&self.catalog),
            key: self.key.clone(),
            addresses: self.config.addresses(),
            checker: self.checker(),
        }
    }

    /// Checker of keys at their providers.
    pub(crate) fn checker(&self) -> Arc<dyn KeyChecker> {
        Arc::new(self.http.clone())
    }

    /// Returns true if this process may run services: it holds the data folder, or needs none.
    pub(crate) const fn may_serve(&self) -> bool {
        !self.adapters.is_beside_holder
    }

    /// Resolves with the reason when the store can write no more.
    pub(crate) async fn trouble(&self) -> String {
        self.adapters.store.lasting_failure().wait().await
    }

    /// Dependencies of this process.
    pub(crate) fn dependencies(&self) -> Arc<[Dependency]> {
        Arc::clone(&self.adapters.dependencies)
    }

    /// Leaves the bus, so that other members need not wait for a timeout, and lets the store finish its writes.
    pub(crate) async fn close(self) {
        if let Some(leave) = &self.adapters.close_bus
            && !leave(LEAVING).await
        {
            tracing::warn!(
                "the bus was not left in time, others notice it by this process's silence"
            );
        }
        self.adapters.store.close().await;
    }
}
