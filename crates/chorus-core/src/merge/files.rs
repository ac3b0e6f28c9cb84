//! Putting the files of a deliverable together: parts in the plan's order, the glossary, the list
//! of conflicts ([`phrases`]).
//!
//! Nothing here depends on the order in which results came: equal results give equal bytes.

use std::collections::BTreeMap;

use super::conflicts::{in_order, term_subject};
use super::phrases::{self, one_line};
use super::structured::{self, Joined};
use super::{Conflict, FileText, PartSpan, Resolution, WorkResult, glossary};
use crate::file_kind::FileKind;
use crate::id::TaskKey;
use crate::plan::{Part, Plan, PlannedFile};

/// Words by which a requirement asks for the list of conflicts.
const ASKED: [&str; 4] = ["contradict", "conflict", "mâu thuẫn", "widerspr"];

/// Merges results into files, in the plan's order. A task without a result leaves no part. Conflicts
/// that the plan has no place for go into `CONFLICTS.md` beside documents, and never beside code.
pub fn files(
    plan: &Plan,
    results: &BTreeMap<TaskKey, WorkResult>,
    conflicts: &[Conflict],
    resolutions: &[Resolution],
) -> Vec<FileText> {
    let merge = Merge {
        plan,
        results,
        conflicts,
        resolutions,
    };
    let mut files: Vec<FileText> = plan.files.iter().map(|file| merge.file(file)).collect();
    if !conflicts.is_empty() && !has_place(plan) && wants_list(plan) {
        let heading = "Contradictions in the source".to_owned();
        let file = PlannedFile {
            path: free_path(plan),
            media_type: "text/markdown".into(),
            parts: vec![Part::Conflicts { heading }],
        };
        files.push(merge.file(&file));
    }
    files
}

/// Returns true if a file of prose has a part for the conflicts.
fn has_place(plan: &Plan) -> bool {
    let of_conflicts = |part: &Part| matches!(part, Part::Conflicts { .. });
    plan.files
        .iter()
        .any(|file| kind_of(file).is_prose() && file.parts.iter().any(of_conflicts))
}

/// Returns true if the deliverable may get a list of conflicts that no part holds: it is documents
/// only, or a requirement asks for the list and nothing makes it a package.
fn wants_list(plan: &Plan) -> bool {
    let kinds: Vec<FileKind> = plan.files.iter().map(kind_of).collect();
    let is_document = |kind: &FileKind| kind.is_prose() || *kind == FileKind::Html;
    let is_data = |kind: &FileKind| {
        matches!(
            kind,
            FileKind::Csv | FileKind::Tsv | FileKind::Json | FileKind::JsonLines
        )
    };
    let text = |text: &str| text.to_lowercase();
    let asked = plan.requirements.iter().any(|requirement| {
        ASKED
            .iter()
            .any(|word| text(&requirement.text).contains(word))
    });
    let documents = kinds.iter().all(is_document);
    documents || (asked && kinds.iter().all(|kind| is_document(kind) || is_data(kind)))
}

fn kind_of(file: &PlannedFile) -> FileKind {
    FileKind::of(&file.path, &file.media_type)
}

fn free_path(plan: &Plan) -> String {
    let taken = |path: &str| {
        plan.files
            .iter()
            .any(|file| file.path.to_lowercase().split('/').next() == Some(&path.to_lowercase()))
    };
    let numbered = (2..).map(|number| format!("CONFLICTS-{number}.md"));
    ["CONFLICTS.md".to_owned()]
        .into_iter()
        .chain(numbered)
        .find(|path| !taken(path))
        .expect("numbers do not end")
}

struct Merge<'a> {
    plan: &'a Plan,
    results: &'a BTreeMap<TaskKey, WorkResult>,
    conflicts: &'a [Conflict],
    resolutions: &'a [Resolution],
}

