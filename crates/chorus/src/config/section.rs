//! The sections, as typed values.

use std::path::PathBuf;
use std::sync::Arc;

use chorus_core::catalog::Catalog;
use chorus_core::id::ModelSlug;
use chorus_core::money::MicroUsd;
use chorus_core::task_kind::ModelRole;
use chorus_core::time::Millis;
use chorus_vault::address::AddressPolicy;
use serde::Deserialize;
use std::collections::BTreeMap;

use super::dollars::Dollars;
use super::hidden::Hidden;
use super::services::{Artifacts, Bus, Database, Gateway, HealthListener, Limits};

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) data: Data,
    pub(crate) database: Database,
    pub(crate) bus: Bus,
    pub(crate) limits: Limits,
    pub(crate) artifacts: Artifacts,
    pub(crate) gateway: Gateway,
    #[serde(rename = "probe")]
    pub(crate) health: HealthListener,
    pub(crate) drain: Drain,
    /// Models for each role, best first.
    pub(crate) roles: Roles,
    pub(crate) project: Project,
    pub(crate) worker: Worker,
    pub(crate) delivery: Delivery,
    pub(crate) network: Network,
    pub(crate) models: OwnModels,
    pub(crate) log: Log,
    /// Providers and models: those of this release, with the rows of [`OwnModels`].
    #[serde(skip, default = "shipped")]
    pub(crate) catalog: Arc<Catalog>,
    /// `--config` and `--data` as they were typed, for commands that are printed.
    #[serde(skip)]
    pub(crate) flags: String,
    /// True for `chorus demo`: providers are simulated, and the data folder is removed at the end.
    #[serde(skip)]
    pub(crate) is_demo: bool,
}

impl Config {
    /// [`AddressPolicy`] for the addresses of credentials.
    pub(crate) const fn addresses(&self) -> AddressPolicy {
        AddressPolicy {
            private_targets: self.network.allow_private,
        }
    }
}

/// Section `[data]`: folder and envelope key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Data {
    pub(crate) dir: PathBuf,
    pub(crate) key_file: PathBuf,
    /// The envelope key itself; empty for the one in the file.
    pub(crate) key: Hidden,
}

/// Section `[drain]`: time for calls under way after a stop signal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Drain {
    seconds: u64,
}

impl Drain {
    /// Maximum time for calls under way after a stop signal.
    pub(crate) const fn grace(&self) -> Millis {
        Millis(self.seconds.saturating_mul(1_000))
    }
}

/// Models for each role, best first; models of one inner list share the work.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Roles {
    planner: Vec<Vec<ModelSlug>>,
    writer: Vec<Vec<ModelSlug>>,
    merger: Vec<Vec<ModelSlug>>,
    judge: Vec<Vec<ModelSlug>>,
}

impl Roles {
    /// One model that thinks, and some that share the work.
    pub(crate) fn shared(thinks: &[&str], work: &[&str]) -> Self {
        let list = |models: &[&str]| vec![models.iter().map(ModelSlug::new).collect()];
        Self {
            planner: list(thinks),
            writer: list(work),
            merger: list(thinks),
            judge: list(thinks),
        }
    }

    /// The lists by [`ModelRole`].
    pub(crate) fn lists(&self) -> BTreeMap<ModelRole, Vec<Vec<ModelSlug>>> {
        BTreeMap::from([
            (ModelRole::Planner, self.planner.clone()),
            (ModelRole::Writer, self.writer.clone()),
            (ModelRole::Merger, self.merger.clone()),
            (ModelRole::Judge, self.judge.clone()),
        ])
    }
}

/// Bounds of one project.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Project {
    budget_usd: Dollars,
    pub(crate) max_tasks: u32,
    pub(crate) max_brief_bytes: u64,
    pub(crate) max_attachment_bytes: u64,
}

impl Project {
    /// Most that one project may spend.
    pub(crate) const fn budget(&self) -> MicroUsd {
        self.budget_usd.0
    }
}

/// The workers of this process.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Worker {
    pub(crate) slots: u32,
    call_timeout_seconds: u64,
    pub(crate) max_retries: u32,
}

impl Worker {
    /// Wall-clock deadline of one call.
    pub(crate) const fn call_timeout(&self) -> Millis {
        Millis(self.call_timeout_seconds.saturating_mul(1_000))
    }
}

/// Section `[delivery]`: intervals of heartbeats and leases.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Delivery {
    pub(crate) beat_ms: Millis,
    pub(crate) silent_ms: Millis,
    pub(crate) unclaimed_ms: Millis,
    pub(crate) term_ms: Millis,
}

/// Section `[network]`: addresses that may be reached.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Network {
    pub(crate) allow_private: bool,
}

fn shipped() -> Arc<Catalog> {
    Arc::new(chorus_upstream::catalog::load())
}

/// Section `[models]`: own rows of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnModels {
    /// File with `[[model]]` tables; empty for none.
    pub(crate) file: PathBuf,
}

/// Section `[log]`: level and [`LogFormat`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) level: String,
    pub(crate) format: LogFormat,
}

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}
