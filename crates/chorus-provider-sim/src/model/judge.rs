//! Judging by inspection: checks every requirement against the text of the files and their parts.
//!
//! The evidence names what was inspected, and never rests on nothing: what is asked for and is not there is not met.
//! Rules claim nothing that they cannot see. Neighbours: [`parts`] tells the parts apart, [`sections`] reads
//! headings, glossary and contradictions of a whole file.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Reply;
use super::code;
use super::features::{Feature, demanded, lead};
use super::prompt::{Block, Prompt};
use super::text::{backticked, mentions, range_before, word_count};

mod parts;
mod sections;

use parts::{PartKind, bullets, is_stub, kind_of, prose_words, questions};

/// Maximum number of names that a sentence lists.
const LISTED: usize = 6;

/// Names of what each kind of part is, one and many.
const SUMMARIES: (&str, &str) = ("summary", "summaries");
const POINTS: (&str, &str) = ("part with key points", "parts with key points");
const QUESTIONS: (&str, &str) = ("part with questions", "parts with questions");
const TRANSLATIONS: (&str, &str) = ("translation", "translations");

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

/// A requirement that is judged, with what was found so far.
struct Finding<'a> {
    text: &'a str,
    tasks: &'a [String],
    redo: Vec<String>,
    reasons: Vec<String>,
    seen: Vec<String>,
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
            for (task, part) in parts::framed(&text) {
                judged.parts.insert(task, part);
            }
            judged
                .files
                .insert(file.attribute("path"), parts::without_frames(&text));
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
        let mut finding = Finding {
            text: &text,
            tasks: &tasks,
            redo: Vec::new(),
            reasons: Vec::new(),
            seen: Vec::new(),
        };
        self.check_parts(&mut finding);
        if let Some(suspicion) = self.suspected.get(&id) {
            finding.fault_of_all(suspicion.clone());
        }
        if self.check_file(&mut finding) {
            self.check_code(&mut finding);
        } else {
            for feature in demanded(&text) {
                self.check_feature(feature, &mut finding);
            }
            sections::check(self, &mut finding);
            self.check_functions(&mut finding);
        }
        let is_seen = tasks.iter().all(|task| self.parts.contains_key(task));
        finding.into_item(&id, self.excerpt && !is_seen)
    }

    /// Checks that every part exists and is no stub.
    fn check_parts(&self, finding: &mut Finding<'_>) {
        let tasks = finding.tasks;
        let mut found = 0;
        for task in tasks {
            match self.parts.get(task) {
                None if self.piece => {}
                None => finding.fault(task, format!("the part of {task} is missing")),
                Some(part) if is_stub(part) => {
                    finding.fault(task, format!("the part of {task} is only a stub"));
                }
                Some(_) => found += 1,
            }
        }
        match found {
            0 if !self.piece && finding.reasons.is_empty() => {
                finding.fault_of_all("no part is there for it".to_owned());
            }
            0 => {}
            1 => finding.seen("its part is there and no stub".to_owned()),
            _ => finding.seen(format!("its {found} parts are there and none is a stub")),
        }
    }

    /// Checks that the file which the requirement is about exists. Returns true if it is about a file.
    fn check_file(&self, finding: &mut Finding<'_>) -> bool {
        let Some(path) = self.path_of(finding.text) else {
            return false;
        };
        if self.files.contains_key(path) {
            finding.seen(format!("the file {path} is there"));
        } else if !self.piece {
            finding.fault_of_all(format!("the file {path} is missing"));
        }
        // A text is judged by what it holds, like any other.
        code::is_code(path)
    }

    /// Path in the lead of a requirement.
    fn path_of<'a>(&self, text: &'a str) -> Option<&'a str> {
        let names = backticked(lead(text)).into_iter();
        let mut names = names.filter(|name| self.files.contains_key(*name) || parts::is_path(name));
        names.next()
    }

    /// Checks the statements about a file of code as far as rules can see: names, tests, and bodies.
    fn check_code(&self, finding: &mut Finding<'_>) {
        let text = finding.text;
        let path = self.path_of(text);
        let Some((path, file)) = path.and_then(|path| Some((path, self.files.get(path)?))) else {
            return;
        };
        let open = code::open_functions(file);
        if path.ends_with(".py") && !open.is_empty() {
            let (count, open) = (open.len(), listed(&open));
            finding.fault_of_all(format!(
                "{path} leaves {count} functions without a body: {open}"
            ));
        }
        let missing = missing_names(path, file, text);
        if !missing.is_empty() {
            finding.fault_of_all(format!("{path} does not define {}", listed(&missing)));
        }
        if let Some((wanted, _)) = range_before(text, &["test"]) {
            let count = file.matches("def test_").count();
            if count < wanted {
                finding.fault_of_all(format!("{path} has {count} test methods, not {wanted}"));
            } else {
                finding.seen(format!("it has {count} test methods"));
            }
        }
        if path.ends_with(".py") && open.is_empty() && file.contains("def ") {
            let count = file.matches("def ").count();
            finding.seen(format!("each of its {count} functions has a body"));
        }
    }

    /// Checks docstrings and type hints of all files of Python, if the requirement names them.
    fn check_functions(&self, finding: &mut Finding<'_>) {
        let text = finding.text;
        let wanted = [("docstring", "docstrings"), ("type hint", "type hints")];
        for (word, name) in wanted
            .into_iter()
            .filter(|(word, _)| mentions(text, &[word]))
        {
            let files = self.files.iter().filter(|(path, _)| path.ends_with(".py"));
            let (mut good, mut bad) = (0, Vec::new());
            for function in files.flat_map(|(_, file)| code::functions(file)) {
                let has_docstring = function.has_docstring || function.name.starts_with('_');
                let is_hint = word == "type hint";
                if (is_hint && function.has_hints) || (!is_hint && has_docstring) {
                    good += 1;
                } else {
                    bad.push(function.name);
                }
            }
            if !bad.is_empty() {
                let (count, bad) = (bad.len(), listed(&bad));
                finding.fault_of_all(format!("{count} functions lack {name}: {bad}"));
            } else if good > 0 {
                finding.seen(format!("{good} functions keep to the rule for {name}"));
            }
        }
    }

    fn check_feature(&self, feature: Feature, finding: &mut Finding<'_>) {
        match feature {
            Feature::Summary => self.check_each(finding, PartKind::Body, SUMMARIES, check_summary),
            Feature::KeyPoints => {
                self.check_each(finding, PartKind::Body, POINTS, check_points);
            }
            Feature::Questions => {
                self.check_each(finding, PartKind::Questions, QUESTIONS, check_questions);
            }
            Feature::Translation => {
                self.check_each(
                    finding,
                    PartKind::Translation,
                    TRANSLATIONS,
                    check_translation,
                );
            }
            Feature::Glossary | Feature::Conflicts | Feature::Introduction => {
                sections::check_section(self, feature, finding);
            }
        }
    }

    /// Checks each part of a kind: those of the requirement's tasks, or all if these make none.
    fn check_each(
        &self,
        finding: &mut Finding<'_>,
        kind: PartKind,
        (one, many): (&str, &str),
        check: impl Fn(&str, &str, &str) -> Option<String>,
    ) {
        let is_kind = |part: &str| match kind {
            PartKind::Questions => questions(part) > 0,
            _ => kind_of(part) == kind,
        };
        let own = finding.tasks.iter();
        let mut parts: Vec<(&String, &String)> = own
            .filter_map(|task| self.parts.get_key_value(task))
            .filter(|(_, part)| is_kind(part))
            .collect();
        if parts.is_empty() {
            parts = self
                .parts
                .iter()
                .filter(|(_, part)| is_kind(part))
                .collect();
        }
        let mut good = 0;
        for (task, part) in parts {
            match check(finding.text, task, part) {
                Some(reason) => finding.fault(task, reason),
                None => good += 1,
            }
        }
        match good {
            0 if self.piece || !finding.reasons.is_empty() => {}
            0 => finding.fault_of_all(format!("no {one} is there")),
            1 => finding.seen(format!("1 {one} is as asked")),
            _ => finding.seen(format!("{good} {many} are as asked")),
        }
    }
}

