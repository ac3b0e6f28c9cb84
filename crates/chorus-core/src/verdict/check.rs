//! Checks of the merged files that need no model. Certain findings are defects; uncertain ones are
//! shown to the judge, who decides. [`SyntaxCheck`] is how parsers are asked.

mod headings;

use super::{Undecided, Verdict, VerdictItem};
use crate::file_kind::FileKind;
use crate::id::TaskKey;
use crate::merge::{FileText, PartSpan};
use crate::plan::{self, Part, Plan, PlannedFile, PlannedTask};

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

/// Words by which a plan asks for an empty file.
const EMPTY: [&str; 8] = [
    "empty file",
    "is empty",
    "stays empty",
    "left empty",
    "be empty",
    "an empty",
    "no content",
    "rỗng",
];

/// Parsers of file kinds, as the checks need them.
pub trait SyntaxCheck {
    /// Returns the first fault of a text of this kind; none for kinds that cannot be parsed.
    fn fault(&self, kind: FileKind, text: &str) -> Option<SyntaxFault>;
}

/// A place where a text does not have the form of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxFault {
    /// Byte of the text at which the fault was noticed.
    pub offset: usize,
    /// Fault, with its line, for people.
    pub message: String,
    /// True if nothing that reads this kind can take the text.
    pub is_certain: bool,
}

/// Returns the findings of rules: defects as items, uncertain findings as undecided. The requirement
/// of a finding is the first one that the part's task covers.
pub fn check(plan: &Plan, files: &[FileText], syntax: &dyn SyntaxCheck) -> Verdict {
    let mut found = Verdict::default();
    for planned in &plan.files {
        match files.iter().find(|file| file.path == planned.path) {
            Some(file) => check_file(plan, planned, file, syntax, &mut found),
            None => found.items.push(file_defect(
                plan,
                planned,
                "it is missing",
                "make this file",
            )),
        }
    }
    found
}

fn check_file(
    plan: &Plan,
    planned: &PlannedFile,
    file: &FileText,
    syntax: &dyn SyntaxCheck,
    found: &mut Verdict,
) {
    let before = found.items.len();
    let kind = FileKind::of(&planned.path, &planned.media_type);
    for key in tasks(planned) {
        let Some(task) = plan.tasks.iter().find(|task| task.key == *key) else {
            continue;
        };
        if file.empty.contains(key) {
            if !may_be_empty(planned, task) {
                found.items.push(missing_part(task));
            }
            continue;
        }
        let text = part_of(file, key);
        found.items.extend(part_defect(task, text, kind));
        found.undecided.extend(doubt(task, text, kind));
    }
    for fault in &file.faults {
        let mut defect = file_defect(plan, planned, &fault.message, &fault.feedback);
        defect.redo.retain(|task| fault.tasks.contains(task));
        found.items.push(defect);
    }
    if found.items.len() == before {
        check_syntax(plan, planned, file, syntax, found);
    }
}

/// Returns the text of a task's part; empty for a task without a part.
fn part_of<'a>(file: &'a FileText, key: &TaskKey) -> &'a str {
    file.parts
        .iter()
        .find(|part| part.task == *key)
        .map_or("", |part| file.text[part.range.clone()].trim())
}

/// Returns true if the plan may want nothing in this file.
fn may_be_empty(planned: &PlannedFile, task: &PlannedTask) -> bool {
    let asks = |text: &String| {
        let lower = text.to_lowercase();
        EMPTY.iter().any(|word| lower.contains(word))
    };
    plan::is_marker(&planned.path) || asks(&task.instructions) || task.acceptance.iter().any(asks)
}

/// Parses a file and, where its parts are several, finds those that are broken by themselves.
fn check_syntax(
    plan: &Plan,
    planned: &PlannedFile,
    file: &FileText,
    syntax: &dyn SyntaxCheck,
    found: &mut Verdict,
) {
    let kind = FileKind::of(&planned.path, &planned.media_type);
    let Some(fault) = syntax
        .fault(kind, &file.text)
        .filter(|_| !file.text.trim().is_empty())
    else {
        return;
    };
    let broken = |part: &&PartSpan| syntax.fault(kind, &file.text[part.range.clone()]).is_some();
    let mut blamed: Vec<&TaskKey> = file
        .parts
        .iter()
        .filter(broken)
        .map(|part| &part.task)
        .collect();
    if blamed.is_empty() {
        let before = |part: &&PartSpan| part.range.start <= fault.offset;
        blamed.extend(file.parts.iter().rfind(before).map(|part| &part.task));
    }
    let what = format!("it cannot be read as {kind:?}: {}", fault.message);
    let feedback = format!(
        "{}: answer with the whole text again, correct and with nothing around it",
        fault.message
    );
    let mut defect = file_defect(plan, planned, &what, &feedback);
    defect.redo.retain(|task| blamed.contains(&task));
    if fault.is_certain {
        found.items.push(defect);
    } else {
        found.undecided.push(Undecided {
            requirement: defect.requirement,
            note: defect.evidence,
        });
    }
}

fn missing_part(task: &PlannedTask) -> VerdictItem {
    part_item(
        task,
        format!("{} is missing", name(task)),
        "The part was empty. Write it in full.",
    )
}

fn part_defect(task: &PlannedTask, text: &str, kind: FileKind) -> Option<VerdictItem> {
    if is_placeholder(text) {
        return Some(part_item(
            task,
            format!("{} is only a placeholder: {text}", name(task)),
            "The part was only a placeholder. Write it in full.",
        ));
    }
    (kind == FileKind::Markdown && !fences_closed(text)).then(|| {
        part_item(
            task,
            format!("{} has a code fence that never closes", name(task)),
            "A code fence was never closed. Close every fence.",
        )
    })
}

/// Returns what a rule suspects of a part and a judge must decide.
fn doubt(task: &PlannedTask, text: &str, kind: FileKind) -> Option<Undecided> {
    let missing = if kind == FileKind::Markdown {
        headings::missing(task, text)
    } else {
        Vec::new()
    };
    let note = if !missing.is_empty() {
        format!("{} lacks the headings {}", name(task), missing.join(", "))
    } else if text.starts_with("QUESTION:") && text.lines().count() <= 6 {
        format!("{} may be a question to the client: {text}", name(task))
    } else {
        return None;
    };
    Some(Undecided {
        requirement: requirement_of(task),
        note,
    })
}

fn name(task: &PlannedTask) -> String {
    format!("the part of {} ({})", task.key, task.title)
}

fn requirement_of(task: &PlannedTask) -> String {
    let first = task.covers.first().cloned();
    first.unwrap_or_else(|| format!("part {}", task.key))
}

fn part_item(task: &PlannedTask, evidence: String, feedback: &str) -> VerdictItem {
    VerdictItem {
        requirement: requirement_of(task),
        met: false,
        evidence,
        redo: vec![task.key.clone()],
        feedback: feedback.to_owned(),
    }
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
