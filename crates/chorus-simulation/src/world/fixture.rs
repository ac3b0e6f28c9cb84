//! Fixture of a simulation: organisations at simulated providers, their accounts, and the models of
//! each role, drawn from the seed.
//!
//! Limits are tight, so calls compete. In most runs only concurrency is limited, which both sides
//! count exactly: no call may be refused for it. In the other runs rates are limited too.

use std::collections::BTreeMap;

use chorus_core::id::{AccountId, CredentialId, GroupId, ModelSlug, Pool, ProviderId, Tenant};
use chorus_core::limit::{Dimension, Limit, QuotaGroup, ReserveRule, Window};
use chorus_core::port::directory::{Entitlement, GroupOf, NewAccount, NewCredential, SealedSecret};
use chorus_core::task_kind::ModelRole;
use chorus_core::time::{Millis, Timestamp};
use chorus_pool::RoleModels;
use chorus_provider_sim::Config;
use chorus_provider_sim::config::{
    Dialect, Limits, ModelConfig, Omission, OrganisationConfig, OrganisationStatus, ProviderConfig,
    Service,
};
use chorus_provider_sim::engine::fault::{Fault, FaultRule};
use fastrand::Rng;

use crate::chance::{self, permille};
use crate::fault::{FaultPlan, SickAccounts};
use crate::invariant::{ALWAYS, ServingAccount};

/// A provider: name, dialect, pool, and models with a flag for those that think.
struct Row {
    name: &'static str,
    dialect: Dialect,
    pool: &'static str,
    models: &'static [(&'static str, bool)],
}

const ROWS: [Row; 3] = [
    Row {
        name: "anthropic",
        dialect: Dialect::Anthropic,
        pool: "claude",
        models: &[("claude-sonnet-5", false)],
    },
    Row {
        name: "openai",
        dialect: Dialect::Openai,
        pool: "gpt",
        models: &[("gpt-6-luna", false)],
    },
    Row {
        name: "deepseek",
        dialect: Dialect::Deepseek,
        pool: "deepseek",
        models: &[("deepseek-v4-pro", true), ("deepseek-flash", false)],
    },
];

impl Row {
    /// Models as the catalogue names them.
    fn slugs(&self) -> Vec<ModelSlug> {
        self.models
            .iter()
            .map(|(model, _)| ModelSlug::new(format!("{}/{model}", self.name)))
            .collect()
    }
}

/// Accounts, providers and roles of one run.
#[derive(Debug, Clone)]
pub(super) struct Fixture {
    /// Accounts to import.
    pub(super) accounts: Vec<NewAccount>,
    /// API key and base URL of each credential.
    pub(super) keys: BTreeMap<CredentialId, (String, String)>,
    /// Configuration of the simulated providers.
    pub(super) simulated: Config,
    /// Pools with at least one account.
    pub(super) pools: Vec<Pool>,
    /// Models of each role.
    pub(super) roles: RoleModels,
    /// Limits that calls reach.
    tight: TightLimits,
    /// Quota groups of organisations that fail every call, with the time from which they count as healthy.
    sick: BTreeMap<GroupId, Timestamp>,
}

/// Faults of sick organisations. A model that answers nothing is no sick account: its tasks have a number of tries.
const SICKNESSES: [Fault; 21] = [
    Fault::DeadKey,
    Fault::Unpaid,
    Fault::Capped,
    Fault::Forbidden,
    Fault::NotFound,
    Fault::ServerError,
    Fault::Overloaded,
    Fault::Page,
    Fault::PageForbidden,
    Fault::PageFailed,
    Fault::Redirect,
    Fault::RateLimit,
    Fault::RateLimitUntold,
    Fault::WaitInBody,
    Fault::WaitInText,
    Fault::Enveloped,
    Fault::ErrorEvent,
    Fault::EmptyStream,
    Fault::Garbage,
    Fault::Slow,
    Fault::Hang,
];

/// Time after the end of the faults within which a recovered account is used again.
const RECOVERY: Millis = Millis::from_secs(15 * 60);

/// Limits that calls reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TightLimits {
    /// Concurrency only.
    Slots,
    /// Concurrency, and rates that are reached now and then.
    Both,
    /// Requests per minute; slots suffice for all of them at once.
    Rates,
}

/// Tenant of every project and account.
pub(super) fn tenant() -> Tenant {
    Tenant::new("world")
}

