//! `cargo xtask test`: every test there is, through cargo alone. `.ci/run` calls this too.
//!
//! Tests against real services run where the service can be had, and the end says which ran and which did not.

mod local_model;

use std::process::Command;

use anyhow::{Context, bail};

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
    let all = cargo(&["test", "--workspace", "--no-fail-fast"], &[(local_model::VARIABLE, "skip")]);
    let real = [("local model", local_model::run(quick)), ("PostgreSQL", postgres(&all))];
    println!("\nagainst real services:");
    for (service, tried) in &real {
        println!("  {service:<12} {}", told(tried));
    }
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

/// Its tests run among all others, when a server is named.
fn postgres(all: &anyhow::Result<()>) -> Tried {
    match variable("CHORUS_TEST_POSTGRES") {
        None => Tried::No("CHORUS_TEST_POSTGRES is not set".to_owned()),
        Some(_) if all.is_err() => Tried::Yes(Ok("among the tests above, of which some failed".to_owned())),
        Some(_) => Tried::Yes(Ok("the server of CHORUS_TEST_POSTGRES".to_owned())),
    }
}

/// Runs cargo with some variables more; its output is the user's.
fn cargo(arguments: &[&str], variables: &[(&str, &str)]) -> anyhow::Result<()> {
    println!("+ cargo {}", arguments.join(" "));
    let status = Command::new("cargo").args(arguments).envs(variables.iter().copied()).status().context("start cargo")?;
    if !status.success() {
        bail!("cargo {} failed", arguments.join(" "));
    }
    Ok(())
}

/// What the environment says; nothing where it is empty.
#[expect(clippy::disallowed_methods, reason = "the caller of a test run chooses services by variables")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
