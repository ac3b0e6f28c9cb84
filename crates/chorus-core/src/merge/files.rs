//! Putting the files of a deliverable together: parts in the plan's order, the glossary, the list
//! of conflicts ([`phrases`]).
//!
//! Nothing here depends on the order in which results came: equal results give equal bytes.

use std::collections::BTreeMap;

use super::conflicts::{in_order, term_subject};
use super::phrases::{self, one_line};
use super::{Conflict, FileText, PartSpan, Resolution, WorkResult};
use crate::id::TaskKey;
use crate::plan::{Part, Plan, PlannedFile};

/// Merges results into files, in the plan's order. A task without a result leaves no part.
/// Conflicts that the plan has no place for go into `CONFLICTS.md`.
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
    let has_place = plan
        .files
        .iter()
        .flat_map(|file| &file.parts)
        .any(|part| matches!(part, Part::Conflicts { .. }));
    if !has_place && !conflicts.is_empty() {
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
        if file.media_type.ends_with("json")
            && let Some(joined) = self.json(file)
        {
            return joined;
        }
        let prose = is_prose(&file.media_type);
        let mut text = String::new();
        let mut parts = Vec::new();
        for part in &file.parts {
            let piece = match part {
                Part::Task { task } => self
                    .results
                    .get(task)
                    .map(|result| unix(result.text.trim_end()))
                    .unwrap_or_default(),
                Part::Glossary { heading } => self.glossary(heading, &file.media_type),
                Part::Conflicts { heading } => self.conflict_list(heading, &file.media_type),
            };
            let piece = if prose {
                piece.trim_matches('\n')
            } else {
                piece.as_str()
            };
            if !text.is_empty() && !piece.is_empty() {
                text.push_str(if prose { "\n\n" } else { "\n" });
            }
            let start = text.len();
            text.push_str(piece);
            if let Part::Task { task } = part
                && self.results.contains_key(task)
            {
                parts.push(PartSpan {
                    task: task.clone(),
                    range: start..text.len(),
                });
            }
        }
        if !text.is_empty() {
            text.push('\n');
        }
        FileText {
            path: file.path.clone(),
            media_type: file.media_type.clone(),
            text,
            parts,
        }
    }

    /// Returns a JSON file of several parts, when all are lists or all are objects without a key in
    /// common.
    fn json(&self, file: &PlannedFile) -> Option<FileText> {
        let part = |part: &Part| match part {
            Part::Task { task } => self
                .results
                .get(task)
                .map(|result| (task.clone(), result.text.trim())),
            Part::Glossary { .. } | Part::Conflicts { .. } => None,
        };
        let parts: Option<Vec<_>> = file.parts.iter().map(part).collect();
        let (text, parts) = super::json_parts::joined(&parts?)?;
        Some(FileText {
            path: file.path.clone(),
            media_type: file.media_type.clone(),
            text,
            parts,
        })
    }

    /// Returns the terms of all results, each once: with the first definition in plan order, or the
    /// one that a resolution keeps.
    fn glossary(&self, heading: &str, media_type: &str) -> String {
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
        let line = |(name, meaning): &(String, String)| match media_type {
            "text/markdown" => format!("- **{name}**: {meaning}"),
            _ => format!("{name}: {meaning}"),
        };
        let lines: Vec<String> = sorted.iter().map(line).collect();
        let body = lines.join("\n");
        section(
            heading,
            media_type,
            if lines.is_empty() {
                phrases::of(heading).no_terms
            } else {
                &body
            },
        )
    }

    fn conflict_list(&self, heading: &str, media_type: &str) -> String {
        let phrases = phrases::of(heading);
        if self.conflicts.is_empty() {
            return section(heading, media_type, phrases.no_conflicts);
        }
        let entries: Vec<String> = self
            .conflicts
            .iter()
            .map(|conflict| {
                phrases::conflict(self.plan, conflict, self.resolution(conflict), phrases)
            })
            .collect();
        section(heading, media_type, &entries.join("\n"))
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

/// Returns true if parts of this type are separated by a blank line.
fn is_prose(media_type: &str) -> bool {
    matches!(media_type, "text/markdown" | "text/plain" | "text/html")
}

fn section(heading: &str, media_type: &str, body: &str) -> String {
    match media_type {
        "text/markdown" => format!("## {heading}\n\n{body}"),
        _ => format!("{heading}\n\n{body}"),
    }
}

fn unix(text: &str) -> String {
    text.replace("\r\n", "\n")
}
