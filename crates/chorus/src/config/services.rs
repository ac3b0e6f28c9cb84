//! The sections about what a process stands on and where it can be reached.

use std::net::SocketAddr;

use chorus_core::money::MicroUsd;
use chorus_core::time::Millis;
use serde::Deserialize;

use super::dollars::Dollars;
use super::hidden::Hidden;

/// Section `[database]`: place of the rows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    /// PostgreSQL's URL; empty for SQLite in the data folder.
    pub(crate) url: Hidden,
    pub(crate) connections: u32,
}

impl Database {
    /// Returns true if several processes can use the database.
    pub(crate) const fn is_shared(&self) -> bool {
        !self.url.is_empty()
    }
}

/// Section `[bus]`: transport of records.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bus {
    pub(crate) kind: BusKind,
    pub(crate) brokers: String,
    pub(crate) namespace: String,
    pub(crate) security: Security,
    pub(crate) sasl_mechanism: String,
    pub(crate) sasl_username: String,
    pub(crate) sasl_password: Hidden,
    pub(crate) ca_file: String,
    pub(crate) replication: u16,
    pub(crate) session_timeout_ms: Millis,
}

/// Which bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BusKind {
    /// In this process.
    Embedded,
    /// Between processes.
    Kafka,
}

/// Security protocol of the connection to Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Security {
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl Security {
    pub(crate) const fn has_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    pub(crate) const fn has_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    /// As the configuration writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }
}

/// Section `[limits]`: place of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) kind: LimitsKind,
    pub(crate) url: Hidden,
    pub(crate) namespace: String,
}

/// Which ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LimitsKind {
    /// In this process.
    Memory,
    /// Between processes.
    Redis,
}

/// Section `[artifacts]`: place of artifacts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Artifacts {
    pub(crate) place: ArtifactPlace,
}

/// Which place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ArtifactPlace {
    /// As fits the database.
    Auto,
    /// Files below the data folder.
    Directory,
    /// Rows.
    Database,
}

/// Section `[gateway]`: address and bounds of the API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gateway {
    pub(crate) listen: SocketAddr,
    pub(crate) auth: GatewayAuth,
    max_budget_usd: Dollars,
    pub(crate) max_body_bytes: usize,
}

impl Gateway {
    /// Most that a client may name as the budget of a project.
    pub(crate) const fn most_budget(&self) -> MicroUsd {
        self.max_budget_usd.0
    }
}

/// Clients that the gateway accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GatewayAuth {
    /// Clients with an API key.
    Keys,
    /// All programs on this machine.
    Open,
}

/// Section `[probe]`: address of the health endpoints of processes without a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HealthListener {
    #[serde(deserialize_with = "address_or_none")]
    pub(crate) listen: Option<SocketAddr>,
}

fn address_or_none<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    let refusal = || {
        serde::de::Error::custom(format!(
            "found {text:?}, expected an address such as \"127.0.0.1:8781\", or \"\""
        ))
    };
    text.parse().map(Some).map_err(|_| refusal())
}
