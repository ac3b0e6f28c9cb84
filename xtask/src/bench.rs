//! `cargo xtask bench <name>`: builds the bench in release mode and passes the arguments on.

use std::process::Command;

use anyhow::{Context, bail};

/// Runs the bench. With `--distributed`, the measured binary is built first.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let mut features: &[&str] = &[];
    if arguments.iter().any(|argument| argument == "--distributed") {
        features = &["--features", "chorus/distributed,chorus-bench/distributed"];
    }
    cargo(
        [
            "build",
            "--release",
            "--quiet",
            "--package",
            "chorus",
            "--package",
            "chorus-bench",
            "--bins",
        ]
        .iter()
        .chain(features),
    )?;
    let folder = cargo_metadata::MetadataCommand::new()
        .no_deps()
        .exec()
        .context("cargo metadata")?
        .target_directory
        .join("release");
    let mut bench = Command::new(folder.join("bench"));
    let status = bench
        .args(arguments)
        .args(["--chorus", folder.join("chorus").as_str()])
        .status()
        .context("start the bench")?;
    if !status.success() {
        bail!("the bench failed");
    }
    Ok(())
}

fn cargo<'a>(arguments: impl Iterator<Item = &'a &'a str>) -> anyhow::Result<()> {
    let status = Command::new("cargo")
        .args(arguments)
        .status()
        .context("start cargo")?;
    if !status.success() {
        bail!("the bench is not built");
    }
    Ok(())
}
