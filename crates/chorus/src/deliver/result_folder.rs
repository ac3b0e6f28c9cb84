//! The folder of a run: the one that `--out` names, else one of its own below `result/`.

use std::path::{Path, PathBuf};

use chorus_core::id::ProjectId;
use chorus_core::output_path;

/// Folder of the runs without `--out`.
const RESULTS: &str = "result";

/// Number of digits of a project's id in the name of its folder.
const DIGITS: usize = 8;

/// Folder into which a command writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResultFolder {
    /// Value of `--out`.
    given: Option<PathBuf>,
    /// Folder of the folders of runs.
    base: PathBuf,
}

impl ResultFolder {
    pub(crate) fn new(given: Option<&Path>) -> Self {
        Self {
            given: given.map(Path::to_owned),
            base: PathBuf::from(RESULTS),
        }
    }

    /// Folder that is known before the project is: `--out`, or the folder of all results.
    pub(crate) fn known(&self) -> &Path {
        self.given.as_deref().unwrap_or(&self.base)
    }

    /// Folder of a project: `--out`, else the folder that an earlier run of it made, else
    /// `result/<title>-<end of the id>`.
    pub(crate) fn of(&self, project: ProjectId, title: &str) -> PathBuf {
        if let Some(given) = &self.given {
            return given.clone();
        }
        let id = project.to_string();
        let short = &id[id.len().saturating_sub(DIGITS)..];
        let earlier = std::fs::read_dir(&self.base).ok().and_then(|entries| {
            let mut names: Vec<_> = entries
                .filter_map(Result::ok)
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.file_name())
                .filter(|name| {
                    name.to_str()
                        .is_some_and(|name| name == short || name.ends_with(&format!("-{short}")))
                })
                .collect();
            names.sort();
            names.into_iter().next()
        });
        if let Some(earlier) = earlier {
            return self.base.join(earlier);
        }
        let slug = output_path::slug(title);
        let name = if slug.is_empty() {
            short.to_owned()
        } else {
            format!("{slug}-{short}")
        };
        self.base.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_project_has_a_folder_of_its_own_and_keeps_it() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let folder = ResultFolder {
            given: None,
            base: dir.path().to_owned(),
        };
        let one = ProjectId::new(0x0123_4567_89ab_cdef);
        let other = ProjectId::new(7);
        let first = folder.of(one, "Study guide: tides");
        assert_eq!(first, dir.path().join("study-guide-tides-89abcdef"));
        assert_ne!(folder.of(other, "Study guide: tides"), first);
        std::fs::create_dir(&first).expect("a folder");
        assert_eq!(folder.of(one, "The planner's title"), first);
        let given = ResultFolder::new(Some(Path::new("out")));
        assert_eq!(given.of(one, "any"), Path::new("out"));
    }
}
