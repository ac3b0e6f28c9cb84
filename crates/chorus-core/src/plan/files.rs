//! The files of a plan: safe paths, known parts, each task at most once a file.

use std::collections::BTreeSet;

use super::draft::{DraftFile, DraftPart, DraftTask};
use super::notes::Notes;
use super::{Part, PlannedFile};
use crate::id::TaskKey;
use crate::output_path;

/// Path of the file for all results when a plan names no file.
const WHOLE: &str = "deliverable.md";
/// Names of files that mark something by being there.
const MARKERS: [&str; 6] = [
    "__init__.py",
    "py.typed",
    ".gitkeep",
    ".keep",
    ".nojekyll",
    ".placeholder",
];

/// Returns true if a plan may name the path, by [`output_path::check_planned`].
pub(super) fn is_safe(path: &str) -> bool {
    output_path::check_planned(path).is_ok()
}

/// Returns true for files that mark something by being there and are usually empty.
pub(crate) fn is_marker(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    MARKERS.contains(&name)
}

/// Returns true if a path equals another in any case, or one is the folder of the other.
pub(super) fn clashes(path: &str, others: &[String]) -> bool {
    let path = output_path::key(path);
    let inside = |inner: &str, outer: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    others
        .iter()
        .map(|other| output_path::key(other))
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
    // Paths as drafted: two that only become equal by mending are two files.
    let mut drafted: Vec<String> = Vec::new();
    for draft in drafts
        .into_iter()
        .flat_map(|draft| one_for_each(draft, resolve))
    {
        let path = mended(&draft.path, notes);
        let parts = parts(&draft, resolve, notes);
        let same = drafted.iter().position(|other| *other == draft.path);
        if let Some(same) = same.and_then(|at| planned.get_mut(at)) {
            notes.warn(format!("two files are called {path}; joined"));
            let more: Vec<Part> = parts
                .into_iter()
                .filter(|part| !same.parts.contains(part))
                .collect();
            same.parts.extend(more);
        } else if parts.is_empty() && !is_marker(&path) {
            notes.warn(format!("file {path} has no part; left out"));
        } else {
            let path = free(&path, &planned);
            let named = draft
                .media_type
                .split_once('/')
                .is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty());
            let media_type = if named {
                draft.media_type.to_lowercase()
            } else {
                media_type(&path).to_owned()
            };
            drafted.push(draft.path.clone());
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
        let path = free(WHOLE, &planned);
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

/// Returns the safe path nearest to the planner's, by [`output_path::planned`].
fn mended(path: &str, notes: &mut Notes) -> String {
    let safe = output_path::planned(path);
    if safe != path {
        notes.warn(format!("the path {path:?} is not safe; {safe} is used"));
    }
    safe
}

/// Returns the path, or a similar one when a file and a folder would have the same name.
fn free(path: &str, planned: &[PlannedFile]) -> String {
    let taken: Vec<String> = planned.iter().map(|file| file.path.clone()).collect();
    let flat = path.replace('/', "-");
    let similar = |number: usize| match flat
        .rsplit_once('.')
        .filter(|(_, ending)| !ending.contains('-'))
    {
        Some((name, ending)) => format!("{name}-{number}.{ending}"),
        None => format!("{flat}-{number}"),
    };
    // A number can make a long path too long; a short name always ends the search.
    let others = (2..).map(|number| {
        Some(similar(number))
            .filter(|path| is_safe(path))
            .unwrap_or_else(|| format!("file-{number}.md"))
    });
    std::iter::once(path.to_owned())
        .chain(others)
        .find(|other| !clashes(other, &taken))
        .expect("numbers do not end")
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::output_path::MAX_BYTES as LONGEST_PATH;

    #[test]
    fn a_safe_path_stays_inside_the_folder_on_every_system() {
        for path in ["a.md", "dir/a.md", "ä/ö ü.md", ".hidden", "a..b", "..."] {
            assert_eq!(is_safe(path), path != "...", "{path:?}");
        }
        for path in [
            "", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a.", "a ", " a", "a\\b",
            "c:a", "a*", "a?", "a\"b", "a<b", "a>b", "a|b", "a\nb", "a\0b",
        ] {
            assert!(!is_safe(path), "{path:?}");
        }
        assert!(is_safe(&"a".repeat(LONGEST_PATH)));
        assert!(!is_safe(&"a".repeat(LONGEST_PATH + 1)));
    }

    #[test]
    fn paths_clash_when_a_file_system_could_not_keep_both() {
        let check = |path: &str, other: &str, clash: bool| {
            assert_eq!(clashes(path, &[other.to_owned()]), clash, "{path} {other}");
            assert_eq!(clashes(other, &[path.to_owned()]), clash, "{other} {path}");
        };
        check("a.md", "a.md", true);
        check("A.md", "a.MD", true);
        check("Ä.md", "ä.md", true);
        check("a", "a/b", true);
        check("a/b", "A", true);
        check("a", "ab", false);
        check("a/b", "a/c", false);
        check("a/b", "ab", false);
        assert!(!clashes("a", &[]));
    }

    #[test]
    fn a_media_type_follows_the_ending_of_the_name() {
        for (path, expected) in [
            ("a.json", "application/json"),
            ("dir/A.JSON", "application/json"),
            ("a.htm", "text/html"),
            ("a.tar.py", "text/x-python"),
            ("README", "text/markdown"),
            ("a.md", "text/markdown"),
            ("a.yml", "application/yaml"),
            ("a.unknown", "text/plain"),
        ] {
            assert_eq!(media_type(path), expected, "{path}");
        }
    }

    #[test]
    fn files_that_only_mending_or_letter_case_makes_equal_stay_two() {
        let draft = |path: &str, task: &str| DraftFile {
            path: path.into(),
            media_type: String::new(),
            parts: vec![DraftPart::Task(task.into())],
        };
        let drafts = vec![
            draft("a.md", "t1"),
            draft("../a.md", "t2"),
            draft("A.md", "t3"),
            draft("a.md", "t4"),
        ];
        let tasks = ["t1", "t2", "t3", "t4"].map(|key| DraftTask {
            key: key.into(),
            ..DraftTask::default()
        });
        let resolve = |name: &str| vec![TaskKey::new(name)];
        let files = planned(drafts, &tasks, &resolve, &mut Notes::default());
        let drawn: Vec<(&str, usize)> = files
            .iter()
            .map(|file| (file.path.as_str(), file.parts.len()))
            .collect();
        assert_eq!(drawn, [("a.md", 2), ("a-2.md", 1), ("A-3.md", 1)]);
    }

    #[test]
    fn an_unsafe_path_is_mended_with_a_warning() {
        let check = |path: &str, expected: &str, warnings: usize| {
            let mut notes = Notes::default();
            assert_eq!(mended(path, &mut notes), expected);
            assert_eq!(notes.into_warnings().len(), warnings, "{path}");
        };
        check(".git/config", "dot-git/config", 1);
        check(
            "chorus-report/report.json",
            "deliverable-chorus-report/report.json",
            1,
        );
        check("a/b.md", "a/b.md", 0);
        check("/etc/passwd", "etc/passwd", 1);
        check("..\\..\\a.md", "a.md", 1);
        check("c:\\dir\\a.md", "c/dir/a.md", 1);
        check("a?.md", "a.md", 1);
        check("..", "file-5ec1f7e7.md", 1);
    }

    #[test]
    fn a_long_path_that_clashes_gets_a_short_name() {
        let long = format!("a/{}", "b".repeat(LONGEST_PATH - 2));
        let file = |path: &str| PlannedFile {
            path: path.into(),
            media_type: String::new(),
            parts: Vec::new(),
        };
        let path = free(&long, &[file("a")]);
        assert!(is_safe(&path) && !clashes(&path, &["a".into()]), "{path}");
        assert_eq!(free("a/b.md", &[file("a")]), "a-b-2.md");
        assert_eq!(free("a", &[file("a/b"), file("a-2")]), "a-3");
    }

    fn drafts() -> impl Strategy<Value = Vec<DraftFile>> {
        let part = prop_oneof![
            "t[1-4]".prop_map(DraftPart::Task),
            Just(DraftPart::Task("group".into())),
            "#{0,2} ?[a-z]{0,4}".prop_map(DraftPart::Glossary),
            "[a-z]{0,4}".prop_map(DraftPart::Conflicts),
        ];
        let file = (
            "([aAbé./ \\\\]|\\{n\\}){0,8}",
            prop::collection::vec(part, 0..4),
        );
        let draft = file.prop_map(|(path, parts)| DraftFile {
            path,
            media_type: String::new(),
            parts,
        });
        prop::collection::vec(draft, 0..6)
    }

    proptest! {
        #[test]
        fn any_drafted_files_become_safe_distinct_files_with_parts(drafts in drafts()) {
            let tasks = ["t1", "t2", "t3"].map(|key| DraftTask { key: key.into(), ..DraftTask::default() });
            let resolve = |name: &str| match name {
                "group" => vec![TaskKey::new("t1"), TaskKey::new("t2")],
                "t4" => Vec::new(),
                key => vec![TaskKey::new(key)],
            };
            let files = planned(drafts, &tasks, &resolve, &mut Notes::default());
            let mut paths: Vec<String> = Vec::new();
            for file in &files {
                prop_assert!(is_safe(&file.path) && !clashes(&file.path, &paths), "{}", file.path);
                prop_assert!(!file.parts.is_empty() && !file.media_type.is_empty());
                let distinct = file.parts.iter().enumerate().all(|(at, part)| !file.parts[..at].contains(part));
                prop_assert!(distinct, "{:?}", file.parts);
                paths.push(file.path.clone());
            }
            let of_tasks = files.iter().flat_map(|file| &file.parts).any(|part| matches!(part, Part::Task { .. }));
            prop_assert!(of_tasks, "the results of no task would be delivered");
        }
    }
}
