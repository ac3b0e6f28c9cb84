//! `cargo xtask bench <name>`: builds the bench with optimisation and passes the arguments on.

use std::process::Command;

use anyhow::{Context, bail};

/// Runs the bench of the pool, or of the services. With `--distributed`, the measured binary is built first.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    if let Some(("pool", rest)) = arguments
        .split_first()
        .map(|(name, rest)| (name.as_str(), rest))
    {
        return pool(rest);
    }
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
    let folder = target()?.join("release");
    let mut bench = Command::new(folder.join("bench"));
    bench
        .args(arguments)
        .args(["--chorus", folder.join("chorus").as_str()]);
    succeed(bench)
}

/// Runs the bench of the pool, built as what is shipped and without the services.
fn pool(arguments: &[String]) -> anyhow::Result<()> {
    cargo(
        [
            "build",
            "--profile",
            "dist",
            "--quiet",
            "--package",
            "chorus-bench",
            "--no-default-features",
            "--features",
            "redis",
            "--bin",
            "pool",
        ]
        .iter(),
    )?;
    let mut bench = Command::new(target()?.join("dist").join("pool"));
    bench.args(arguments);
    succeed(bench)
}

fn target() -> anyhow::Result<cargo_metadata::camino::Utf8PathBuf> {
    let metadata = cargo_metadata::MetadataCommand::new().no_deps().exec();
    Ok(metadata.context("cargo metadata")?.target_directory)
}

fn succeed(mut bench: Command) -> anyhow::Result<()> {
    let status = bench.status().context("start the bench")?;
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
