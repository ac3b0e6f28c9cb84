//! What each command of the command line does.

mod account;
mod demo;
mod dlq;
mod envelope_key;
mod estimate;
mod key;
mod migrate;
mod process;
mod project;
mod remote;
mod session;
mod sim;
mod submit;

use std::path::Path;

use anyhow::Context;
use chorus_core::id::Tenant;
use chorus_core::intake::Limits;

use crate::accounts::import_variables;
use crate::app::{App, BuildOptions};
use crate::cli::{Cli, Command, ProjectArgs, ResumeArgs, RunArgs};
use crate::config::{Config, Environment, ProcessEnvironment, ProcessRole};
use crate::crash::Crash;
use crate::doctor;
use crate::exit::Exit;
use crate::input;

pub(crate) use session::say;

/// Carries a command out.
pub(crate) async fn run(cli: Cli, config: Config) -> anyhow::Result<Exit> {
    match cli.command {
        Command::Demo(demo) => demo::run(config, demo).await,
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
        } => process::run(config, ProcessRole::Worker(pools), args.migrate).await,
        Command::Migrate => migrate::run(&config).await,
        Command::Dlq(command) => dlq::run(&config, &command).await,
        Command::EnvelopeKey { out } => envelope_key::run(out.as_deref()),
        Command::Run(run) => project_run(config, run).await,
        Command::Resume(resume) => project_resume(config, resume).await,
        Command::Key(command) => key::run(&config, command).await,
        Command::Project(ProjectArgs { server, command }) => {
            if let Some(api) = remote::api(&server)? {
                return remote::project(&api, command).await;
            }
            let app = open(config).await?;
            let exit = project::run(&app, command).await;
            app.close().await;
            exit
        }
        Command::Account(command) => {
            let app = open(config).await?;
            let exit = account::run(&app, command).await;
            app.close().await;
            exit
        }
    }
}

async fn open(config: Config) -> anyhow::Result<App> {
    App::build(
        config,
        BuildOptions {
            crash: crash()?,
            ..BuildOptions::default()
        },
    )
    .await
}

/// Where this process kills itself, for tests.
fn crash() -> anyhow::Result<Option<Crash>> {
    ProcessEnvironment
        .variable("CHORUS_CRASH")
        .map(|text| text.parse::<Crash>())
        .transpose()
        .map_err(anyhow::Error::msg)
}

/// Bounds of a brief and its attachments.
fn intake_limits(config: &Config) -> Limits {
    Limits {
        brief_bytes: config.project.max_brief_bytes,
        attachment_bytes: config.project.max_attachment_bytes,
        ..Limits::default()
    }
}

/// Brief and attachments, read and checked before anything is opened.
fn read_input(
    config: &Config,
    brief: &Path,
    attach: &[std::path::PathBuf],
) -> anyhow::Result<submit::Input> {
    let limits = intake_limits(config);
    let text = input::brief(brief, &limits).map_err(Unusable)?;
    let documents = input::documents(attach, &limits).map_err(Unusable)?;
    Ok(submit::Input { text, documents })
}

/// Something that a person gave and that cannot be used: exit code 64.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Unusable(#[from] input::InputError);

async fn project_run(config: Config, run: RunArgs) -> anyhow::Result<Exit> {
    let input = read_input(&config, &run.brief, &run.attach)?;
    if let Some(api) = remote::api(&run.server)? {
        return remote::run(&api, input, run.budget, &run.options).await;
    }
    let budget = run
        .budget
        .map_or_else(|| config.project.budget(), |dollars| dollars.0);
    let app = open(config).await?;
    import_variables(&app.importer(&app.tenant, false), &ProcessEnvironment).await?;
    if app.ports.directory.accounts(&app.tenant).await?.is_empty() {
        app.close().await;
        anyhow::bail!(
            "no account yet. Set a key, for instance DEEPSEEK_API_KEY, ANTHROPIC_API_KEY, OPENAI_API_KEY or OPENROUTER_API_KEY, \
             or import accounts with `chorus account import accounts.toml`. `chorus demo` needs none"
        );
    }
    let submission = submit::Submission {
        input,
        budget,
        assume: run.options.assume,
        approve: true,
    };
    let id = submit::submit(&app, submission).await?;
    let session = session::Session {
        options: run.options,
        simulated: false,
        fresh: true,
        mishap: None,
    };
    session::run(app, id, session).await
}

async fn project_resume(config: Config, resume: ResumeArgs) -> anyhow::Result<Exit> {
    let id = project::parse(&resume.id)?;
    if let Some(api) = remote::api(&resume.server)? {
        return remote::resume(&api, id, &resume.options).await;
    }
    let app = open(config).await?;
    import_variables(&app.importer(&app.tenant, false), &ProcessEnvironment).await?;
    app.ports
        .projects
        .load(id)
        .await?
        .with_context(|| project::missing(id))?;
    let session = session::Session {
        options: resume.options,
        simulated: false,
        fresh: false,
        mishap: None,
    };
    session::run(app, id, session).await
}
