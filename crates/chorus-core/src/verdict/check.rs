//! Checks of the merged files that need no model: their findings are certain, and come before a
//! judge is paid.

use serde_json::Value;

use super::VerdictItem;
use crate::id::TaskKey;
use crate::merge::FileText;
use crate::plan::{Part, Plan, PlannedFile, PlannedTask};

/// Words with which a note to do the work later begins.
const NOTES: [&str; 3] = ["todo", "tbd", "fixme"];
/// Texts that stand in place of work.
const PLACEHOLDERS: [&str; 7] = [
    "placeholder",
    "lorem ipsum",
    "...",
    "…",
    "to be written",
    "to be done",
    "your text here",
];

/// Returns the defects that rules find. The requirement of an item is the first one that the part's
/// task covers.
pub fn check(plan: &Plan, files: &[FileText]) -> Vec<VerdictItem> {
    let mut defects = Vec::new();
    for planned in &plan.files {
        match files.iter().find(|file| file.path == planned.path) {
            Some(file) => check_file(plan, planned, file, &mut defects),
            None => defects.push(file_defect(
                plan,
                planned,
                "it is missing",
                "make this file",
            )),
        }
    }
    defects
}

fn check_file(plan: &Plan, planned: &PlannedFile, file: &FileText, defects: &mut Vec<VerdictItem>) {
    let before = defects.len();
    for key in tasks(planned) {
        let Some(task) = plan.tasks.iter().find(|task| task.key == *key) else {
            continue;
        };
        let text = file
            .parts
            .iter()
            .find(|part| part.task == *key)
            .map_or("", |part| file.text[part.range.clone()].trim());
        defects.extend(part_defect(task, text, &file.media_type));
    }
    if defects.len() > before {
        return;
    }
    if file.text.trim().is_empty() {
        defects.push(file_defect(plan, planned, "it is empty", "write its text"));
    }
    if file.media_type.ends_with("json")
        && let Err(error) = serde_json::from_str::<Value>(&file.text)
    {
        defects.push(file_defect(
            plan,
            planned,
            &format!("it is no JSON: {error}"),
            "answer with JSON only, complete and valid",
        ));
    }
}

fn part_defect(task: &PlannedTask, text: &str, media_type: &str) -> Option<VerdictItem> {
    let item = |evidence: String, feedback: &str| {
        let requirement = task
            .covers
            .first()
            .cloned()
            .unwrap_or_else(|| format!("part {}", task.key));
        Some(VerdictItem {
            requirement,
            met: false,
            evidence,
            redo: vec![task.key.clone()],
            feedback: feedback.to_owned(),
        })
    };
    let name = format!("the part of {} ({})", task.key, task.title);
    if text.is_empty() {
        return item(
            format!("{name} is missing"),
            "The part was empty. Write it in full.",
        );
    }
    if is_placeholder(text) {
        return item(
            format!("{name} is only a placeholder: {text}"),
            "The part was only a placeholder. Write it in full.",
        );
    }
    if media_type == "text/markdown" && !fences_closed(text) {
        return item(
            format!("{name} has a code fence that never closes"),
            "A code fence was never closed. Close every fence.",
        );
    }
    let missing = missing_headings(task, text);
    if media_type == "text/markdown" && !missing.is_empty() {
        let list = missing.join(", ");
        return item(
            format!("{name} lacks the headings {list}"),
            &format!("These headings are required and were not there: {list}."),
        );
    }
    None
}

fn file_defect(plan: &Plan, planned: &PlannedFile, what: &str, feedback: &str) -> VerdictItem {
    let redo: Vec<TaskKey> = tasks(planned).cloned().collect();
    let covers = plan
        .tasks
        .iter()
        .filter(|task| redo.contains(&task.key))
        .find_map(|task| task.covers.first().cloned());
    VerdictItem {
        requirement: covers.unwrap_or_else(|| format!("file {}", planned.path)),
        met: false,
        evidence: format!("file {}: {what}", planned.path),
        redo,
        feedback: format!("File {}: {feedback}.", planned.path),
    }
}

fn tasks(planned: &PlannedFile) -> impl Iterator<Item = &TaskKey> {
    planned.parts.iter().filter_map(|part| match part {
        Part::Task { task } => Some(task),
        Part::Glossary { .. } | Part::Conflicts { .. } => None,
    })
}

/// Returns true if a text is nothing but a note that it is still to be written, headings aside.
fn is_placeholder(text: &str) -> bool {
    let body: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .collect::<Vec<_>>()
        .join(" ");
    let bare = body
        .trim()
        .trim_matches(['[', ']', '(', ')', '<', '>', '*', '_', ' '])
        .to_lowercase();
    let bare = bare.trim_end_matches(['!', ':']).trim();
    let note = |word: &str| {
        let rest = bare.strip_prefix(word);
        rest.is_some_and(|rest| {
            rest.is_empty() || bare.len() < 60 && rest.starts_with([':', ' ', ',', '.'])
        })
    };
    PLACEHOLDERS.contains(&bare) || NOTES.iter().any(|word| note(word))
}

fn fences_closed(text: &str) -> bool {
    let mut open: Option<(char, usize)> = None;
    for line in text.lines().map(str::trim) {
        let mark = line.chars().next().filter(|mark| "`~".contains(*mark));
        let length = mark.map_or(0, |mark| {
            line.chars().take_while(|letter| *letter == mark).count()
        });
        let bare = line.len() == length;
        open = match (open, mark) {
            (None, Some(mark)) if length >= 3 && !line[length..].contains('`') => {
                Some((mark, length))
            }
            (Some((wanted, least)), Some(mark)) if mark == wanted && length >= least && bare => {
                None
            }
            (open, _) => open,
        };
    }
    open.is_none()
}

/// Returns the headings named in acceptance lines about headings (`has the heading "Summary"`) that
/// the text lacks. Lines that forbid something and names that stand for others (`## Chapter N`,
/// `{title}`) are left to the judge.
fn missing_headings(task: &PlannedTask, text: &str) -> Vec<String> {
    let headings: Vec<String> = text
        .lines()
        .filter(|line| line.trim_start().starts_with('#'))
        .map(plain)
        .collect();
    let has =
        |line: &str, words: &[&str]| words.iter().any(|word| line.to_lowercase().contains(word));
    let speaks = |line: &&String| {
        has(line, &["heading", "section called", "tiêu đề"])
            && !has(line, &["no ", "not ", "without", "never", "không "])
    };
    let wanted = task
        .acceptance
        .iter()
        .filter(speaks)
        .flat_map(|line| quoted(line))
        .filter(|wanted| !is_variable(wanted));
    wanted
        .filter(|wanted| {
            headings
                .iter()
                .all(|heading| !heading.contains(&plain(wanted)))
        })
        .collect()
}

/// Returns true if a name stands for others.
fn is_variable(name: &str) -> bool {
    let word = |word: &str| matches!(word, "n" | "x" | "nn" | "title" | "name" | "number");
    name.contains(['{', '}', '<', '>', '[', ']', '…', '_'])
        || name.contains("..")
        || plain(name).split(' ').any(word)
}

fn plain(text: &str) -> String {
    text.to_lowercase()
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Returns the texts in backticks or double quotes of a line.
fn quoted(line: &str) -> Vec<String> {
    let even = line.replace(['“', '”'], "\"").replace('`', "\"");
    let inside = even
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::trim)
        .map(str::to_owned);
    let count = even.matches('"').count() / 2;
    inside
        .take(count)
        .filter(|text| plain(text).chars().any(char::is_alphanumeric))
        .collect()
}
