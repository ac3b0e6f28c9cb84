//! Puts a project's deliverable and its report into a folder.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail};
use chorus_core::merge::Deliverable;
use chorus_core::port::ArtifactStore;

use crate::report::{Report, page};

/// Writes the files of a deliverable below `out`; returns their paths.
pub(crate) async fn files(
    artifacts: &dyn ArtifactStore,
    deliverable: &Deliverable,
    out: &Path,
) -> anyhow::Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    for file in &deliverable.files {
        let bytes = artifacts.get(file.content).await?.with_context(|| {
            format!("the content of {} is missing from the artifacts", file.path)
        })?;
        written.push(self::file(&file.path, &bytes, out)?);
    }
    Ok(written)
}

/// Writes one file of a deliverable below `out`; returns its path.
pub(crate) fn file(path: &str, bytes: &[u8], out: &Path) -> anyhow::Result<PathBuf> {
    let path = out.join(inside(path)?);
    write(&path, bytes)?;
    Ok(path)
}

/// Writes `report.json` and `report.html` into `out`.
pub(crate) fn report(report: &Report, out: &Path) -> anyhow::Result<()> {
    let json = serde_json::to_vec_pretty(report).context("write the report")?;
    write(&out.join("report.json"), &json)?;
    write(
        &out.join("report.html"),
        page(report).context("write the report")?.as_bytes(),
    )
}

/// A path that stays below the folder it is joined to. Plans are checked already; this is the last door.
fn inside(path: &str) -> anyhow::Result<&Path> {
    let path = Path::new(path);
    if path
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
        && path.components().next().is_some()
    {
        return Ok(path);
    }
    bail!(
        "the deliverable names {}, which is not below the folder: nothing was written there",
        path.display()
    )
}

/// Writes a file whole or not at all: first beside it, then in its place.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let failed = || {
        format!(
            "cannot write {}; what was made is kept: free some room or choose another --out, then resume",
            path.display()
        )
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(failed)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    std::fs::write(&beside, bytes)
        .and_then(|()| std::fs::rename(&beside, path))
        .with_context(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leaves_the_folder_is_refused() {
        for path in ["../x", "/etc/x", "a/../../x", "", "."] {
            assert!(inside(path).is_err(), "{path}");
        }
        assert_eq!(inside("a/b.md").expect("below"), Path::new("a/b.md"));
    }
}
