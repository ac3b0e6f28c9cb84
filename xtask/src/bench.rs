//! `cargo xtask bench <name>`: builds the bench in release and hands the arguments over.

use std::process::Command;

use anyhow::{Context, bail};

/// Runs the bench.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let status = Command::new("cargo")
        .args(["run", "--release", "--quiet", "--package", "chorus-bench", "--"])
        .args(arguments)
        .status()
        .context("start cargo")?;
    if !status.success() {
        bail!("the bench failed");
    }
    Ok(())
}
