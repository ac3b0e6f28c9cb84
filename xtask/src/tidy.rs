//! `cargo xtask tidy`: holds the tree against the drawing of the house.
//!
//! Arrows between crates come from `cargo metadata`, lengths from the parsed sources. Generated files and
//! tests count for lengths of files too: a long test file is as hard to read as any other.

mod arrows;
mod lengths;
mod names;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Runs all checks and prints what they found.
pub(crate) fn run(_arguments: &[String]) -> anyhow::Result<()> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .no_deps()
        .exec()
        .context("cargo metadata")?;
    let root = metadata.workspace_root.as_std_path();
    let sources = sources(root)?;
    let mut faults = arrows::faults(&metadata);
    faults.extend(names::faults(root, &sources)?);
    faults.extend(lengths::report(root, &sources)?);
    if faults.is_empty() {
        println!(
            "tidy: {} crates, {} files, no fault",
            metadata.packages.len(),
            sources.len()
        );
        return Ok(());
    }
    for fault in &faults {
        eprintln!("  {fault}");
    }
    bail!("{} faults", faults.len())
}

/// Every Rust source of the workspace, sorted.
fn sources(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.join("crates"), root.join("xtask")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
