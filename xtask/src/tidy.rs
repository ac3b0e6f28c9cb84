//! `cargo xtask tidy`: checks that the tree follows the rules of ARCHITECTURE.md and CONTRIBUTING.md.
//!
//! Arrows between crates come from `cargo metadata`, everything else from the parsed sources. Generated files and
//! tests count for lengths of files too: a long test file is as hard to read as any other.

mod arrows;
mod circles;
mod columns;
mod docs;
mod lengths;
mod names;
mod words;

use anyhow::{Context, bail};

use crate::sources::{self, Source};

/// Runs all checks and prints what they found.
pub(crate) fn run(_arguments: &[String]) -> anyhow::Result<()> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .no_deps()
        .exec()
        .context("cargo metadata")?;
    let root = metadata.workspace_root.as_std_path();
    let folders = ["bench", "crates", "xtask"].map(|folder| root.join(folder));
    let sources = sources::rust_files(&folders)?
        .iter()
        .map(|path| Source::read(root, path))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut faults = arrows::faults(&metadata);
    faults.extend(circles::faults(&sources));
    faults.extend(columns::faults(&sources));
    faults.extend(docs::faults(root, &crate::TASKS.map(|task| task.name))?);
    faults.extend(names::faults(&sources));
    faults.extend(words::faults(&sources));
    faults.extend(lengths::report(&sources));
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
