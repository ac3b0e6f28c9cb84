//! The app: all ports of one process, over the adapters that the configuration asks for, and the services on them.
//!
//! This is the only place where concrete adapters meet services. With SQLite it takes the data folder for this
//! process alone; over PostgreSQL, Kafka and Redis any number of processes have a app each.

mod adapters;
mod build;
mod dependency;
mod gateway;
mod key;
mod services;
mod shared;
mod sizes;

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_accounts::Importer;
use chorus_core::catalog::Catalog;
use chorus_core::id::{AccountId, Tenant};
use chorus_core::port::bus::Record;
use chorus_core::port::{Clock, Ports, relay};
use chorus_core::time::Millis;
use chorus_upstream::Http;
use chorus_vault::{EnvelopeKey, KeyChecker};

use crate::config::Config;
use crate::report::LimitUse;

use adapters::Adapters;

pub(crate) use adapters::place;
pub(crate) use build::BuildOptions;
pub(crate) use dependency::Dependency;
pub(crate) use services::{ServiceSet, Services};
pub(crate) use shared::{
    BusState, DeadLetter, Group, create_topics, dead_letters, look_at_bus, look_at_limits, replay,
};

/// How long leaving the bus may take.
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
            checker: check.then(|| Arc::new(self.http.clone()) as Arc<dyn KeyChecker>),
        }
    }

    /// Publishes a record that was committed; the dispatcher sends it again where this fails.
    pub(crate) async fn publish(&self, record: Record) {
        let Ports {
            bus, outbox, clock, ..
        } = &self.ports;
        relay::publish_committed(&**bus, &**outbox, &**clock, vec![record]).await;
    }

    /// Names of accounts, for people.
    pub(crate) async fn account_names(&self) -> anyhow::Result<BTreeMap<AccountId, String>> {
        Ok(self
            .ports
            .directory
            .accounts(&self.tenant)
            .await?
            .into_iter()
            .map(|account| (account.id, account.name))
            .collect())
    }

    /// How near each limit came since this process started; nothing where the ledger is shared.
    pub(crate) fn limit_use(&self) -> Vec<LimitUse> {
        let levels = self
            .adapters
            .levels
            .iter()
            .flat_map(|levels| levels.levels());
        levels
            .map(|level| LimitUse {
                group: level.group.to_string(),
                dimension: format!("{:?}", level.dimension),
                capacity: u64::try_from(level.capacity).unwrap_or(0),
                least_left: level.lowest,
            })
            .collect()
    }

    /// Returns when nothing can be written any more, with the reason.
    pub(crate) async fn trouble(&self) -> String {
        self.adapters.store.lasting_failure().wait().await
    }

    /// What this process needs besides itself.
    pub(crate) fn dependencies(&self) -> Arc<[Dependency]> {
        Arc::clone(&self.adapters.dependencies)
    }

    /// Leaves the bus, so that others need not wait for this process, and lets the store finish what it was told.
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
