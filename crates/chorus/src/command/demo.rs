//! `chorus demo`: the whole loop with simulated providers over real HTTP, on a data folder of its own.
//!
//! Neighbours: [`example`] holds the texts that are shown without a brief, [`run`](mod@super::run) follows the project.

mod example;

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, bail};
use chorus_accounts::{CredentialRow, Identity, Row};
use chorus_core::catalog::Catalog;
use chorus_core::id::{ModelSlug, Pool, ProviderId};
use chorus_core::limit::{Dimension, Limit, ReserveRule, Window};
use chorus_core::time::Millis;
use chorus_provider_sim::Server;
use chorus_provider_sim::config::{Account, AccountLimit};
use chorus_provider_sim::engine::quota::Counted;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::run::{LocalRun, Target, here, read_input, submission_options};
use crate::app::App;
use crate::cli::{DemoArgs, RunOptions};
use crate::config::Config;
use crate::deliver::{self, ResultFolder};
use crate::exit::Exit;
use crate::prompt;

/// The pool that loses a worker.
const UNLUCKY: &str = "claude";

/// Runs the demo.
pub(crate) async fn run(mut config: Config, demo: DemoArgs) -> anyhow::Result<Exit> {
    eprintln!("Simulated providers: no real model is called, nothing leaves this machine.\n");
    // A vague brief is asked about where a person can answer; elsewhere the assumptions are shown.
    let options = RunOptions {
        out: demo.out.clone(),
        force: Vec::new(),
        yes: true,
        assume: !prompt::is_possible(),
    };
    let mut upload = match &demo.brief {
        Some(brief) => read_input(&config, brief, (&demo.attach, &demo.exclude))?,
        None => example::upload(demo.example.unwrap_or_default()),
    };
    upload.options = submission_options(&options, None);
    deliver::try_folder(ResultFolder::new(options.out.as_deref()).known())?;
    let folder = temporary_folder()?;
    prepare(&mut config, folder.path());
    let pool = chorus_provider_sim::config::demo(demo.seed);
    let (server, address) = Server::bind(pool.config, SocketAddr::from(([127, 0, 0, 1], 0)))
        .await
        .context("start the simulated providers")?;
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(async { drop(stopped.await) }));
    let app = super::build(config).await?;
    import(&app, &pool.accounts, address).await?;
    let run = LocalRun {
        target: Target::New(upload),
        options: &options,
        unlucky_pool: Some(Pool::new(UNLUCKY)),
    };
    let exit = here(app, run).await;
    // The providers end with the channel as well.
    let _ = stop.send(());
    serving.await.context("the simulated providers")??;
    exit
}

async fn import(app: &App, accounts: &[Account], address: SocketAddr) -> anyhow::Result<()> {
    let rows = accounts
        .iter()
        .map(|account| Ok(row(&app.catalog, account, address)))
        .collect();
    let report = app.importer(&app.tenant, false).import(rows).await?;
    match report.refused.first() {
        Some(refused) => bail!("a simulated account was refused: {refused}"),
        None => Ok(()),
    }
}

/// Short times, so that a lost worker is noticed while one watches, and models of three families that share
/// the work.
fn prepare(config: &mut Config, folder: &Path) {
    config.is_demo = true;
    config.data.dir = folder.join("data");
    config.data.key_file = folder.join("envelope.key");
    config.delivery.beat_ms = Millis(200);
    config.delivery.silent_ms = Millis(2500);
    config.delivery.unclaimed_ms = Millis(1000);
    config.roles = crate::config::Roles::shared(
        &["deepseek/deepseek-v4-pro"],
        &[
            "anthropic/claude-sonnet-5",
            "openai/gpt-6-luna",
            "deepseek/deepseek-flash",
        ],
    );
}

/// A new folder, which only this user can read; it is gone when the demo is over.
fn temporary_folder() -> anyhow::Result<TempDir> {
    let parent = std::env::temp_dir();
    tempfile::Builder::new()
        .prefix("chorus-demo-")
        .tempdir_in(&parent)
        .with_context(|| format!("make a folder in {}", parent.display()))
}

/// A simulated account as a [`Row`] that can be imported: the real provider's row at another address.
pub(super) fn row(catalog: &Catalog, account: &Account, address: SocketAddr) -> Row {
    let provider = ProviderId::new(&account.provider);
    let serves = |name: &str| {
        catalog
            .models
            .iter()
            .find(|model| model.routes.get(&provider).is_some_and(|wire| wire == name))
    };
    let models = account
        .models
        .iter()
        .filter_map(|name| serves(name))
        .map(|model| ModelSlug::to_string(&model.slug))
        .collect();
    let base = catalog
        .provider(&provider)
        .map_or("", |row| row.base_url.as_str());
    Row {
        place: account.name.clone(),
        identity: Identity {
            email: account.name.clone(),
            owner: Some(account.owner.clone()),
            entitlement: "own".to_owned(),
            attested_by: Some("the simulator".to_owned()),
            same_owner_spill: false,
        },
        credentials: vec![CredentialRow {
            provider: account.provider.clone(),
            key: account.key.clone(),
            organization: Some(account.organisation.clone()),
            base_url: Some(format!(
                "http://{address}/{}{}",
                account.provider,
                path_of(base)
            )),
            expires: None,
            models,
            limits: account.limits.iter().map(limit).collect(),
            tier: None,
            project: None,
            admin_key: None,
            project_limits: Vec::new(),
        }],
    }
}

/// The path of an address, without a slash at its end.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/')
        .map_or("", |at| rest[at..].trim_end_matches('/'))
}

/// A simulated limit in the words of the pool.
fn limit(limit: &AccountLimit) -> Limit {
    let (dimension, reserve) = match limit.counted {
        Counted::Requests => (Dimension::Requests, ReserveRule::Estimate),
        Counted::InputTokens => (Dimension::InputTokens, ReserveRule::Estimate),
        Counted::OutputTokens => (Dimension::OutputTokens, ReserveRule::AsProduced),
        Counted::Tokens => (Dimension::TotalTokens, ReserveRule::MaxOfBoth),
        Counted::Concurrency => (Dimension::Concurrency, ReserveRule::Estimate),
    };
    let cached = if limit.counted == Counted::Tokens {
        100
    } else {
        0
    };
    let window = limit
        .per_ms
        .map_or(Window::Held, |per_ms| Window::Bucket { per_ms });
    Limit {
        dimension,
        amount: limit.amount,
        burst: None,
        window,
        reserve,
        cache_read_percent: cached,
        output_weight: 1,
    }
}

/// The simulated accounts as a file that [`account`](super::account) imports.
pub(super) fn accounts_file(
    catalog: &Catalog,
    accounts: &[Account],
    address: SocketAddr,
) -> anyhow::Result<String> {
    let rows: Vec<toml::Value> = accounts
        .iter()
        .map(|account| toml::Value::try_from(row(catalog, account, address).written()))
        .collect::<Result<_, _>>()?;
    let file = toml::Table::from_iter([("account".to_owned(), toml::Value::Array(rows))]);
    Ok(toml::to_string_pretty(&file)?)
}
