//! The files of a plan: safe paths, known parts, each task at most once a file.

use std::collections::BTreeSet;

use super::draft::{DraftFile, DraftPart, DraftTask};
use super::notes::Notes;
use super::{Part, PlannedFile};
use crate::id::TaskKey;

/// Path of the file for all results when a plan names no file.
const WHOLE: &str = "deliverable.md";
const LONGEST_PATH: usize = 200;

/// Returns true if a path is relative, has no `.` or `..`, no control or reserved character, and at
/// most 200 bytes.
pub(super) fn is_safe(path: &str) -> bool {
    let segment = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && !part.ends_with(['.', ' '])
            && !part.starts_with(' ')
    };
    let plain = |letter: char| !letter.is_control() && !"\\:*?\"<>|".contains(letter);
    path.len() <= LONGEST_PATH && path.chars().all(plain) && path.split('/').all(segment)
}

/// Returns true if a path equals another in any case, or one is the folder of the other.
pub(super) fn clashes(path: &str, others: &[String]) -> bool {
    let path = path.to_lowercase();
    let inside = |inner: &str, outer: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    others
        .iter()
        .map(|other| other.to_lowercase())
        .any(|other| path == other || inside(&path, &other) || inside(&other, &path))
}

/// Returns the media type for the ending of a file's name; Markdown for names without an ending.
pub(super) fn media_type(path: &str) -> &'static str {
    match path
        .rsplit_once('.')
        .map_or("", |(_, ending)| ending)
        .to_lowercase()
        .as_str()
    {
        "json" => "application/json",
        "html" | "htm" => "text/html",
        "csv" => "text/csv",
        "py" => "text/x-python",
        "rs" => "text/x-rust",
        "js" | "mjs" => "text/javascript",
        "ts" => "text/x-typescript",
        "css" => "text/css",
        "toml" => "application/toml",
        "yaml" | "yml" => "application/yaml",
        "txt" => "text/plain",
        "sh" => "text/x-shellscript",
        "" | "md" | "markdown" => "text/markdown",
        _ => "text/plain",
    }
}

/// Turns drafted files into planned ones. `resolve` returns the tasks of a name, in order.
pub(super) fn planned(
    drafts: Vec<DraftFile>,
    tasks: &[DraftTask],
    resolve: &dyn Fn(&str) -> Vec<TaskKey>,
    notes: &mut Notes,
) -> Vec<PlannedFile> {
    let mut planned: Vec<PlannedFile> = Vec::new();
    for draft in drafts
        .into_iter()
        .flat_map(|draft| one_for_each(draft, resolve))
    {
        let path = mended(&draft.path, planned.len() + 1, notes);
        let parts = parts(&draft, resolve, notes);
        if let Some(same) = planned
            .iter_mut()
            .find(|file| file.path.eq_ignore_ascii_case(&path))
        {
            notes.warn(format!("two files are called {path}; joined"));
            let more: Vec<Part> = parts
                .into_iter()
                .filter(|part| !same.parts.contains(part))
                .collect();
            same.parts.extend(more);
        } else if parts.is_empty() {
            notes.warn(format!("file {path} has no part; left out"));
        } else {
            let path = free(path, &planned);
            let named = draft
                .media_type
                .split_once('/')
                .is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty());
            let media_type = if named {
                draft.media_type.to_lowercase()
            } else {
                media_type(&path).to_owned()
            };
            planned.push(PlannedFile {
                path,
                media_type,
                parts,
            });
        }
    }
    let some_task = planned
        .iter()
        .flat_map(|file| &file.parts)
        .any(|part| matches!(part, Part::Task { .. }));
    if !some_task {
        notes.warn(format!(
            "no file has a task's part: the results go into {WHOLE}"
        ));
        let parts = sinks(tasks)
            .into_iter()
            .map(|task| Part::Task { task })
            .collect();
        let path = free(WHOLE.into(), &planned);
        planned.insert(
            0,
            PlannedFile {
                media_type: media_type(&path).into(),
                path,
                parts,
            },
        );
    }
    planned
}

