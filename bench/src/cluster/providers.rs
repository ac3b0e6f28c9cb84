//! Simulated providers as a process, the accounts for them, and their journal and counts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use chorus_core::limit::{Dimension, Limit, ReserveRule, Window};
use chorus_provider_sim::config::{
    Config, Dialect, Limits, ModelConfig, OrganisationConfig, OrganisationStatus, ProviderConfig,
    Service,
};
use chorus_provider_sim::engine::fault::{Fault, FaultRule};
use chorus_provider_sim::engine::journal::Entry;
use serde::Deserialize;
use toml::{Table, Value};

use super::process::{Launch, Process};
use super::web::Web;
use crate::time::until;

/// Organisations that fail every call, by provider, each with its fault.
///
/// They are known to the providers from the start; [`accounts`] leaves them out.
const SICK: [(Dialect, &str, Fault); 9] = [
    (Dialect::Deepseek, "sick-key", Fault::DeadKey),
    (Dialect::Deepseek, "sick-purse", Fault::Unpaid),
    (Dialect::Deepseek, "sick-page", Fault::Page),
    (Dialect::Deepseek, "sick-server", Fault::ServerError),
    (Dialect::Deepseek, "sick-untold", Fault::RateLimitUntold),
    (Dialect::Anthropic, "sick-model", Fault::NotFound),
    (Dialect::Anthropic, "sick-rights", Fault::Forbidden),
    (Dialect::Anthropic, "sick-busy", Fault::Overloaded),
    (Dialect::Anthropic, "sick-limit", Fault::RateLimit),
];

/// Running simulated providers of [`chorus_provider_sim`].
#[derive(Debug)]
pub struct Providers {
    /// Address on which they listen.
    pub address: SocketAddr,
    _process: Process,
    web: Web,
}

/// Reader of the providers' journal.
#[derive(Debug, Clone)]
pub struct Witness {
    address: SocketAddr,
    web: Web,
}

/// The provider's own count of one organisation's limits.
#[derive(Debug, Clone, Deserialize)]
pub struct Count {
    /// Name of the provider.
    pub provider: String,
    /// Id of the organisation.
    pub organisation: String,
    /// Number of admitted calls.
    pub admitted: u64,
    /// Number of calls refused because of a limit.
    pub refused: u64,
    /// Maximum use of each limit.
    pub limits: Vec<Peak>,
}

/// Maximum use of one limit.
#[derive(Debug, Clone, Deserialize)]
pub struct Peak {
    /// Counted dimension.
    pub counted: String,
    /// Amount of the limit.
    pub limit: u64,
    /// Maximum amount in use at one moment.
    pub peak: u64,
}

/// Speed and limits of the [`Providers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderSpeed {
    /// Two families with two organisations each; calls take a second or two, and limits bind.
    Real,
    /// One family that answers at once and has no limits.
    Instant,
}

impl Providers {
    /// Starts the providers with the `sim` command of the binary `program`.
    pub async fn start(config: &Config, program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let file = folder.join("providers.toml");
        std::fs::write(
            &file,
            toml::to_string(config).context("write the providers")?,
        )?;
        let address = super::ports::free()?;
        let arguments = [
            "sim",
            "--listen",
            &address.to_string(),
            "--providers",
            "providers.toml",
            "--journal",
            "journal.jsonl",
        ];
        let process = Process::start(Launch {
            name: "sim".to_owned(),
            program: program.to_owned(),
            arguments: arguments.map(str::to_owned).to_vec(),
            variables: Vec::new(),
            folder: folder.to_owned(),
        })?;
        let web = Web::new()?;
        until(
            "the simulated providers answer",
            Duration::from_secs(20),
            async || Ok(web.get(address, "/_sim/health").await),
        )
        .await?;
        Ok(Self {
            address,
            _process: process,
            web,
        })
    }

    /// Reader of the journal that other tasks may hold.
    pub fn witness(&self) -> Witness {
        Witness {
            address: self.address,
            web: self.web.clone(),
        }
    }

    /// [`Entry`] of every call that the providers received.
    pub async fn journal(&self) -> anyhow::Result<Vec<Entry>> {
        self.witness().journal().await
    }

    /// The providers' own count of every limit.
    pub async fn counts(&self) -> anyhow::Result<Vec<Count>> {
        Ok(serde_json::from_value(
            self.web.json(self.address, "/_sim/limits").await?,
        )?)
    }
}

impl Witness {
    /// [`Entry`] of every call that the providers received.
    pub async fn journal(&self) -> anyhow::Result<Vec<Entry>> {
        let (_, lines) = self
            .web
            .get(self.address, "/_sim/journal")
            .await
            .context("the providers do not answer")?;
        lines
            .lines()
            .map(|line| serde_json::from_str(line).context("a line of the journal"))
            .collect()
    }
}

/// [`Config`] of the providers with this speed.
pub fn config(speed: ProviderSpeed) -> Config {
    match speed {
        ProviderSpeed::Real => Config {
            seed: 1,
            speed: SPEED,
            providers: vec![
                provider(
                    Dialect::Deepseek,
                    REAL,
                    &with_sick(
                        Dialect::Deepseek,
                        &[("org-one", slots(3)), ("org-two", slots(2))],
                    ),
                ),
                provider(
                    Dialect::Anthropic,
                    REAL,
                    &with_sick(
                        Dialect::Anthropic,
                        &[("org-three", rates(10)), ("org-four", rates(8))],
                    ),
                ),
            ],
            faults: SICK
                .iter()
                .map(|(_, id, fault)| FaultRule {
                    organisation: Some((*id).to_owned()),
                    ..FaultRule::always(*fault)
                })
                .collect(),
            omissions: Vec::new(),
            journal: None,
        },
        ProviderSpeed::Instant => Config {
            seed: 1,
            speed: 1_000.0,
            providers: vec![provider(
                Dialect::Deepseek,
                INSTANT,
                &[("org-one", Limits::default())],
            )],
            faults: Vec::new(),
            omissions: Vec::new(),
            journal: None,
        },
    }
}