impl Merge<'_> {
    fn file(&self, file: &PlannedFile) -> FileText {
        let kind = kind_of(file);
        let joined = self
            .structured(file, kind)
            .unwrap_or_else(|| self.pieces_of(file, kind));
        let Joined {
            mut text,
            spans,
            faults,
        } = joined;
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        FileText {
            path: file.path.clone(),
            media_type: file.media_type.clone(),
            text,
            parts: spans,
            empty: self.empty(file),
            faults,
        }
    }

    /// Returns the tasks of a file with a part without text.
    fn empty(&self, file: &PlannedFile) -> Vec<TaskKey> {
        let has_text = |task: &TaskKey| {
            let result = self.results.get(task);
            result.is_some_and(|result| !result.text.trim().is_empty())
        };
        let tasks = file.parts.iter().filter_map(|part| match part {
            Part::Task { task } => Some(task),
            Part::Glossary { .. } | Part::Conflicts { .. } => None,
        });
        tasks.filter(|task| !has_text(task)).cloned().collect()
    }

    /// Returns a file of several parts that its kind has rules for.
    fn structured(&self, file: &PlannedFile, kind: FileKind) -> Option<Joined> {
        let part = |part: &Part| match part {
            Part::Task { task } => self
                .results
                .get(task)
                .map(|result| (task.clone(), result.text.as_str())),
            Part::Glossary { .. } | Part::Conflicts { .. } => None,
        };
        let parts: Vec<_> = file.parts.iter().filter_map(part).collect();
        let only_tasks = file
            .parts
            .iter()
            .all(|part| matches!(part, Part::Task { .. }));
        (only_tasks && parts.len() > 1)
            .then(|| structured::joined(kind, &parts))
            .flatten()
    }

    /// Puts the parts of a file one after the other. A part alone in its file stays as it is; parts
    /// of prose are separated by one blank line, others begin on a line of their own.
    fn pieces_of(&self, file: &PlannedFile, kind: FileKind) -> Joined {
        let spaced = kind.is_prose() || kind == FileKind::Html;
        let mut joined = Joined::default();
        for part in &file.parts {
            let piece = match part {
                Part::Task { task } => self
                    .results
                    .get(task)
                    .map(|result| result.text.clone())
                    .unwrap_or_default(),
                Part::Glossary { heading } => self.glossary(heading, kind),
                Part::Conflicts { heading } => self.conflict_list(heading, kind),
            };
            let is_spaced = spaced && file.parts.len() > 1;
            let piece = if is_spaced {
                piece.trim_matches('\n')
            } else {
                piece.as_str()
            };
            if !joined.text.is_empty() && !piece.is_empty() {
                let line = if joined.text.ends_with('\n') {
                    ""
                } else {
                    "\n"
                };
                joined.text.push_str(if is_spaced { "\n\n" } else { line });
            }
            let start = joined.text.len();
            joined.text.push_str(piece);
            if let Part::Task { task } = part
                && self.results.contains_key(task)
            {
                joined.spans.push(PartSpan {
                    task: task.clone(),
                    range: start..joined.text.len(),
                });
            }
        }
        joined
    }

    /// Returns the terms of all results, each once: with the first definition in plan order, or the
    /// one that a resolution keeps.
    fn glossary(&self, heading: &str, kind: FileKind) -> String {
        let mut terms: BTreeMap<String, (String, String)> = BTreeMap::new();
        for term in in_order(self.plan, self.results).flat_map(|(_, result)| &result.terms) {
            let name = one_line(&term.term);
            let kept = || self.kept(&term_subject(&term.term)).map(str::to_owned);
            terms
                .entry(super::value::subject(&name))
                .or_insert_with(|| {
                    (
                        name,
                        one_line(&kept().unwrap_or_else(|| term.meaning.clone())),
                    )
                });
        }
        let mut sorted: Vec<(String, String)> = terms.into_values().collect();
        sorted.sort_by_key(|(name, _)| (name.to_lowercase(), name.clone()));
        if !kind.is_prose() && kind != FileKind::Html {
            return glossary::as_data(&sorted, kind);
        }
        let line = |(name, meaning): &(String, String)| match kind {
            FileKind::Markdown => format!("- **{name}**: {meaning}"),
            _ => format!("{name}: {meaning}"),
        };
        let lines: Vec<String> = sorted.iter().map(line).collect();
        let body = lines.join("\n");
        section(
            heading,
            kind,
            if lines.is_empty() {
                phrases::of(heading).no_terms
            } else {
                &body
            },
        )
    }

    /// Returns the list of conflicts; nothing in files that are no prose.
    fn conflict_list(&self, heading: &str, kind: FileKind) -> String {
        let phrases = phrases::of(heading);
        if !kind.is_prose() && kind != FileKind::Html {
            return String::new();
        }
        if self.conflicts.is_empty() {
            return section(heading, kind, phrases.no_conflicts);
        }
        let entries: Vec<String> = self
            .conflicts
            .iter()
            .map(|conflict| {
                phrases::conflict(self.plan, conflict, self.resolution(conflict), phrases)
            })
            .collect();
        section(heading, kind, &entries.join("\n"))
    }

    fn resolution(&self, conflict: &Conflict) -> Option<&Resolution> {
        self.resolutions
            .iter()
            .find(|resolution| resolution.conflict == conflict.id)
    }

    /// Returns the value that was kept for a subject.
    fn kept(&self, subject: &str) -> Option<&str> {
        let conflict = self
            .conflicts
            .iter()
            .find(|conflict| conflict.subject == subject)?;
        phrases::kept(conflict, self.resolution(conflict)).map(|claim| claim.value.as_str())
    }
}

fn section(heading: &str, kind: FileKind, body: &str) -> String {
    match kind {
        FileKind::Markdown => format!("## {heading}\n\n{body}"),
        _ => format!("{heading}\n\n{body}"),
    }
}
