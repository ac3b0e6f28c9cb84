//! Configuration of the simulation: providers, their organisations and keys, limits, models, speed
//! and faults.
//!
//! Amounts are in provider time. [`Config::speed`] divides every service time and every window, so
//! a minute's limit refills in `60 / speed` seconds of real time.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::engine::fault::FaultRule;

mod demo;

pub use demo::{Account, AccountLimit, Demo, demo};

/// Configuration of all simulated [`Providers`](crate::engine::Providers).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Seed of all randomness.
    #[serde(default)]
    pub seed: u64,
    /// Factor by which providers are faster than real ones.
    #[serde(default = "one")]
    pub speed: f64,
    /// All providers, with distinct names.
    pub providers: Vec<ProviderConfig>,
    /// [`FaultRule`]s for all providers.
    #[serde(default)]
    pub faults: Vec<FaultRule>,
    /// Results that are incomplete on purpose.
    #[serde(default)]
    pub omissions: Vec<Omission>,
    /// File to which every [`Entry`](crate::engine::journal::Entry) is appended as a JSON line.
    #[serde(default)]
    pub journal: Option<PathBuf>,
}

/// Configuration of one provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// Name of the provider and first segment of its paths.
    pub name: String,
    /// Wire format of the provider.
    pub dialect: Dialect,
    /// Models that the provider serves.
    pub models: Vec<ModelConfig>,
    /// Customers of the provider.
    pub organisations: Vec<OrganisationConfig>,
    /// [`Service`] times of the provider.
    #[serde(default)]
    pub service: Service,
}

/// Wire format of a provider, with the limits that this provider enforces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// Anthropic Messages.
    Anthropic,
    /// OpenAI chat completions.
    Openai,
    /// DeepSeek's chat completions.
    Deepseek,
}

/// Configuration of one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Name of the model on the wire.
    pub id: String,
    /// Group of models that share limits; the model's own name if absent.
    #[serde(default)]
    pub group: Option<String>,
    /// Maximum tokens of prompt and reply together.
    #[serde(default = "context")]
    pub context: u64,
    /// Maximum tokens of a reply.
    #[serde(default = "max_output")]
    pub max_output: u64,
    /// True if the model thinks unless the request turns it off.
    #[serde(default)]
    pub thinks: bool,
}

/// Customer of a provider. All keys of an organisation draw on the same limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganisationConfig {
    /// Id of the organisation, as in error texts.
    pub id: String,
    /// API keys of the organisation.
    pub keys: Vec<String>,
    /// Factor by which this organisation is served faster than [`ProviderConfig::service`].
    #[serde(default = "one")]
    pub speed: f64,
    /// [`Limits`] for each group of models.
    #[serde(default)]
    pub limits: Limits,
    /// Limits that replace [`OrganisationConfig::limits`] for some groups.
    #[serde(default)]
    pub groups: BTreeMap<String, Limits>,
    /// Billing and key status. Files may also call it `standing`.
    #[serde(default, alias = "standing")]
    pub status: OrganisationStatus,
}

/// Limits of one organisation on one group of models; absent means unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Calls per minute.
    #[serde(default)]
    pub requests_per_minute: Option<u64>,
    /// Prompt tokens per minute.
    #[serde(default)]
    pub input_tokens_per_minute: Option<u64>,
    /// Output tokens per minute.
    #[serde(default)]
    pub output_tokens_per_minute: Option<u64>,
    /// Prompt and output tokens per minute, as OpenAI counts them.
    #[serde(default)]
    pub tokens_per_minute: Option<u64>,
    /// Maximum number of calls in flight.
    #[serde(default)]
    pub concurrency: Option<u64>,
}

/// Billing and key status of an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrganisationStatus {
    /// Calls are served.
    #[default]
    Good,
    /// All keys are revoked: 401.
    Revoked,
    /// Credit is used up: 402, or OpenAI's 429.
    Unpaid,
    /// The monthly spend limit is reached.
    Capped,
}

/// Service times of a provider, in provider time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Service {
    /// Milliseconds to the first token of a short prompt.
    pub first_token_ms: u64,
    /// Prompt tokens read per second.
    pub reads_per_second: u64,
    /// Output tokens produced per second.
    pub writes_per_second: u64,
    /// Random variation of each call's times, in per cent up and down.
    pub jitter_percent: u8,
    /// Milliseconds for which a provider keeps working after the client closed the connection.
    pub abort_grace_ms: u64,
    /// Milliseconds between comments or empty lines that keep a waiting call alive.
    pub keep_alive_ms: u64,
}

impl Default for Service {
    fn default() -> Self {
        Self {
            first_token_ms: 600,
            reads_per_second: 8_000,
            writes_per_second: 80,
            jitter_percent: 20,
            abort_grace_ms: 1_000,
            keep_alive_ms: 5_000,
        }
    }
}

/// Rule for results that lack a part until feedback asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Omission {
    /// Text in the part's instructions or output path that selects it, ignoring case.
    pub contains: String,
}

const fn one() -> f64 {
    1.0
}

const fn context() -> u64 {
    200_000
}

const fn max_output() -> u64 {
    32_000
}