/// Adds the sick organisations of a provider, first and last, with room for many calls.
fn with_sick<'a>(dialect: Dialect, healthy: &[(&'a str, Limits)]) -> Vec<(&'a str, Limits)> {
    let sick = SICK
        .iter()
        .filter(|(of, ..)| *of == dialect)
        .map(|(_, id, _)| (*id, slots(20)));
    let mut all: Vec<_> = sick.collect();
    let last = all.split_off(all.len() / 2);
    all.extend_from_slice(healthy);
    all.extend(last);
    all
}

/// Returns true if all calls of the organisation fail.
pub fn is_sick(organisation: &str) -> bool {
    SICK.iter().any(|(_, id, _)| *id == organisation)
}

/// Healthy accounts of these providers, or the sick ones, in the format of `chorus account import`.
pub fn accounts(config: &Config, address: SocketAddr, sick: bool) -> anyhow::Result<String> {
    let mut accounts = Vec::new();
    for provider in &config.providers {
        let organisations = provider.organisations.iter();
        for organisation in organisations.filter(|organisation| is_sick(&organisation.id) == sick) {
            let limits = limits(organisation.limits, config.speed)
                .iter()
                .map(Value::try_from)
                .collect::<Result<Vec<_>, _>>()?;
            let credential = Table::from_iter([
                ("provider".to_owned(), provider.name.clone().into()),
                ("key".to_owned(), organisation.keys[0].clone().into()),
                ("organization".to_owned(), organisation.id.clone().into()),
                (
                    "base_url".to_owned(),
                    format!(
                        "http://{address}/{}{}",
                        provider.name,
                        path(provider.dialect)
                    )
                    .into(),
                ),
                ("limits".to_owned(), Value::Array(limits)),
            ]);
            accounts.push(Value::Table(Table::from_iter([
                (
                    "email".to_owned(),
                    format!("{}@example.com", organisation.id).into(),
                ),
                (
                    "credential".to_owned(),
                    Value::Array(vec![Value::Table(credential)]),
                ),
            ])));
        }
    }
    Ok(toml::to_string(&Table::from_iter([(
        "account".to_owned(),
        Value::Array(accounts),
    )]))?)
}

/// Path of the API below a provider's name.
const fn path(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Anthropic | Dialect::Openai => "/v1",
        Dialect::Deepseek => "",
    }
}

/// Factor by which the providers are faster than real ones.
const SPEED: f64 = 5.0;

const REAL: Service = Service {
    first_token_ms: 5_000,
    reads_per_second: 40_000,
    writes_per_second: 400,
    jitter_percent: 20,
    abort_grace_ms: 1_000,
    keep_alive_ms: 2_000,
};

const INSTANT: Service = Service {
    first_token_ms: 1,
    reads_per_second: 1_000_000,
    writes_per_second: 1_000_000,
    jitter_percent: 0,
    abort_grace_ms: 1,
    keep_alive_ms: 2_000,
};

fn slots(calls: u64) -> Limits {
    Limits {
        concurrency: Some(calls),
        ..Limits::default()
    }
}

fn rates(calls: u64) -> Limits {
    Limits {
        requests_per_minute: Some(calls),
        input_tokens_per_minute: Some(calls * 8_000),
        output_tokens_per_minute: Some(calls * 3_000),
        ..Limits::default()
    }
}

fn provider(
    dialect: Dialect,
    service: Service,
    organisations: &[(&str, Limits)],
) -> ProviderConfig {
    let (name, model, thinks) = match dialect {
        Dialect::Anthropic => ("anthropic", "claude-sonnet-5", false),
        Dialect::Openai => ("openai", "gpt-6-luna", false),
        Dialect::Deepseek => ("deepseek", "deepseek-v4-pro", true),
    };
    let organisation = |(id, limits): &(&str, Limits)| OrganisationConfig {
        id: (*id).to_owned(),
        keys: vec![format!("sk-ant-api03-sim-{id}")],
        speed: 1.0,
        limits: *limits,
        groups: BTreeMap::new(),
        status: OrganisationStatus::Good,
    };
    ProviderConfig {
        name: name.to_owned(),
        dialect,
        models: vec![ModelConfig {
            id: model.to_owned(),
            group: None,
            context: 400_000,
            max_output: 32_000,
            thinks,
        }],
        organisations: organisations.iter().map(organisation).collect(),
        service,
    }
}

/// [`Limits`] in real time, in the format of accounts files.
fn limits(limits: Limits, speed: f64) -> Vec<Limit> {
    let minute = Window::Bucket {
        per_ms: (60_000.0 / speed).round() as u64,
    };
    let rows = [
        (
            Dimension::Requests,
            limits.requests_per_minute,
            minute,
            ReserveRule::Estimate,
        ),
        (
            Dimension::InputTokens,
            limits.input_tokens_per_minute,
            minute,
            ReserveRule::Estimate,
        ),
        (
            Dimension::OutputTokens,
            limits.output_tokens_per_minute,
            minute,
            ReserveRule::AsProduced,
        ),
        (
            Dimension::Concurrency,
            limits.concurrency,
            Window::Held,
            ReserveRule::Estimate,
        ),
    ];
    let limit = |(dimension, amount, window, reserve)| {
        Some(Limit {
            dimension,
            amount: amount?,
            burst: None,
            window,
            reserve,
            cache_read_percent: 0,
            output_weight: 1,
        })
    };
    rows.into_iter().filter_map(limit).collect()
}