impl Finding<'_> {
    fn seen(&mut self, evidence: String) {
        self.seen.push(evidence);
    }

    fn fault(&mut self, task: &str, reason: String) {
        if !self.redo.iter().any(|other| other == task) {
            self.redo.push(task.to_owned());
        }
        self.reasons.push(reason);
    }

    fn fault_of_all(&mut self, reason: String) {
        for task in self.tasks {
            if !self.redo.contains(task) {
                self.redo.push(task.clone());
            }
        }
        self.reasons.push(reason);
    }

    /// The item of the answer; `is_partial` if parts of the requirement are in other excerpts.
    fn into_item(mut self, id: &str, is_partial: bool) -> Value {
        let met = self.reasons.is_empty();
        if self.seen.is_empty() {
            self.seen("the files were read as a whole and lack nothing of it".to_owned());
        }
        let faults = self.reasons.join("; ");
        let (evidence, feedback) = if met {
            (self.seen.join("; "), String::new())
        } else {
            (faults.clone(), format!("Mend this: {faults}."))
        };
        let name = match met {
            true if is_partial => "cannot_tell",
            true => "met",
            false => "not_met",
        };
        json!({"requirement": id, "finding": name, "evidence": evidence, "redo": self.redo, "feedback": feedback})
    }
}

/// Checks the length of a summary if one is asked for, with a tolerance of 40 per cent.
fn check_summary(text: &str, task: &str, part: &str) -> Option<String> {
    let (low, high) = range_before(text, &["word", "từ", "chữ"])?;
    // A single number is a bound, not a target.
    let low = if low == high { 0 } else { low };
    let count = prose_words(part);
    let is_off = count * 10 < low * 6 || count * 10 > high * 14;
    is_off.then(|| format!("the summary of {task} has {count} words, not {low} to {high}"))
}