impl Fixture {
    /// Draws the fixture of a seed and a plan of faults. `tight` is drawn unless given.
    pub(super) fn from_seed(
        seed: u64,
        now: Timestamp,
        plan: &FaultPlan,
        tight: Option<TightLimits>,
    ) -> Self {
        let mut chance = chance::stream(seed, "estate");
        let tight = tight.unwrap_or_else(|| {
            if permille(&mut chance, 700) {
                TightLimits::Slots
            } else {
                TightLimits::Both
            }
        });
        let mut fixture = Self {
            accounts: Vec::new(),
            keys: BTreeMap::new(),
            simulated: Config {
                seed,
                speed: 1.0,
                providers: Vec::new(),
                faults: faults(plan.provider),
                omissions: omissions(&mut chance),
                journal: None,
            },
            pools: ROWS.iter().map(|row| Pool::new(row.pool)).collect(),
            roles: roles(&mut chance),
            tight,
            sick: BTreeMap::new(),
        };
        for row in &ROWS {
            let number = match plan.sick {
                SickAccounts::Some => chance.usize(2..5),
                SickAccounts::None | SickAccounts::WholeProvider => chance.usize(1..3),
            };
            let organisations = (0..number)
                .map(|number| fixture.organisation(row, number, &mut chance, now))
                .collect();
            fixture
                .simulated
                .providers
                .push(provider_config(row, organisations));
        }
        fixture.sicken(seed, plan);
        fixture
    }

    /// Draws the organisations that fail every call until the faults end.
    fn sicken(&mut self, seed: u64, plan: &FaultPlan) {
        let chance = &mut chance::stream(seed, "sickness");
        let whole = chance.usize(0..self.simulated.providers.len());
        for (place, provider) in self.simulated.providers.iter().enumerate() {
            let organisations = &provider.organisations;
            let healthy = chance.usize(0..organisations.len());
            for (number, organisation) in organisations.iter().enumerate() {
                let is_sick = match plan.sick {
                    SickAccounts::None => false,
                    SickAccounts::Some => number != healthy && permille(chance, 800),
                    SickAccounts::WholeProvider => place == whole,
                };
                if !is_sick {
                    continue;
                }
                self.sick.insert(
                    GroupId::new(format!("{}/{}", provider.name, organisation.id)),
                    plan.until + RECOVERY,
                );
                self.simulated.faults.push(FaultRule {
                    provider: Some(provider.name.clone()),
                    organisation: Some(organisation.id.clone()),
                    factor: 20,
                    ..FaultRule::always(SICKNESSES[chance.usize(0..SICKNESSES.len())])
                });
            }
        }
    }

    /// Accounts as the liveness rules see them.
    pub(super) fn serving(&self) -> BTreeMap<AccountId, ServingAccount> {
        let serving = |account: &NewAccount| {
            let drawn = account.credentials.first()?.groups.first()?;
            let roles = self.roles.iter().filter(|(_, tiers)| {
                let mut models = tiers.iter().flatten();
                models.any(|model| drawn.models.contains(model))
            });
            let serving = ServingAccount {
                group: drawn.group.id.clone(),
                roles: roles.map(|(role, _)| *role).collect(),
                healthy_from: self.sick.get(&drawn.group.id).copied().unwrap_or(ALWAYS),
            };
            Some((account.id, serving))
        };
        self.accounts.iter().filter_map(serving).collect()
    }

    /// Draws an organisation with its limits and one or two accounts.
    fn organisation(
        &mut self,
        row: &Row,
        number: usize,
        chance: &mut Rng,
        now: Timestamp,
    ) -> OrganisationConfig {
        let id = format!("org-{}-{number}", row.name);
        let slots = chance.u64(if self.tight == TightLimits::Rates {
            8..12
        } else {
            1..4
        });
        let requests = match self.tight {
            TightLimits::Slots => None,
            TightLimits::Both => Some(chance.u64(8..30)),
            TightLimits::Rates => Some(chance.u64(3..8)),
        };
        let rates = requests.map(|requests| (requests, chance.u64(40_000..200_000)));
        let group = QuotaGroup {
            id: GroupId::new(format!("{}/{id}", row.name)),
            limits: configured_limits(slots, rates),
        };
        let mut keys = Vec::new();
        for holder in 0..chance.usize(1..3) {
            let key = format!("sk-sim-{id}-{holder}");
            let credential = CredentialId::new(chance.u128(..));
            let suffix = if row.dialect == Dialect::Openai {
                "/v1"
            } else {
                ""
            };
            let suffix = if row.dialect == Dialect::Anthropic {
                "/v1"
            } else {
                suffix
            };
            self.keys.insert(
                credential,
                (
                    key.clone(),
                    format!("https://providers.invalid/{}{suffix}", row.name),
                ),
            );
            let holder = AccountHolder {
                organisation: &id,
                number: holder,
                credential,
            };
            self.accounts
                .push(holder.account(row, &group, AccountId::new(chance.u128(..)), now));
            keys.push(key);
        }
        OrganisationConfig {
            id,
            keys,
            speed: 1.0 + chance.f64(),
            limits: provider_limits(slots, rates, row.dialect),
            groups: BTreeMap::new(),
            status: OrganisationStatus::Good,
        }
    }
}

