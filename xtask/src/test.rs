//! `cargo xtask test`: every test there is, through cargo alone. `.ci/run` calls this too.
//!
//! Tests against real services run where the service can be had, and the end says which ran and which did not.

mod local_model;
mod postgres;
mod tally;

use std::net::TcpListener;

use anyhow::{Context, bail};
use tally::Tally;

/// What became of the tests against one real service.
#[derive(Debug)]
enum Tried {
    /// They ran; where, or what they found wrong.
    Yes(anyhow::Result<String>),
    /// They did not, for this reason.
    No(String),
}

/// Runs tidy and all tests, in the order in which a fault shows soonest.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    if let Some(unknown) = arguments.iter().find(|argument| *argument != "--quick") {
        bail!("unknown argument {unknown}; there is only --quick");
    }
    let quick = !arguments.is_empty();
    crate::tidy::run(&[])?;
    // The model takes both cores for itself: its test has a run of its own.
    let server = postgres::Given::find();
    let mut variables = vec![(local_model::VARIABLE, "skip")];
    variables.extend(server.url().map(|url| (postgres::VARIABLE, url)));
    let mut tally = Tally::default();
    let all = tally.cargo(&["test", "--workspace", "--no-fail-fast"], &variables);
    let real = [("local model", local_model::run(quick, &mut tally)), ("PostgreSQL", server.tried())];
    println!("\nagainst real services:");
    for (service, tried) in &real {
        println!("  {service:<12} {}", told(tried));
    }
    println!("\n{tally}");
    let wrong = real.into_iter().find_map(|(service, tried)| match tried {
        Tried::Yes(Err(error)) => Some(error.context(service)),
        Tried::Yes(Ok(_)) | Tried::No(_) => None,
    });
    all.and(wrong.map_or(Ok(()), Err))
}

fn told(tried: &Tried) -> String {
    match tried {
        Tried::Yes(Ok(place)) => format!("tried: {place}"),
        Tried::Yes(Err(error)) => format!("failed: {error:#}"),
        Tried::No(why) => format!("NOT tried: {why}"),
    }
}

/// A port that nobody listened on a moment ago.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("find a free port")?;
    Ok(listener.local_addr().context("find a free port")?.port())
}

/// What the environment says; nothing where it is empty.
#[expect(clippy::disallowed_methods, reason = "the caller of a test run chooses services by variables")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
