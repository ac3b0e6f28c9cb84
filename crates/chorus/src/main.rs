//! The one binary: every role of Chorus starts here.

mod accounts;
mod app;
mod ask;
mod cli;
mod clock;
mod command;
mod config;
mod crash;
mod deliver;
mod doctor;
mod exit;
mod health;
mod input;
mod remote;
mod report;
mod stop;
mod telemetry;
mod watch;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use chorus_core::port::error::full_text;
use clap::Parser;
use cli::Cli;
use command::Unusable;
use config::{Config, ConfigError, LogFormat, ProcessEnvironment};
use exit::Exit;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => {
            eprintln!("chorus: {}", full_text(error.as_ref()));
            let usage = error.is::<ConfigError>() || error.is::<Unusable>();
            ExitCode::from(if usage { Exit::Usage } else { Exit::Failed } as u8)
        }
    }
}

fn start(cli: Cli) -> anyhow::Result<Exit> {
    let mut config = config::load(cli.config.as_deref(), &ProcessEnvironment)?;
    config.flags = flags(&cli);
    if let Some(data) = &cli.data {
        config.data.key_file = data.with_extension("key");
        config.data.dir.clone_from(data);
    }
    log(&config, cli.command.is_lasting());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(command::run(cli, config))
}

/// The flags that name configuration and data, as they were typed.
fn flags(cli: &Cli) -> String {
    let flag = |name: &str, value: &Option<std::path::PathBuf>| {
        value
            .as_ref()
            .map(|value| format!(" --{name} {}", value.display()))
    };
    [flag("config", &cli.config), flag("data", &cli.data)]
        .into_iter()
        .flatten()
        .collect()
}

/// Logs go to standard error, so that standard output stays what the command says.
fn log(config: &Config, lasting: bool) {
    let level = match (config.log.level.as_str(), lasting) {
        ("auto", true) => "info,sqlx=warn",
        ("auto", false) => "error",
        (level, _) => level,
    };
    let filter = tracing_subscriber::EnvFilter::new(level);
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
}
