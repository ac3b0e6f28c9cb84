//! Documents: links and paths resolve, commands of xtask exist, topics are those of the code, ADRs look alike.
//!
//! Commands of `chorus` are parsed by a test of the binary, which knows its own command line.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use chorus_core::id::Pool;
use chorus_core::port::bus::Topic;

use super::words;
use crate::sources;

/// Endings of names in backticks that are taken for paths of the repository.
const ENDINGS: [&str; 12] = [
    ".rs", ".toml", ".md", ".py", ".json", ".yaml", ".yml", ".sql", ".lua", ".svg", ".html",
    ".lock",
];

/// Folders with documents that are checked; the documents of the root and of `examples` itself are checked too.
const FOLDERS: [&str; 2] = ["docs", "deploy"];

/// Documents that may name paths of earlier releases.
const HISTORY: [&str; 2] = ["CHANGELOG.md", "docs/adr/"];

/// Returns one line for each fault of a document. `tasks` are the names of xtask's commands.
pub(super) fn faults(root: &Path, tasks: &[&str]) -> anyhow::Result<Vec<String>> {
    let files = Files::read(root)?;
    let mut faults = Vec::new();
    for path in documents(root)? {
        let shown = path
            .strip_prefix(root)
            .unwrap_or(&path)
            .display()
            .to_string();
        let text = std::fs::read_to_string(&path).with_context(|| shown.clone())?;
        faults.extend(links(root, &path, &shown, &text));
        if !HISTORY.iter().any(|history| shown.starts_with(history)) {
            faults.extend(paths(&files, &shown, &text));
            faults.extend(commands(tasks, &shown, &text));
        }
        faults.extend(words::document_faults(&shown, &text));
        if shown.starts_with("docs/adr/") && !shown.ends_with("README.md") {
            faults.extend(decision(&shown, &text));
        }
        if shown == "docs/operations.md" {
            faults.extend(topics(&shown, &text));
        }
    }
    Ok(faults)
}

