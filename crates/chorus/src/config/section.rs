//! The sections, as typed values.

use std::path::PathBuf;

use chorus_core::id::ModelSlug;
use chorus_core::money::MicroUsd;
use chorus_core::task_kind::ModelRole;
use chorus_core::time::Millis;
use chorus_vault::address::AddressPolicy;
use serde::Deserialize;
use std::collections::BTreeMap;

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
    pub(crate) log: Log,
    /// `--config` and `--data` as they were typed, for commands that are printed.
    #[serde(skip)]
    pub(crate) flags: String,
    /// True for `chorus demo`: providers are simulated, and the data folder is removed at the end.
    #[serde(skip)]
    pub(crate) is_demo: bool,
}

impl Config {
    /// Which addresses credentials may name.
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
        Millis::from_secs(self.seconds)
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

    /// The lists by role.
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
        Millis::from_secs(self.call_timeout_seconds)
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

/// Section `[log]`: level and format.
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

/// An amount of dollars as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dollars(pub(crate) MicroUsd);

impl std::str::FromStr for Dollars {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refusal = || {
            format!("{text:?} is not an amount of dollars between 0 and 1000000, for instance 2.50")
        };
        let amount: f64 = text
            .trim()
            .trim_start_matches('$')
            .parse()
            .map_err(|_| refusal())?;
        if !(0.0..=1_000_000.0).contains(&amount) {
            return Err(refusal());
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "at most 10^12 after the check above"
        )]
        let micros = (amount * 1_000_000.0).round() as i64;
        Ok(Self(MicroUsd(micros)))
    }
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Amount;
        impl serde::de::Visitor<'_> for Amount {
            type Value = f64;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an amount of dollars such as 5 or 2.50")
            }

            fn visit_f64<E: serde::de::Error>(self, amount: f64) -> Result<f64, E> {
                Ok(amount)
            }

            fn visit_i64<E: serde::de::Error>(self, amount: i64) -> Result<f64, E> {
                i32::try_from(amount)
                    .map(f64::from)
                    .map_err(|_| E::custom("too large an amount"))
            }
        }
        let amount = deserializer.deserialize_any(Amount)?;
        amount.to_string().parse().map_err(serde::de::Error::custom)
    }
}
