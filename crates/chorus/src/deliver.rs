//! Writes the files of a deliverable and the report of a project into a folder of the client.
//!
//! Rules for paths are those of [`output_path`]; [`target`] finds a place without following links and
//! without touching files of the client; [`notes`] remembers what earlier runs of the project wrote. A
//! file that cannot have its name gets another one, and the caller prints [`Delivery::renamed`].

mod notes;
mod regular_file;
mod result_folder;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use cap_fs_ext::DirExt as _;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use chorus_core::artifact::ArtifactHash;
use chorus_core::id::ProjectId;
use chorus_core::output_path;
use chorus_report::{Report, page};

use crate::failure::{ErrorCode, Failure};
use notes::Notes;
use target::Target;

pub(crate) use result_folder::ResultFolder;

/// Maximum number of names that are tried for one file or folder.
const MAX_NAMES: usize = 1000;

/// Files of one project on their way into one folder.
pub(crate) struct Delivery {
    root: PathBuf,
    folder: Dir,
    /// Folder of the report and of the [`Notes`], and its name below the root.
    report: (String, Dir),
    before: Notes,
    written: Notes,
    /// [`output_path::key`] of every path that this delivery wrote.
    keys: BTreeSet<String>,
    forced: BTreeSet<String>,
    renamed: Vec<String>,
}

impl Delivery {
    /// Opens the folder, and makes it where it is missing.
    pub(crate) fn open(root: &Path, project: ProjectId, forced: &[String]) -> anyhow::Result<Self> {
        let failed = || unwritable(root);
        let folder = open_root(root).with_context(failed)?;
        let (name, report, before) = report_folder(&folder, project).with_context(failed)?;
        Ok(Self {
            root: root.to_owned(),
            folder,
            report: (name, report),
            before,
            written: Notes::new(project),
            keys: BTreeSet::new(),
            forced: forced.iter().cloned().collect(),
            renamed: Vec::new(),
        })
    }

    /// Writes one file of a deliverable. Returns the path under which it is kept.
    pub(crate) fn file(&mut self, path: &str, bytes: &[u8]) -> anyhow::Result<PathBuf> {
        let is_forced = self.forced.contains(path);
        let (wanted, reason) = match output_path::check(path) {
            Err(output_path::Unusable::Hidden | output_path::Unusable::Repository)
                if is_forced && is_below(path) =>
            {
                (path.to_owned(), None)
            }
            Err(reason) => (output_path::visible(path), Some(reason.to_string())),
            Ok(()) => (path.to_owned(), None),
        };
        let failed = || unwritable(&self.root.join(&wanted));
        let target = Target {
            folder: &self.folder,
            scratch: &self.report.1,
            before: &self.before,
            keys: &self.keys,
            is_forced,
        };
        let placed = target.write(&wanted, bytes).with_context(failed)?;
        if placed.path != path {
            let reason = reason
                .or(placed.reason)
                .unwrap_or_else(|| "its name is taken".to_owned());
            self.renamed
                .push(format!("{path:?} is kept as {:?}: {reason}", placed.path));
        }
        self.keep(&placed.path, bytes)
    }

    /// Writes a [`Report`] as `report.json` and `report.html` into a folder of their own. Returns the path of the page.
    pub(crate) fn report(&mut self, report: &Report) -> anyhow::Result<PathBuf> {
        let json = serde_json::to_vec_pretty(report).context("write the report")?;
        let html = page(report).context("write the report")?;
        self.own("report.json", &json)?;
        self.own("report.html", html.as_bytes())
    }

    /// Messages about files that have another name than the plan gave them.
    pub(crate) fn renamed(&self) -> &[String] {
        &self.renamed
    }

    /// Writes a file of Chorus itself into the folder of the report.
    fn own(&mut self, name: &str, bytes: &[u8]) -> anyhow::Result<PathBuf> {
        let path = format!("{}/{name}", self.report.0);
        let failed = || unwritable(&self.root.join(&path));
        target::replace(&self.report.1, name, bytes).with_context(failed)?;
        Ok(self.root.join(path))
    }

    /// Remembers a written file, so that a later run of the project may replace it.
    fn keep(&mut self, path: &str, bytes: &[u8]) -> anyhow::Result<PathBuf> {
        self.keys.insert(output_path::key(path));
        self.written.add(path, ArtifactHash::of(bytes));
        let merged = self.before.with(&self.written);
        self.own(notes::NAME, &merged.to_json()?)?;
        Ok(self.root.join(path))
    }
}

/// Makes the folder and writes into it, so that a project is not paid for in vain.
pub(crate) fn try_folder(root: &Path) -> anyhow::Result<()> {
    let failed = || {
        let message = format!("cannot write into the folder {}", root.display());
        Failure::new(ErrorCode::OutputUnwritable, message)
    };
    let folder = open_root(root).with_context(failed)?;
    target::try_write(&folder).with_context(failed)
}

fn unwritable(path: &Path) -> Failure {
    let message = format!("cannot write {}; what was made is kept", path.display());
    Failure::new(ErrorCode::OutputUnwritable, message)
}

fn open_root(root: &Path) -> io::Result<Dir> {
    std::fs::create_dir_all(root)?;
    Dir::open_ambient_dir(root, ambient_authority())
}

/// Opens the folder for the report: that of an earlier run of the project, else a new one.
fn report_folder(folder: &Dir, project: ProjectId) -> io::Result<(String, Dir, Notes)> {
    let names = std::iter::once(output_path::REPORT_FOLDER.to_owned())
        .chain((2..MAX_NAMES).map(|at| format!("{}-{at}", output_path::REPORT_FOLDER)));
    for name in names {
        match folder.create_dir(&name) {
            Ok(()) => {
                let dir = folder.open_dir_nofollow(&name)?;
                target::replace(&dir, notes::NAME, &Notes::new(project).to_json()?)?;
                return Ok((name, dir, Notes::new(project)));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        // A file or a link of that name belongs to the client.
        let Ok(dir) = folder.open_dir_nofollow(&name) else {
            continue;
        };
        if let Some(notes) = Notes::read(&dir).filter(|notes| notes.project == project) {
            return Ok((name, dir, notes));
        }
    }
    Err(io::Error::other("every name for the report is taken"))
}

/// Returns true if a forced path stays below its folder.
fn is_below(path: &str) -> bool {
    path.split('/')
        .all(|part| !matches!(part, "" | "." | "..") && !part.contains(['\\', '\0', ':']))
}

/// Files by their names in the plan, with the place where each was written.
pub(crate) type Written = BTreeMap<String, PathBuf>;

#[cfg(test)]
mod tests;