/// Turns a file with `{n}` in its path into one file for each task of its first part.
fn one_for_each(draft: DraftFile, resolve: &dyn Fn(&str) -> Vec<TaskKey>) -> Vec<DraftFile> {
    let Some(DraftPart::Task(group)) = draft.parts.first().filter(|_| draft.path.contains("{n}"))
    else {
        return vec![draft];
    };
    let tasks = resolve(group).into_iter().enumerate();
    let file = |(at, task): (usize, TaskKey)| DraftFile {
        path: draft.path.replace("{n}", &(at + 1).to_string()),
        media_type: draft.media_type.clone(),
        parts: vec![DraftPart::Task(task.to_string())],
    };
    tasks.map(file).collect()
}

fn parts(
    draft: &DraftFile,
    resolve: &dyn Fn(&str) -> Vec<TaskKey>,
    notes: &mut Notes,
) -> Vec<Part> {
    let heading = |heading: &str, default: &str| {
        let heading = heading
            .trim_start_matches('#')
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        if heading.is_empty() {
            default.to_owned()
        } else {
            heading
        }
    };
    let mut parts = Vec::new();
    for part in &draft.parts {
        let found: Vec<Part> = match part {
            DraftPart::Glossary(text) => vec![Part::Glossary {
                heading: heading(text, "Glossary"),
            }],
            DraftPart::Conflicts(text) => vec![Part::Conflicts {
                heading: heading(text, "Contradictions"),
            }],
            DraftPart::Task(id) => {
                let tasks = resolve(id);
                if tasks.is_empty() {
                    notes.warn(format!(
                        "file {} has a part {id:?}, which is no task; left out",
                        draft.path
                    ));
                }
                tasks.into_iter().map(|task| Part::Task { task }).collect()
            }
        };
        parts.extend(
            found
                .into_iter()
                .filter(|part| !parts.contains(part))
                .collect::<Vec<_>>(),
        );
    }
    parts
}

/// Returns the safe path nearest to the planner's.
fn mended(path: &str, number: usize, notes: &mut Notes) -> String {
    if is_safe(path) {
        return path.to_owned();
    }
    let slashes = path.replace('\\', "/");
    let plain = |part: &str| {
        part.chars()
            .filter(|letter| !letter.is_control() && !":*?\"<>|".contains(*letter))
            .collect::<String>()
    };
    let segments = slashes
        .split('/')
        .map(plain)
        .map(|part| part.trim().trim_end_matches(['.', ' ']).to_owned())
        .filter(|part| !part.is_empty());
    let joined = segments.collect::<Vec<_>>().join("/");
    let safe = if is_safe(&joined) {
        joined
    } else {
        format!("file-{number}.md")
    };
    notes.warn(format!("the path {path:?} is not safe; {safe} is used"));
    safe
}

/// Returns the path, or a similar one when a file and a folder would have the same name.
fn free(path: String, planned: &[PlannedFile]) -> String {
    let taken: Vec<String> = planned.iter().map(|file| file.path.clone()).collect();
    let other = |number: usize| {
        let flat = path.replace('/', "-");
        match flat
            .rsplit_once('.')
            .filter(|(_, ending)| !ending.contains('-'))
        {
            Some((name, ending)) => format!("{name}-{number}.{ending}"),
            None => format!("{flat}-{number}"),
        }
    };
    if !clashes(&path, &taken) {
        return path;
    }
    (2..)
        .map(other)
        .find(|path| is_safe(path) && !clashes(path, &taken))
        .unwrap_or(path)
}

/// Returns the tasks on which no other depends.
fn sinks(tasks: &[DraftTask]) -> Vec<TaskKey> {
    let parents: BTreeSet<&str> = tasks
        .iter()
        .flat_map(|task| &task.parents)
        .map(String::as_str)
        .collect();
    tasks
        .iter()
        .filter(|task| !parents.contains(task.key.as_str()))
        .map(|task| TaskKey::new(&task.key))
        .collect()
}
