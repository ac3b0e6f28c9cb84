//! Judging by inspection: checks every requirement against the text of the files and their parts.
//!
//! The evidence names what was inspected. Rules claim nothing that they cannot see.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Reply;
use super::features::{Feature, lead, main_features};
use super::prompt::{Block, Prompt};
use super::text::{backticked, heading, item, mentions, paragraphs, range_before};

/// Minimum words of a part; shorter parts are stubs.
const STUB_WORDS: usize = 8;

/// Files to judge, with their parts.
struct Deliverable {
    files: BTreeMap<String, String>,
    parts: BTreeMap<String, String>,
    /// True if tasks are named without parts: this is a piece of a larger deliverable, and missing
    /// things may be elsewhere.
    piece: bool,
    /// True if the turn calls itself an excerpt.
    excerpt: bool,
    /// Notes of the judges of excerpts, by requirement, for the last judge; none for others.
    notes: Option<BTreeMap<String, String>>,
    /// Suspicions of the checks, by requirement.
    suspected: BTreeMap<String, String>,
}

/// Defects of a requirement: the tasks to redo, with reasons.
#[derive(Default)]
struct Faults {
    redo: Vec<String>,
    reasons: Vec<String>,
}

/// Kind of a part, by its first heading and its markers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PartKind {
    Questions,
    Translation,
    Introduction,
    Body,
}

/// Replies to a judge turn.
pub(super) fn judge(prompt: &Prompt<'_>) -> Reply {
    let judged = Deliverable::of(prompt);
    let items: Vec<Value> = prompt
        .all("requirement")
        .map(|requirement| judged.item(requirement))
        .collect();
    let unmet = items.iter().filter(|item| item["finding"] != "met").count();
    let reasoning = format!(
        "I read {} files with {} parts and hold them against {} requirements; {unmet} are not met.",
        judged.files.len(),
        judged.parts.len(),
        items.len()
    );
    Reply {
        reasoning,
        text: json!({"items": items}).to_string(),
    }
}

impl Deliverable {
    fn of(prompt: &Prompt<'_>) -> Self {
        let mut judged = Self {
            files: BTreeMap::new(),
            parts: BTreeMap::new(),
            piece: false,
            excerpt: prompt.first("excerpt").is_some(),
            notes: prompt.first("last").map(|_| by_requirement(prompt, "note")),
            suspected: by_requirement(prompt, "suspected"),
        };
        for file in prompt.all("file") {
            let text = file.text();
            for (task, part) in parts(&text) {
                judged.parts.insert(task, part);
            }
            judged.files.insert(file.attribute("path"), text);
        }
        let named = prompt.all("requirement").flat_map(tasks_of);
        judged.piece = !judged.parts.is_empty()
            && named
                .into_iter()
                .any(|task| !judged.parts.contains_key(&task));
        judged
    }

    fn item(&self, requirement: &Block<'_>) -> Value {
        let (id, text) = (requirement.attribute("id"), requirement.text());
        let tasks = tasks_of(requirement);
        if let Some(notes) = &self.notes {
            return last_item(&id, &tasks, notes.get(&id).map_or("", String::as_str));
        }
        let mut faults = Faults::default();
        let mut seen = Vec::new();
        self.check_parts(&tasks, &mut faults);
        if let Some(suspicion) = self.suspected.get(&id) {
            faults.all(&tasks, suspicion.clone());
        }
        self.check_files(&text, &tasks, &mut faults, &mut seen);
        let features = if backticked(lead(&text)).iter().any(|name| is_path(name)) {
            Vec::new()
        } else {
            main_features(&text)
        };
        for feature in features {
            self.check_feature(feature, &text, &tasks, &mut faults, &mut seen);
        }
        let met = faults.reasons.is_empty();
        if seen.is_empty() {
            let shown = tasks.iter().filter(|task| self.parts.contains_key(*task));
            seen.push(match shown.count() {
                0 => "the files were read as a whole and lack nothing of it".to_owned(),
                count => format!("{count} parts for it are there and none is a stub"),
            });
        }
        let evidence = if met {
            seen.join("; ")
        } else {
            faults.reasons.join("; ")
        };
        let feedback = if met {
            String::new()
        } else {
            format!("Mend this: {}.", faults.reasons.join("; "))
        };
        let is_seen = tasks.iter().all(|task| self.parts.contains_key(task));
        let finding = match met {
            true if self.excerpt && !is_seen => "cannot_tell",
            true => "met",
            false => "not_met",
        };
        json!({"requirement": id, "finding": finding, "evidence": evidence, "redo": faults.redo, "feedback": feedback})
    }

