//! Copy of the sources in which mutants are planted, built and searched.
//!
//! The copy is kept in `target/mutants`, so that the next run builds only what changed. It has a
//! target directory of its own: cargo identifies a crate by its path in the workspace, so in a
//! shared directory a mutant would pass for the real crate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use cargo_metadata::MetadataCommand;

use super::limited::output_within;
use super::table::{Edit, World};
use super::text::places;

/// Folders that are not copied, at any depth.
const LEFT_OUT: [&str; 2] = ["target", ".git"];

/// Longest run of a simulation or of the tests of one mutant; a run that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(600);

/// The copy of the sources with its target directory.
pub(super) struct Field {
    root: PathBuf,
    target: PathBuf,
}

/// Applied edits with the original texts.
pub(super) struct Planted {
    originals: Vec<(PathBuf, String)>,
}

/// A violation that a simulation reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Name of the broken invariant.
    pub(super) invariant: String,
    /// Seed of the run; `None` if it is unknown, or a test found it.
    pub(super) seed: Option<u64>,
}

impl Field {
    /// Brings the copy up to date with the workspace.
    pub(super) fn lay_out() -> anyhow::Result<Self> {
        let metadata = MetadataCommand::new()
            .no_deps()
            .exec()
            .context("read the workspace")?;
        let root = metadata
            .target_directory
            .into_std_path_buf()
            .join("mutants");
        copy(metadata.workspace_root.as_std_path(), &root)?;
        Ok(Self {
            target: root.join("target"),
            root,
        })
    }

    /// Wall clock, for printed durations.
    #[expect(
        clippy::disallowed_methods,
        reason = "a tool that prints how long it took"
    )]
    pub(super) fn clock(&self) -> Instant {
        Instant::now()
    }

    /// Applies the edits. Each text must occur exactly once in its file.
    pub(super) fn plant(&self, edits: &[Edit]) -> anyhow::Result<Planted> {
        let mut planted = Planted {
            originals: Vec::new(),
        };
        for edit in edits {
            let path = self.root.join(edit.file);
            let text = fs::read_to_string(&path).with_context(|| format!("read {}", edit.file))?;
            let found = places(&text, edit.find);
            let [place] = found.as_slice() else {
                bail!(
                    "{} holds the text of a mutant {} times, not once: {:?}",
                    edit.file,
                    found.len(),
                    edit.find
                );
            };
            let mut changed = text.clone();
            changed.replace_range(place.clone(), edit.replace);
            fs::write(&path, changed).with_context(|| format!("write {}", edit.file))?;
            planted.originals.push((path, text));
        }
        Ok(planted)
    }

    /// Builds the simulation from the copy.
    pub(super) fn build(&self) -> anyhow::Result<()> {
        let built = Command::new("cargo")
            .args([
                "build",
                "--quiet",
                "--package",
                "chorus-simulation",
                "--bin",
                "world",
            ])
            .env("CARGO_TARGET_DIR", &self.target)
            .current_dir(&self.root)
            .output()
            .context("start cargo")?;
        let output = String::from_utf8_lossy(&built.stderr);
        ensure!(
            built.status.success(),
            "the copy in {} does not build:\n{output}",
            self.root.display()
        );
        Ok(())
    }

    /// Runs `seeds` seeds until one breaks an invariant.
    pub(super) fn search(&self, world: World, seeds: u64) -> anyhow::Result<Option<Found>> {
        let mut command = Command::new(self.target.join("debug").join("world"));
        command.args(["--seeds", &seeds.to_string(), "--faults", world.faults]);
        for net in world.without {
            command.args(["--without", net]);
        }
        let Some(run) = output_within(&mut command, LONGEST)? else {
            return Ok(Some(hung()));
        };
        let output = String::from_utf8_lossy(&run.stdout);
        match output.lines().find_map(broken) {
            Some(found) => Ok(Some(found)),
            None if run.status.success() => Ok(None),
            None => Ok(Some(crashed(&String::from_utf8_lossy(&run.stderr))?)),
        }
    }

    /// Runs tests of one package; the finding is the first one that fails.
    pub(super) fn test(&self, package: &str, filter: &str) -> anyhow::Result<Option<Found>> {
        let cargo = |more: &[&str]| {
            let mut command = Command::new("cargo");
            command
                .args(["test", "--quiet", "--package", package])
                .args(more)
                .env("CARGO_TARGET_DIR", &self.target)
                .current_dir(&self.root);
            command
        };
        let built = cargo(&["--no-run"]).output().context("start cargo")?;
        ensure!(
            built.status.success(),
            "the tests of the copy in {} do not build:\n{}",
            self.root.display(),
            String::from_utf8_lossy(&built.stderr)
        );
        let Some(run) = output_within(&mut cargo(&[filter]), LONGEST)? else {
            return Ok(Some(hung()));
        };
        let output = String::from_utf8_lossy(&run.stdout);
        let failed = output
            .lines()
            .find_map(|line| line.strip_prefix("---- ")?.strip_suffix(" stdout ----"));
        Ok(failed.map(|test| Found {
            invariant: test.to_owned(),
            seed: None,
        }))
    }
}