fn check_points(text: &str, task: &str, part: &str) -> Option<String> {
    let (few, _) = range_before(text, &["key point", "point", "ý chính"]).unwrap_or((1, 1));
    let count = bullets(part);
    (count < few).then(|| format!("{task} has {count} key points and needs {few}"))
}

fn check_questions(text: &str, task: &str, part: &str) -> Option<String> {
    let (few, _) = range_before(text, &["question", "câu hỏi"]).unwrap_or((1, 1));
    let count = questions(part);
    (count < few).then(|| format!("{task} has {count} questions and needs {few}"))
}

fn check_translation(_: &str, task: &str, part: &str) -> Option<String> {
    (prose_words(part) == 0 || word_count(part) < 4).then(|| format!("{task} translates nothing"))
}

/// Names in backticks that a file must have and has not: functions of Python, keys of JSON.
fn missing_names(path: &str, file: &str, text: &str) -> Vec<String> {
    let names = backticked(text).into_iter().filter_map(|name| {
        let name = match path.rsplit_once('.').map(|(_, extension)| extension) {
            Some("py") => name.split_once('(')?.0,
            Some("json") => name,
            _ => return None,
        };
        let name = name.rsplit('.').next().unwrap_or(name);
        (parts::is_name(name) && !file.contains(name)).then(|| name.to_owned())
    });
    names.collect()
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

/// The first names of a list.
fn listed(names: &[String]) -> String {
    let mut shown = names
        .iter()
        .take(LISTED)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > LISTED {
        shown.push_str(", …");
    }
    shown
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

/// Returns true if a text asks that what contradicts is pointed to.
fn wants_pointers(text: &str) -> bool {
    mentions(
        text,
        &["points to the note", "point to the note", "dẫn tới ghi chú"],
    )
}
