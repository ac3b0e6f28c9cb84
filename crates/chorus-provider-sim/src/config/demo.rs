//! Pool of the demo: seven organisations of three providers with unequal, tight limits on a fast
//! clock.
//!
//! Two organisations grant less than their accounts state, so rate limits are reached; one stream
//! breaks in the middle; one first result lacks a part. A project of some fifty calls ends within a
//! minute.

use std::collections::BTreeMap;

use super::{
    Config, Dialect, Limits, ModelConfig, Omission, OrganisationConfig, OrganisationStatus,
    ProviderConfig, Service,
};
use crate::engine::fault::{Fault, FaultRule};
use crate::engine::quota::Counted;

/// Factor by which the demo's providers are faster than real ones.
const SPEED: f64 = 10.0;

/// Providers of the demo and the accounts that use them.
#[derive(Debug, Clone, PartialEq)]
pub struct Demo {
    /// [`Config`] of the providers.
    pub config: Config,
    /// Accounts with keys at these providers.
    pub accounts: Vec<Account>,
}

/// Account as an operator writes it into an accounts file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// E-mail address that names the account.
    pub name: String,
    /// Owner of the account.
    pub owner: String,
    /// Provider row: `anthropic`, `openai` or `deepseek`.
    pub provider: String,
    /// Organisation at the provider; all its keys share its limits.
    pub organisation: String,
    /// API key in plain text.
    pub key: String,
    /// Path below the server's address that replaces the provider's base URL.
    pub path: String,
    /// Models, as the provider names them.
    pub models: Vec<String>,
    /// Limits that the operator assumes for each model, in real time.
    pub limits: Vec<AccountLimit>,
}

/// One limit of an [`Account`] in real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountLimit {
    /// Counted dimension.
    pub counted: Counted,
    /// Amount of the limit.
    pub amount: u64,
    /// Milliseconds in which the whole amount refills; `None` for concurrency.
    pub per_ms: Option<u64>,
}

/// Creates the demo for a seed.
pub fn demo(seed: u64) -> Demo {
    let customers = customers();
    let config = Config {
        seed,
        speed: SPEED,
        providers: vec![
            provider(Dialect::Anthropic, &customers, 32, 25),
            provider(Dialect::Openai, &customers, 28, 22),
            provider(Dialect::Deepseek, &customers, 60, 30),
        ],
        faults: faults(),
        omissions: vec![Omission {
            contains: "section=\"d1.3\"".to_owned(),
        }],
        journal: None,
    };
    let accounts = customers.iter().flat_map(Customer::accounts).collect();
    Demo { config, accounts }
}

/// An organisation with the limits that its accounts state.
struct Customer {
    dialect: Dialect,
    id: &'static str,
    owners: &'static [&'static str],
    speed: f64,
    limits: Limits,
    believed: Limits,
}

fn customers() -> Vec<Customer> {
    let anthropic = |requests, input, output| Limits {
        requests_per_minute: Some(requests),
        input_tokens_per_minute: Some(input),
        output_tokens_per_minute: Some(output),
        ..Limits::default()
    };
    let openai = |requests, tokens| Limits {
        requests_per_minute: Some(requests),
        tokens_per_minute: Some(tokens),
        ..Limits::default()
    };
    let deepseek = |calls| Limits {
        concurrency: Some(calls),
        ..Limits::default()
    };
    let optimistic = |dialect, id, owners, speed, [limits, believed]: [Limits; 2]| Customer {
        dialect,
        id,
        owners,
        speed,
        limits,
        believed,
    };
    let honest = |dialect, id, owners, speed, limits| {
        optimistic(dialect, id, owners, speed, [limits, limits])
    };
    vec![
        honest(
            Dialect::Anthropic,
            "org-amber",
            &["an.tran", "binh.le"],
            1.3,
            anthropic(8, 20_000, 7_000),
        ),
        honest(
            Dialect::Anthropic,
            "org-birch",
            &["carla.diaz"],
            1.0,
            anthropic(4, 20_000, 5_000),
        ),
        optimistic(
            Dialect::Anthropic,
            "org-cedar",
            &["dmitri.orlov"],
            0.7,
            [anthropic(3, 14_000, 4_000), anthropic(5, 14_000, 4_000)],
        ),
        honest(
            Dialect::Openai,
            "org-dune",
            &["emma.hall"],
            1.0,
            openai(6, 40_000),
        ),
        optimistic(
            Dialect::Openai,
            "org-ember",
            &["farid.noor"],
            1.1,
            [openai(3, 30_000), openai(6, 40_000)],
        ),
        honest(
            Dialect::Deepseek,
            "org-fjord",
            &["grace.kim"],
            1.2,
            deepseek(3),
        ),
        honest(
            Dialect::Deepseek,
            "org-grove",
            &["hugo.blanc"],
            0.8,
            deepseek(2),
        ),
    ]
}

