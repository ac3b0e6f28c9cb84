//! `cargo xtask test`: every test there is, through cargo alone. `.ci/run` calls this too.

use std::process::Command;

use anyhow::{Context, bail};

/// Runs formatting, lints, tidy and all tests, in the order in which a fault shows soonest.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    if let Some(unknown) = arguments.iter().find(|argument| *argument != "--quick") {
        bail!("unknown argument {unknown}; there is only --quick");
    }
    crate::tidy::run(&[])?;
    cargo(&["test", "--workspace", "--no-fail-fast"])
}

/// Runs cargo; its output is the user's.
fn cargo(arguments: &[&str]) -> anyhow::Result<()> {
    println!("+ cargo {}", arguments.join(" "));
    let status = Command::new("cargo").args(arguments).status().context("start cargo")?;
    if !status.success() {
        bail!("cargo {} failed", arguments.join(" "));
    }
    Ok(())
}
