//! Commands of the command line, one file each.

mod account;
mod audit;
mod demo;
mod dlq;
mod envelope_key;
mod key;
mod migrate;
mod model;
mod pool;
mod process;
mod project;
mod run;
mod sim;
mod why;

use chorus_core::id::{Pool, Tenant};

use crate::app::{App, BuildOptions};
use crate::cli::{Cli, Command};
use crate::config::{Config, Environment, ProcessEnvironment, ProcessRole};
use crate::crash::Crash;
use crate::doctor;
use crate::exit::Exit;
use crate::failure::{ErrorCode, Failure};

/// Runs the command; the error is printed by [`main`](crate::main).
pub(crate) async fn run(cli: Cli, config: Config) -> anyhow::Result<Exit> {
    match cli.command {
        Command::Demo(demo) => Box::pin(demo::run(config, demo)).await,
        Command::Sim(sim) => sim::run(&sim).await,
        Command::Doctor { tenant } => Ok(doctor::run(&config, &Tenant::new(tenant)).await),
        Command::Serve(args) => process::run(config, ProcessRole::All, args.migrate).await,
        Command::Gateway(args) => process::run(config, ProcessRole::Gateway, args.migrate).await,
        Command::Orchestrator(args) => {
            process::run(config, ProcessRole::Orchestrator, args.migrate).await
        }
        Command::Dispatcher(args) => {
            process::run(config, ProcessRole::Dispatcher, args.migrate).await
        }
        Command::Worker {
            pools,
            process: args,
        } => {
            let pools = known_pools(&config, &pools)?;
            process::run(config, ProcessRole::Worker(pools), args.migrate).await
        }
        Command::Migrate => migrate::run(&config).await,
        Command::Dlq(command) => dlq::run(&config, &command).await,
        Command::EnvelopeKey { out } => envelope_key::run(out.as_deref()),
        Command::Run(args) => Box::pin(run::run(config, args)).await,
        Command::Resume(args) => Box::pin(run::resume(config, args)).await,
        Command::Model(command) => model::run(&config, command),
        Command::Key(command) => key::run(&config, command).await,
        Command::Project(args) => Box::pin(project::run(config, args)).await,
        Command::Account(args) => Box::pin(account::run(config, args)).await,
        Command::Pool(args) => Box::pin(pool::run(config, args)).await,
        Command::Why(args) => Box::pin(why::run(config, args)).await,
        Command::Audit(args) => Box::pin(audit::run(config, args)).await,
    }
}

/// Pools of the catalogue, with those of own models, by their names.
fn known_pools(config: &Config, names: &[String]) -> anyhow::Result<Vec<Pool>> {
    let pools = config.catalog.pools();
    let find = |name: &String| {
        let found = pools.iter().find(|pool| pool.as_str() == name.as_str());
        found.cloned().ok_or_else(|| {
            let known: Vec<&str> = pools.iter().map(Pool::as_str).collect();
            let message = format!(
                "there is no pool {name:?}; expected one of: {}",
                known.join(", ")
            );
            Failure::new(ErrorCode::InvalidArgument, message).into()
        })
    };
    names.iter().map(find).collect()
}

/// [`App`] of this configuration, for a command that ends by itself.
async fn build(config: Config) -> anyhow::Result<App> {
    App::build(
        config,
        BuildOptions {
            crash: crash()?,
            ..BuildOptions::default()
        },
    )
    .await
}

/// Options of a command that also works while another process holds the data folder: it reads rows, and writes what the
/// holder then carries out.
fn beside_options() -> anyhow::Result<BuildOptions> {
    Ok(BuildOptions {
        crash: crash()?,
        beside_holder: true,
        ..BuildOptions::default()
    })
}

/// [`Crash`] at which this process kills itself, for tests; from `CHORUS_CRASH`.
fn crash() -> anyhow::Result<Option<Crash>> {
    ProcessEnvironment
        .variable("CHORUS_CRASH")
        .map(|text| text.parse::<Crash>())
        .transpose()
        .map_err(anyhow::Error::msg)
}
