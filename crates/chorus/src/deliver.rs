//! Writes the files of a deliverable and the report of a project into a folder.

use std::path::{Component, Path};

use anyhow::{Context, bail};
use chorus_report::{Report, page};

use crate::failure::{ErrorCode, Failure};

/// Writes one file of a deliverable below `out`.
pub(crate) fn file(path: &str, bytes: &[u8], out: &Path) -> anyhow::Result<()> {
    write(&out.join(inside(path)?), bytes)
}

/// Writes a [`Report`] as `report.json` and `report.html` into `out`.
pub(crate) fn report(report: &Report, out: &Path) -> anyhow::Result<()> {
    let json = serde_json::to_vec_pretty(report).context("write the report")?;
    write(&out.join("report.json"), &json)?;
    write(
        &out.join("report.html"),
        page(report).context("write the report")?.as_bytes(),
    )
}

/// Returns the path if it stays below the folder that it is joined to. Plans are checked before; this check is the last.
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

/// Writes a file in full or not at all: first beside it, then in its place.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let failed = || {
        let message = format!("cannot write {}; what was made is kept", path.display());
        Failure::new(ErrorCode::OutputUnwritable, message)
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