/// Limits in the account's quota group, plus a monthly limit that is never reached and therefore
/// exact.
fn configured_limits(slots: u64, rates: Option<(u64, u64)>) -> Vec<Limit> {
    let limit = |dimension, amount, window| Limit {
        dimension,
        amount,
        burst: None,
        window,
        reserve: ReserveRule::Estimate,
        cache_read_percent: 0,
        output_weight: 1,
    };
    let mut limits = vec![
        limit(Dimension::Concurrency, slots, Window::Held),
        limit(Dimension::Spend, 1_000_000_000_000, Window::Month),
    ];
    if let Some((requests, tokens)) = rates {
        limits.push(limit(
            Dimension::Requests,
            requests,
            Window::Bucket { per_ms: 60_000 },
        ));
        limits.push(limit(
            Dimension::InputTokens,
            tokens,
            Window::Bucket { per_ms: 60_000 },
        ));
    }
    limits
}

fn provider_limits(slots: u64, rates: Option<(u64, u64)>, dialect: Dialect) -> Limits {
    let tokens = rates.map(|(_, tokens)| tokens);
    Limits {
        requests_per_minute: rates.map(|(requests, _)| requests),
        input_tokens_per_minute: tokens.filter(|_| dialect == Dialect::Anthropic),
        output_tokens_per_minute: None,
        tokens_per_minute: tokens
            .filter(|_| dialect == Dialect::Openai)
            .map(|tokens| tokens * 2),
        concurrency: Some(slots),
    }
}

/// Holder of one account of an organisation.
struct AccountHolder<'a> {
    organisation: &'a str,
    number: usize,
    credential: CredentialId,
}

impl AccountHolder<'_> {
    fn account(&self, row: &Row, group: &QuotaGroup, id: AccountId, now: Timestamp) -> NewAccount {
        let Self {
            organisation,
            number,
            credential,
        } = self;
        NewAccount {
            id,
            tenant: tenant(),
            name: format!("{organisation}-{number}@example.com"),
            owner: format!("owner-{organisation}"),
            entitlement: Entitlement {
                kind: "own".to_owned(),
                attested_by: "the world".to_owned(),
                attested_at: now,
            },
            same_owner_spill: true,
            credentials: vec![NewCredential {
                id: *credential,
                provider: ProviderId::new(row.name),
                base_url: None,
                secret: SealedSecret {
                    sealed: String::new(),
                    key_id: "none".to_owned(),
                },
                fingerprint: format!("{organisation}-{number}"),
                earlier_fingerprints: Vec::new(),
                expires_at: None,
                groups: vec![GroupOf {
                    group: group.clone(),
                    models: row.slugs(),
                }],
            }],
        }
    }
}

fn provider_config(row: &Row, organisations: Vec<OrganisationConfig>) -> ProviderConfig {
    let model = |(id, thinks): &(&str, bool)| ModelConfig {
        id: (*id).to_owned(),
        group: Some("all".to_owned()),
        context: 400_000,
        max_output: 32_000,
        thinks: *thinks,
    };
    ProviderConfig {
        name: row.name.to_owned(),
        dialect: row.dialect,
        models: row.models.iter().map(model).collect(),
        organisations,
        service: Service::default(),
    }
}

/// Draws the models of each role: the planner thinks, the others need not.
fn roles(chance: &mut Rng) -> RoleModels {
    const WORKERS: [&str; 3] = [
        "anthropic/claude-sonnet-5",
        "openai/gpt-6-luna",
        "deepseek/deepseek-flash",
    ];
    let mut any = || {
        let mut models = WORKERS.map(ModelSlug::new);
        chance.shuffle(&mut models);
        vec![models[..chance.usize(1..4)].to_vec()]
    };
    RoleModels::from([
        (
            ModelRole::Planner,
            vec![vec![ModelSlug::new("deepseek/deepseek-v4-pro")]],
        ),
        (ModelRole::Writer, any()),
        (ModelRole::Merger, any()),
        (ModelRole::Judge, any()),
    ])
}

/// In one of five runs the first chapter's summary lacks a part until feedback asks for it.
fn omissions(chance: &mut Rng) -> Vec<Omission> {
    let wanted = permille(chance, 200);
    wanted
        .then(|| Omission {
            contains: "section=\"d1.1\"".to_owned(),
        })
        .into_iter()
        .collect()
}

/// Faults of providers, at most three of each kind, so that every run ends.
fn faults(share: u32) -> Vec<FaultRule> {
    if share == 0 {
        return Vec::new();
    }
    let kinds = [
        Fault::RateLimit,
        Fault::Overloaded,
        Fault::ServerError,
        Fault::Slow,
        Fault::Hang,
        Fault::Cut,
        Fault::Die,
        Fault::Empty,
        Fault::Length,
        Fault::Garbage,
        Fault::Prose,
        Fault::Cyclic,
        Fault::Dangling,
    ];
    let each = u16::try_from(share / 4).unwrap_or(250).max(1);
    kinds
        .into_iter()
        .map(|fault| FaultRule {
            permille: each,
            times: Some(3),
            ..FaultRule::always(fault)
        })
        .collect()
}