fn documents(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let folders: Vec<PathBuf> = FOLDERS
        .iter()
        .map(|folder| root.join(folder))
        .filter(|folder| folder.exists())
        .collect();
    let mut found = sources::files(&folders, "md")?;
    for folder in [root.to_path_buf(), root.join("examples")] {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Paths of all files and folders of the repository, below its root.
struct Files(BTreeSet<String>);

impl Files {
    fn read(root: &Path) -> anyhow::Result<Self> {
        let listed = std::process::Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("git ls-files")?;
        let mut found = BTreeSet::new();
        for path in String::from_utf8_lossy(&listed.stdout).lines() {
            let mut path = Path::new(path);
            while !path.as_os_str().is_empty() {
                found.insert(path.display().to_string());
                path = path.parent().unwrap_or_else(|| Path::new(""));
            }
        }
        Ok(Self(found))
    }

    /// True if a file has this path, from the root or below any folder.
    fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.0.contains(path)
            || self.0.iter().any(|known| {
                known.ends_with(path) && known[..known.len() - path.len()].ends_with('/')
            })
    }
}

/// Targets of Markdown links that do not exist.
fn links(root: &Path, path: &Path, shown: &str, text: &str) -> Vec<String> {
    let folder = path.parent().unwrap_or(root);
    numbered(text)
        .flat_map(|(number, line)| {
            line.split("](")
                .skip(1)
                .filter_map(|rest| rest.split(')').next())
                .map(|target| target.split('#').next().unwrap_or_default())
                .filter(|target| {
                    !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:")
                })
                .filter(|target| !folder.join(target).exists())
                .map(|target| format!("{shown}:{number}: there is no {target}"))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Names in backticks that look like a path of the repository and are not in [`Files`].
fn paths(files: &Files, shown: &str, text: &str) -> Vec<String> {
    let known_folders = [
        "crates/",
        "docs/",
        "scripts/",
        "xtask/",
        "bench/",
        "catalog/",
        "deploy/",
        "examples/",
    ];
    spans(text)
        .filter(|(_, span)| !span.contains(char::is_whitespace) && !span.contains("://"))
        .filter(|(_, span)| {
            !span.contains(['<', '*', '{', '$', '…', '~']) && !span.starts_with(['/', '.', '-'])
        })
        .filter(|(_, span)| {
            let ours = known_folders.iter().any(|folder| span.starts_with(folder));
            let source = span.contains('/') && ENDINGS.iter().any(|ending| span.ends_with(ending));
            ours || source || span.ends_with(".rs")
        })
        .filter(|(_, span)| !files.has(span))
        .map(|(number, span)| format!("{shown}:{number}: there is no {span}"))
        .collect()
}

/// Commands `cargo xtask NAME` that do not exist.
fn commands(tasks: &[&str], shown: &str, text: &str) -> Vec<String> {
    numbered(text)
        .flat_map(|(number, line)| {
            line.split("cargo xtask ")
                .skip(1)
                .filter_map(|rest| {
                    rest.split(|letter: char| !letter.is_alphanumeric() && letter != '-')
                        .next()
                })
                .filter(|name| !name.is_empty() && !tasks.contains(name))
                .map(|name| format!("{shown}:{number}: there is no `cargo xtask {name}`"))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Differences between the table of topics and [`Topic`].
fn topics(shown: &str, text: &str) -> Vec<String> {
    let pool = Topic::TaskDispatch(Pool::new("<pool>"));
    let code: BTreeSet<(String, u32)> = [
        Topic::ProjectCmd,
        Topic::TaskReady,
        pool,
        Topic::TaskDone,
        Topic::Event,
        Topic::Usage,
        Topic::Control,
        Topic::Dlq,
    ]
    .iter()
    .map(|topic| (topic.to_string(), topic.partitions()))
    .collect();
    let written: BTreeSet<(String, u32)> = text
        .lines()
        .filter(|line| line.starts_with("| `chorus."))
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let partitions = cells.get(3)?.split(',').next()?.trim().parse().ok()?;
            Some((cells.get(1)?.trim_matches('`').to_owned(), partitions))
        })
        .collect();
    code.symmetric_difference(&written)
        .map(|(topic, partitions)| {
            format!("{shown}: topic {topic} with {partitions} partitions is in the table or in the code, not in both")
        })
        .collect()
}

/// Headings that a decision record lacks.
fn decision(shown: &str, text: &str) -> Vec<String> {
    let number = shown
        .trim_start_matches("docs/adr/")
        .get(..4)
        .unwrap_or_default();
    let title = format!("# {number} ");
    let mut missing = Vec::new();
    if !text.starts_with(&title) {
        missing.push(title.trim_end().to_owned());
    }
    for heading in ["## Context", "## Decision", "## Consequences"] {
        if !text.lines().any(|line| line.trim_end() == heading) {
            missing.push(heading.to_owned());
        }
    }
    missing
        .iter()
        .map(|heading| format!("{shown}: the heading `{heading}` is missing"))
        .collect()
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line))
}

/// Texts in single backticks, outside fenced blocks; [`paths`] reads them.
fn spans(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    numbered(text).flat_map(move |(number, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let spans: Vec<_> = if fenced {
            Vec::new()
        } else {
            line.split('`')
                .skip(1)
                .step_by(2)
                .map(|span| (number, span))
                .collect()
        };
        spans
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        Files(
            ["crates/a/src/b.rs", "docs/c.md", "docs"]
                .map(str::to_owned)
                .into(),
        )
    }

    #[test]
    fn paths_in_backticks_must_exist_from_the_root_or_below_a_folder() {
        let text =
            "`b.rs`, `src/b.rs`, `docs/c.md`, `docs/`\n`x.rs` and `docs/d.md`\n```\n`y.rs`\n```\n";
        assert_eq!(
            paths(&files(), "p.md", text),
            ["p.md:2: there is no x.rs", "p.md:2: there is no docs/d.md"]
        );
    }

    #[test]
    fn commands_of_xtask_must_exist() {
        let text = "run `cargo xtask tidy`, then `cargo xtask nothing`";
        assert_eq!(
            commands(&["tidy"], "p.md", text),
            ["p.md:1: there is no `cargo xtask nothing`"]
        );
    }

    #[test]
    fn a_topic_that_is_only_in_the_page_or_only_in_the_code_is_a_fault() {
        let found = topics(
            "p.md",
            "| `chorus.event.v1` | project | 12 |\n| `chorus.gone.v1` | x | 1 |\n",
        );
        assert_eq!(found.len(), 8, "{found:?}");
    }

    #[test]
    fn decision_records_have_one_form() {
        let whole = "# 0001 A title\n## Context\n## Decision\n## Consequences\n";
        assert_eq!(decision("docs/adr/0001-a.md", whole), [""; 0]);
        assert_eq!(
            decision("docs/adr/0002-a.md", "# 2. A title\n**Context.**\n").len(),
            4
        );
    }
}