/// Finding of a run that did not end in time.
fn hung() -> Found {
    Found {
        invariant: format!("no end in {} s", LONGEST.as_secs()),
        seed: None,
    }
}

/// Parses `seed 7 [faults] BROKEN Invariant: …`.
fn broken(line: &str) -> Option<Found> {
    let (seed, rest) = line.strip_prefix("seed ")?.split_once(' ')?;
    let (_, invariant) = rest.split_once("] BROKEN ")?;
    Some(Found {
        invariant: invariant.split_once(':')?.0.to_owned(),
        seed: Some(seed.parse().ok()?),
    })
}

/// Result of a run in which an assertion of the services failed.
fn crashed(output: &str) -> anyhow::Result<Found> {
    match output.lines().find(|line| line.contains("panicked")) {
        Some(_) => Ok(Found {
            invariant: "Panic".to_owned(),
            seed: None,
        }),
        None => bail!("the simulation ended without output: {output}"),
    }
}

impl Planted {
    /// Restores the original texts.
    pub(super) fn pull_out(self) -> anyhow::Result<()> {
        for (path, text) in self.originals.into_iter().rev() {
            fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        }
        Ok(())
    }
}

/// Copies changed files and removes deleted ones, so that unchanged files are not built again.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if from.is_file() {
        let fresh = fs::read(from).with_context(|| format!("read {}", from.display()))?;
        if fs::read(to).ok().as_ref() != Some(&fresh) {
            fs::create_dir_all(to.parent().unwrap_or(to))
                .with_context(|| format!("make the folder of {}", to.display()))?;
            fs::write(to, fresh).with_context(|| format!("write {}", to.display()))?;
        }
        return Ok(());
    }
    fs::create_dir_all(to).with_context(|| format!("make {}", to.display()))?;
    for entry in fs::read_dir(to).with_context(|| format!("list {}", to.display()))? {
        let stale = entry?.path();
        if stale.file_name().is_some_and(|name| {
            !from.join(name).exists() && !LEFT_OUT.iter().any(|left| name == *left)
        }) {
            let gone = if stale.is_dir() {
                fs::remove_dir_all(&stale)
            } else {
                fs::remove_file(&stale)
            };
            gone.with_context(|| format!("remove {}", stale.display()))?;
        }
    }
    for entry in fs::read_dir(from).with_context(|| format!("list {}", from.display()))? {
        let entry = entry?;
        if !LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<(&str, u64)>) {
        let expected = expected.map(|(invariant, seed)| Found {
            invariant: invariant.to_owned(),
            seed: Some(seed),
        });
        assert_eq!(broken(line), expected, "{line}");
    }

    #[test]
    fn a_broken_seed_is_read_from_its_line() {
        check(
            "seed 7 [quick crashes] BROKEN OneWriter: prj changed; 3.0 s",
            Some(("OneWriter", 7)),
        );
        check("seed 7 [calm] holds; 3.0 s", None);
        check("10 worlds, 3 calls; broken {}", None);
    }
}