    /// Checks that every part exists and is no stub.
    fn check_parts(&self, tasks: &[String], faults: &mut Faults) {
        for task in tasks {
            match self.parts.get(task) {
                None if self.piece => {}
                None => faults.add(task, format!("the part of {task} is missing")),
                Some(part) if part.split_whitespace().count() < STUB_WORDS && !is_data(part) => {
                    faults.add(task, format!("the part of {task} is only a stub"));
                }
                Some(_) => {}
            }
        }
    }

    /// Checks that the named files exist, and the statements about the first of them as far as
    /// rules can see.
    fn check_files(
        &self,
        text: &str,
        tasks: &[String],
        faults: &mut Faults,
        seen: &mut Vec<String>,
    ) {
        let Some(path) = backticked(lead(text))
            .into_iter()
            .find(|name| self.files.contains_key(*name) || is_path(name))
        else {
            return;
        };
        let Some(file) = self.files.get(path) else {
            if !self.piece {
                faults.all(tasks, format!("the file {path} is missing"));
            }
            return;
        };
        seen.push(format!("the file {path} is there"));
        let named = backticked(text)
            .into_iter()
            .filter_map(|name| name.split_once('('))
            .map(|(name, _)| name.rsplit('.').next().unwrap_or(name));
        let missing: Vec<&str> = named
            .filter(|name| path.ends_with(".py") && is_name(name) && !file.contains(name))
            .collect();
        if !missing.is_empty() {
            faults.all(
                tasks,
                format!("{path} does not define {}", missing.join(", ")),
            );
        }
        if let Some((methods, _)) = range_before(text, &["test"])
            && file.matches("def test_").count() < methods
        {
            faults.all(
                tasks,
                format!("{path} has fewer than {methods} test methods"),
            );
        }
    }

    fn check_feature(
        &self,
        feature: Feature,
        text: &str,
        tasks: &[String],
        faults: &mut Faults,
        seen: &mut Vec<String>,
    ) {
        let of_kind = |kind: PartKind| -> Vec<(&String, &String)> {
            tasks
                .iter()
                .filter_map(|task| self.parts.get(task).map(|part| (task, part)))
                .filter(|(_, part)| kind_of(part) == kind)
                .collect()
        };
        match feature {
            Feature::Summary => {
                let summaries = of_kind(PartKind::Body);
                check_summaries(text, &summaries, faults);
                count(seen, summaries.len(), "summaries have their length");
            }
            Feature::KeyPoints => check_key_points(text, &of_kind(PartKind::Body), faults),
            Feature::Questions => {
                let parts = of_kind(PartKind::Questions);
                check_questions(text, &parts, faults);
                count(seen, parts.len(), "parts have their questions");
            }
            Feature::Translation => {
                let translations = of_kind(PartKind::Translation);
                check_translations(&translations, faults);
                count(seen, translations.len(), "translations are there");
            }
            Feature::Glossary => {
                self.check_heading(&["glossary", "terms", "thuật ngữ"], tasks, faults, seen);
            }
            Feature::Conflicts => self.check_heading(
                &["contradict", "conflict", "mâu thuẫn"],
                tasks,
                faults,
                seen,
            ),
            Feature::Introduction => {
                self.check_heading(&["introduction", "mở đầu"], tasks, faults, seen);
            }
        }
    }

    /// Checks that a file has a heading with one of these words and text below it.
    fn check_heading(
        &self,
        wanted: &[&str],
        tasks: &[String],
        faults: &mut Faults,
        seen: &mut Vec<String>,
    ) {
        let found = self.files.iter().find_map(|(path, text)| {
            let lines: Vec<&str> = text.lines().collect();
            let at = lines
                .iter()
                .position(|line| heading(line).is_some_and(|(_, title)| mentions(title, wanted)))?;
            let below = lines[at + 1..]
                .iter()
                .find(|line| !line.trim().is_empty())?;
            heading(below).is_none().then(|| {
                format!(
                    "{path} has \"{}\"",
                    lines[at].trim_start_matches('#').trim()
                )
            })
        });
        match found {
            Some(evidence) => seen.push(evidence),
            None if self.piece => {}
            None => faults.all(tasks, format!("no file has a section \"{}\"", wanted[0])),
        }
    }
}

impl Faults {
    fn add(&mut self, task: &str, reason: String) {
        if !self.redo.iter().any(|other| other == task) {
            self.redo.push(task.to_owned());
        }
        self.reasons.push(reason);
    }

    fn all(&mut self, tasks: &[String], reason: String) {
        for task in tasks
            .iter()
            .filter(|task| !self.redo.contains(task))
            .cloned()
            .collect::<Vec<_>>()
        {
            self.redo.push(task);
        }
        self.reasons.push(reason);
    }
}