impl Customer {
    fn keys(&self) -> Vec<String> {
        let prefix = match self.dialect {
            Dialect::Anthropic => "sk-ant-api03-sim",
            Dialect::Openai => "sk-proj-sim",
            Dialect::Deepseek => "sk-sim",
        };
        self.owners
            .iter()
            .map(|owner| format!("{prefix}-{}-{}", self.id, owner.replace('.', "-")))
            .collect()
    }

    fn accounts(&self) -> Vec<Account> {
        let account = |(owner, key): (&&str, String)| Account {
            name: format!("{owner}@example.com"),
            owner: (*owner).to_owned(),
            provider: name(self.dialect).to_owned(),
            organisation: self.id.to_owned(),
            key,
            path: format!(
                "/{}{}",
                name(self.dialect),
                if self.dialect == Dialect::Openai {
                    "/v1"
                } else {
                    ""
                }
            ),
            models: models(self.dialect)
                .into_iter()
                .map(|model| model.id)
                .collect(),
            limits: real_limits(self.believed),
        };
        self.owners.iter().zip(self.keys()).map(account).collect()
    }

    fn organisation(&self) -> OrganisationConfig {
        OrganisationConfig {
            id: self.id.to_owned(),
            keys: self.keys(),
            speed: self.speed,
            limits: self.limits,
            groups: BTreeMap::new(),
            status: OrganisationStatus::Good,
        }
    }
}

fn real_limits(limits: Limits) -> Vec<AccountLimit> {
    let minute = Some((60_000.0 / SPEED).round() as u64);
    let rows = [
        (Counted::Requests, limits.requests_per_minute, minute),
        (Counted::InputTokens, limits.input_tokens_per_minute, minute),
        (
            Counted::OutputTokens,
            limits.output_tokens_per_minute,
            minute,
        ),
        (Counted::Tokens, limits.tokens_per_minute, minute),
        (Counted::Concurrency, limits.concurrency, None),
    ];
    rows.into_iter()
        .filter_map(|(counted, amount, per_ms)| {
            Some(AccountLimit {
                counted,
                amount: amount?,
                per_ms,
            })
        })
        .collect()
}

fn provider(
    dialect: Dialect,
    customers: &[Customer],
    writes_per_second: u64,
    jitter_percent: u8,
) -> ProviderConfig {
    ProviderConfig {
        name: name(dialect).to_owned(),
        dialect,
        models: models(dialect),
        organisations: customers
            .iter()
            .filter(|customer| customer.dialect == dialect)
            .map(Customer::organisation)
            .collect(),
        service: Service {
            first_token_ms: 3_000,
            reads_per_second: 4_000,
            writes_per_second,
            jitter_percent,
            abort_grace_ms: 3_000,
            keep_alive_ms: 2_000,
        },
    }
}

const fn name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Anthropic => "anthropic",
        Dialect::Openai => "openai",
        Dialect::Deepseek => "deepseek",
    }
}

fn models(dialect: Dialect) -> Vec<ModelConfig> {
    let model = |id: &str, thinks| ModelConfig {
        id: id.to_owned(),
        group: None,
        context: 400_000,
        max_output: 32_000,
        thinks,
    };
    match dialect {
        Dialect::Anthropic => vec![
            model("claude-sonnet-5", false),
            model("claude-haiku-4-5", false),
        ],
        Dialect::Openai => vec![model("gpt-6-luna", false), model("gpt-6-sol", false)],
        Dialect::Deepseek => vec![
            model("deepseek-v4-pro", true),
            model("deepseek-flash", false),
            model("deepseek-r1", true),
        ],
    }
}

fn faults() -> Vec<FaultRule> {
    let work = |fault, organisation: &str, skip| FaultRule {
        organisation: Some(organisation.to_owned()),
        kind: Some("work".to_owned()),
        skip,
        times: Some(1),
        ..FaultRule::always(fault)
    };
    vec![
        FaultRule {
            streamed: Some(true),
            after_percent: 60,
            ..work(Fault::Die, "org-amber", 2)
        },
        work(Fault::RateLimit, "org-ember", 1),
        work(Fault::Slow, "org-birch", 3),
    ]
}
