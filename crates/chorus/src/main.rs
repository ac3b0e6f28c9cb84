//! The binary: parses the [command line](cli), loads the [configuration](config), runs the [command], prints its error.

mod accounts;
mod app;
mod attention;
mod broken_pipe;
mod cli;
mod clock;
mod command;
mod config;
mod connection;
mod crash;
mod deliver;
mod doctor;
mod exit;
mod failure;
mod health;
mod human_time;
mod input;
mod prompt;
mod session;
mod stop;
mod telemetry;
mod view;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser;
use cli::Cli;
use config::{Config, Environment as _, LogFormat, ProcessEnvironment};
use exit::Exit;
use failure::Report;

fn main() -> ExitCode {
    broken_pipe::end_quietly();
    let cli = Cli::try_parse().unwrap_or_else(|error| refuse(&error));
    match start(cli) {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => {
            let report = Report::of(&error);
            eprintln!("{report}");
            ExitCode::from(report.exit as u8)
        }
    }
}

/// Prints why the command line is not understood, without what looks like a key in it.
fn refuse(error: &clap::Error) -> ! {
    let text = error.to_string();
    let shown = chorus_vault::redacted(&text);
    if shown == text {
        error.exit();
    }
    eprint!("{shown}");
    std::process::exit(error.exit_code());
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

/// Flags that name configuration and data, as they were typed, for commands that are printed.
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

/// Returns false if `NO_COLOR` is set.
fn has_colour() -> bool {
    ProcessEnvironment.variable("NO_COLOR").is_none()
}

/// Starts logging to standard error; standard output is for the command's own output.
fn log(config: &Config, is_lasting: bool) {
    let level = match (config.log.level.as_str(), is_lasting) {
        ("auto", true) => "info,sqlx=warn",
        ("auto", false) => "error",
        (level, _) => level,
    };
    let filter = tracing_subscriber::EnvFilter::new(level);
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A log without a reader is no reason to end a server.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal() && has_colour())
        .with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
}
