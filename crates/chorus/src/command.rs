//! What each command of the command line does.

mod account;
mod demo;
mod dlq;
mod envelope_key;
mod estimate;
mod key;
mod migrate;
mod project;
mod remote;
mod role;
mod session;
mod sim;
mod submit;

use std::path::Path;

use anyhow::Context;
use chorus_core::id::Tenant;

use crate::accounts::from_environment;
use crate::cli::{Cli, Command, Project, Resume, Run};
use crate::config::{Config, Environment, Process, Role};
use crate::crash::Crash;
use crate::doctor;
use crate::house::{House, Opening};
use crate::input::{self, Bounds};

pub(crate) use key::{Granted, Lifetime};
use role::Post;
pub(crate) use session::say;

/// How a command ended; the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All was done.
    Done = 0,
    /// It ended without a deliverable.
    Failed = 1,
    /// It was delivered with defects.
    Partial = 2,
    /// What was given cannot be used.
    Usage = 64,
    /// It is parked and can be resumed.
    Parked = 75,
}

/// Carries a command out.
pub(crate) async fn run(cli: Cli, config: Config) -> anyhow::Result<Exit> {
    match cli.command {
        Command::Demo(demo) => demo::run(config, demo).await,
        Command::Sim(sim) => sim::run(&sim).await,
        Command::Doctor { tenant } => Ok(doctor::run(&config, &Tenant::new(tenant)).await),
        Command::Serve(process) => role::run(config, Post::Whole, process.migrate).await,
        Command::Gateway(process) => {
            role::run(config, Post::One(Role::Gateway), process.migrate).await
        }
        Command::Orchestrator(process) => {
            role::run(config, Post::One(Role::Orchestrator), process.migrate).await
        }
        Command::Dispatcher(process) => {
            role::run(config, Post::One(Role::Dispatcher), process.migrate).await
        }
        Command::Worker { pools, process } => {
            role::run(config, Post::Workers(pools), process.migrate).await
        }
        Command::Migrate => migrate::run(&config).await,
        Command::Dlq(command) => dlq::run(&config, &command).await,
        Command::EnvelopeKey { out } => envelope_key::run(out.as_deref()),
        Command::Run(run) => project_run(config, run).await,
        Command::Resume(resume) => project_resume(config, resume).await,
        Command::Key(command) => key::run(&config, command).await,
        Command::Project(Project { at, command }) => {
            if let Some(api) = remote::api(&at)? {
                return remote::project(&api, command).await;
            }
            let house = open(config).await?;
            let exit = project::run(&house, command).await;
            house.close().await;
            exit
        }
        Command::Account(command) => {
            let house = open(config).await?;
            let exit = account::run(&house, command).await;
            house.close().await;
            exit
        }
    }
}

async fn open(config: Config) -> anyhow::Result<House> {
    House::open(
        config,
        Opening {
            crash: crash()?,
            ..Opening::default()
        },
    )
    .await
}

/// Where this process kills itself, for tests.
fn crash() -> anyhow::Result<Option<Crash>> {
    Process
        .variable("CHORUS_CRASH")
        .map(|text| text.parse::<Crash>())
        .transpose()
        .map_err(anyhow::Error::msg)
}

/// Bounds of what is read.
fn bounds(config: &Config) -> Bounds {
    Bounds {
        brief: config.project.max_brief_bytes,
        attachment: config.project.max_attachment_bytes,
    }
}

/// Brief and attachments, read and checked before anything is opened.
fn read_input(
    config: &Config,
    brief: &Path,
    attach: &[std::path::PathBuf],
) -> anyhow::Result<submit::Input> {
    let bounds = bounds(config);
    let text = input::brief(brief, bounds).map_err(Unusable)?;
    let mut documents = Vec::new();
    for path in attach {
        documents.extend(input::documents(path, bounds).map_err(Unusable)?);
    }
    Ok(submit::Input { text, documents })
}

/// Something that a person gave and that cannot be used: exit code 64.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Unusable(#[from] input::InputError);

async fn project_run(config: Config, run: Run) -> anyhow::Result<Exit> {
    let input = read_input(&config, &run.brief, &run.attach)?;
    if let Some(api) = remote::api(&run.at)? {
        return remote::run(&api, input, run.budget, &run.how).await;
    }
    let budget = run
        .budget
        .map_or_else(|| config.project.budget(), |dollars| dollars.0);
    let house = open(config).await?;
    from_environment(&house.importer(&house.tenant, false), &Process).await?;
    if house
        .ports
        .directory
        .accounts(&house.tenant)
        .await?
        .is_empty()
    {
        house.close().await;
        anyhow::bail!(
            "no account yet. Set a key, for instance DEEPSEEK_API_KEY, ANTHROPIC_API_KEY, OPENAI_API_KEY or OPENROUTER_API_KEY, \
             or import accounts with `chorus account import accounts.toml`. `chorus demo` needs none"
        );
    }
    let submission = submit::Submission {
        input,
        budget,
        assume: run.how.assume,
        approve: true,
    };
    let id = submit::submit(&house, submission).await?;
    let session = session::Session {
        how: run.how,
        simulated: false,
        fresh: true,
        mishap: None,
    };
    session::run(house, id, session).await
}

async fn project_resume(config: Config, resume: Resume) -> anyhow::Result<Exit> {
    let id = project::parse(&resume.id)?;
    if let Some(api) = remote::api(&resume.at)? {
        return remote::resume(&api, id, &resume.how).await;
    }
    let house = open(config).await?;
    from_environment(&house.importer(&house.tenant, false), &Process).await?;
    house
        .ports
        .projects
        .load(id)
        .await?
        .with_context(|| project::missing(id))?;
    let session = session::Session {
        how: resume.how,
        simulated: false,
        fresh: false,
        mishap: None,
    };
    session::run(house, id, session).await
}
