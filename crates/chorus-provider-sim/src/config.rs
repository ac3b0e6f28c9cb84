//! What is simulated: providers, their organisations and keys, limits, models, speed and faults.
//!
//! Amounts are in provider time: `speed` divides every service time and every window, so that a minute's
//! limit comes back in `60 / speed` seconds of real time.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::engine::fault::FaultRule;

mod demo;

pub use demo::{Account, AccountLimit, Demo, demo};

/// Everything that is simulated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Seed of all chance.
    #[serde(default)]
    pub seed: u64,
    /// How many times faster than a real provider.
    #[serde(default = "one")]
    pub speed: f64,
    /// The providers.
    pub providers: Vec<ProviderConfig>,
    /// Faults that happen by themselves.
    #[serde(default)]
    pub faults: Vec<FaultRule>,
    /// Results that are left incomplete on purpose.
    #[serde(default)]
    pub omissions: Vec<Omission>,
    /// File to which every journal line is appended.
    #[serde(default)]
    pub journal: Option<PathBuf>,
}

/// One provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// Its name, which is also the first part of its paths.
    pub name: String,
    /// Whose wire text it speaks.
    pub dialect: Dialect,
    /// Its models.
    pub models: Vec<ModelConfig>,
    /// Its customers.
    pub organisations: Vec<OrganisationConfig>,
    /// How long it takes.
    #[serde(default)]
    pub service: Service,
}

/// Whose wire text a provider speaks, with that provider's limits.
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

/// One model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Its name on the wire.
    pub id: String,
    /// Models of one group share their limits; the model's own name when absent.
    #[serde(default)]
    pub group: Option<String>,
    /// Most tokens of prompt and reply together.
    #[serde(default = "context")]
    pub context: u64,
    /// Most tokens of a reply.
    #[serde(default = "max_output")]
    pub max_output: u64,
    /// Whether it thinks before it answers when nothing is said about it.
    #[serde(default)]
    pub thinks: bool,
}

/// One customer of a provider: keys of one organisation draw on the same limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganisationConfig {
    /// Its id, as error texts show it.
    pub id: String,
    /// Its keys.
    pub keys: Vec<String>,
    /// How much faster than its provider's `service` it is served.
    #[serde(default = "one")]
    pub speed: f64,
    /// Its limits for each group of models.
    #[serde(default)]
    pub limits: Limits,
    /// Other limits for some groups.
    #[serde(default)]
    pub groups: BTreeMap<String, Limits>,
    /// Whether it may call at all.
    #[serde(default)]
    pub standing: Standing,
}

/// Limits of one organisation on one group of models; absent means unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Calls a minute.
    #[serde(default)]
    pub requests_per_minute: Option<u64>,
    /// Prompt tokens a minute.
    #[serde(default)]
    pub input_tokens_per_minute: Option<u64>,
    /// Produced tokens a minute.
    #[serde(default)]
    pub output_tokens_per_minute: Option<u64>,
    /// Tokens a minute, as OpenAI counts them.
    #[serde(default)]
    pub tokens_per_minute: Option<u64>,
    /// Calls at the same time.
    #[serde(default)]
    pub concurrency: Option<u64>,
}

/// Whether an organisation may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It may.
    #[default]
    Good,
    /// Its keys were revoked.
    Revoked,
    /// Its credit is used up.
    Unpaid,
    /// It has reached its monthly spend limit.
    Capped,
}

/// How long a provider takes, in its own time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Service {
    /// Until the first token of a short prompt.
    pub first_token_ms: u64,
    /// Prompt tokens read in a second.
    pub reads_per_second: u64,
    /// Tokens produced in a second.
    pub writes_per_second: u64,
    /// Chance varies each call's times by so many per cent up and down.
    pub jitter_percent: u8,
    /// How long it goes on after a client hung up.
    pub abort_grace_ms: u64,
    /// How often a waiting call is kept alive with a comment or an empty line.
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

/// Results of tasks whose title contains a text lack a part until feedback asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Omission {
    /// What the part's instructions or output path contain; case does not matter.
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