/// Checks the length of each summary, with a tolerance of 40 per cent.
fn check_summaries(text: &str, parts: &[(&String, &String)], faults: &mut Faults) {
    let (low, high) = range_before(text, &["word", "từ", "chữ"]).unwrap_or((30, 2_000));
    for (task, part) in parts {
        let count = prose_words(part);
        if count * 10 < low * 6 || count * 10 > high * 14 {
            faults.add(
                task,
                format!("the summary of {task} has {count} words, not {low} to {high}"),
            );
        }
    }
}

fn check_key_points(text: &str, parts: &[(&String, &String)], faults: &mut Faults) {
    let (few, _) = range_before(text, &["key point", "point", "ý chính"]).unwrap_or((2, 2));
    for (task, part) in parts {
        if bullets(part) < few {
            faults.add(
                task,
                format!("{task} has {} key points and needs {few}", bullets(part)),
            );
        }
    }
}

fn check_questions(text: &str, parts: &[(&String, &String)], faults: &mut Faults) {
    let (few, _) = range_before(text, &["question", "câu hỏi"]).unwrap_or((1, 1));
    for (task, part) in parts {
        let count = part
            .lines()
            .filter(|line| item(line).is_some() && line.contains('?'))
            .count();
        if count < few {
            faults.add(
                task,
                format!("{task} has {count} questions and needs {few}"),
            );
        }
    }
}

fn check_translations(parts: &[(&String, &String)], faults: &mut Faults) {
    for (task, part) in parts {
        if prose_words(part) < STUB_WORDS {
            faults.add(task, format!("{task} translates nothing"));
        }
    }
}

/// Adds a count to the evidence; a count of nothing is no evidence.
fn count(seen: &mut Vec<String>, number: usize, what: &str) {
    if number > 0 {
        seen.push(format!("{number} {what}"));
    }
}

/// Decides by the notes of the judges of excerpts: what one of them saw is there.
fn last_item(id: &str, tasks: &[String], note: &str) -> Value {
    if note.trim().is_empty() {
        let missing = "no judge saw anything of it";
        return json!({"requirement": id, "finding": "not_met", "evidence": missing, "redo": tasks, "feedback": "Mend this: it is missing."});
    }
    json!({"requirement": id, "finding": "met", "evidence": note, "redo": [], "feedback": ""})
}

/// Texts of the blocks with a tag, by the requirement that they name.
fn by_requirement(prompt: &Prompt<'_>, name: &str) -> BTreeMap<String, String> {
    prompt
        .all(name)
        .map(|block| (block.attribute("requirement"), block.text()))
        .collect()
}

/// Tasks that a requirement names.
fn tasks_of(requirement: &Block<'_>) -> Vec<String> {
    requirement
        .attribute("tasks")
        .split(',')
        .map(|task| task.trim().to_owned())
        .filter(|task| !task.is_empty())
        .collect()
}

/// Parts between `[[part t]]` and `[[end t]]`.
fn parts(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for piece in text.split("[[part ").skip(1) {
        if let Some((task, rest)) = piece.split_once("]]")
            && let Some((part, _)) = rest.split_once(&format!("[[end {task}]]"))
        {
            found.push((task.to_owned(), part.trim().to_owned()));
        }
    }
    found
}

fn kind_of(part: &str) -> PartKind {
    let first = part.lines().find_map(heading);
    if mentions(part, &["> simulated rendering", "> bản dịch mô phỏng"]) {
        PartKind::Translation
    } else if first
        .is_some_and(|(level, title)| level >= 3 && mentions(title, &["question", "câu hỏi"]))
    {
        PartKind::Questions
    } else if first.is_some_and(|(level, _)| level == 1) {
        PartKind::Introduction
    } else {
        PartKind::Body
    }
}

fn prose_words(part: &str) -> usize {
    paragraphs(part)
        .iter()
        .map(|paragraph| paragraph.split_whitespace().count())
        .sum()
}

fn bullets(part: &str) -> usize {
    part.lines().filter(|line| item(line).is_some()).count()
}

/// Returns true if a short part is a complete data file.
fn is_data(part: &str) -> bool {
    serde_json::from_str::<Value>(part).is_ok_and(|value| value.is_object() || value.is_array())
        || part.contains('=')
}

fn is_path(name: &str) -> bool {
    !name.contains(' ')
        && name.rsplit('/').next().is_some_and(|file| {
            file.split_once('.').is_some_and(|(stem, extension)| {
                !stem.is_empty() && extension.len() <= 5 && !extension.contains('(')
            })
        })
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}
