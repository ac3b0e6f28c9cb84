//! Planning from the structure of a brief: its lists, its attachments and its vocabulary.
//!
//! Three shapes are distinguished: [`files`] that the brief lists, a [`document`] with chapters,
//! and [`prose`] without sources.

use serde_json::{Value, json};

use super::Reply;
use super::features::lead;
use super::prompt::Prompt;
use super::text::{Language, backticked, heading, item, mentions, sentences};

mod document;
mod files;
mod prose;

/// A parsed brief.
pub(super) struct ParsedBrief {
    title: String,
    text: String,
    language: Language,
    requirements: Vec<String>,
    chapters: Vec<Chapter>,
    documents: Vec<String>,
    sections: usize,
    max_tasks: usize,
    max_output: u64,
    /// Tokens of all sections.
    tokens: u64,
    /// Maximum tokens that one task may read.
    max_input: u64,
}

/// A chapter of an attached document with its sections; one section unless it was split.
pub(super) struct Chapter {
    title: String,
    sections: Vec<String>,
}

/// A plan under construction, from a [`ParsedBrief`].
#[derive(Default)]
pub(super) struct PlanBuilder {
    tasks: Vec<Value>,
    files: Vec<Value>,
    structure: String,
}

/// Maximum number of requirements in a plan.
const MOST_REQUIREMENTS: usize = 24;
const HEADINGS: [&str; 11] = [
    "deliver",
    "require",
    "accept",
    "criteria",
    "must",
    "rule",
    "want",
    "yêu cầu",
    "kết quả",
    "tiêu chí",
    "cần có",
];
const VERBS: [&str; 24] = [
    "write",
    "summarise",
    "summarize",
    "translate",
    "make",
    "list",
    "build",
    "create",
    "give",
    "explain",
    "compare",
    "describe",
    "add",
    "include",
    "prepare",
    "produce",
    "please",
    "viết",
    "tóm",
    "dịch",
    "lập",
    "làm",
    "soạn",
    "hãy",
];

/// Replies to a plan turn.
pub(super) fn plan(prompt: &Prompt<'_>) -> Reply {
    let parsed = ParsedBrief::of(prompt);
    let paths = files::listed(&parsed.text, &parsed.documents);
    let builder = if paths.len() >= 2 {
        files::build(&parsed, &paths)
    } else if parsed.chapters.is_empty() {
        prose::build(&parsed)
    } else {
        document::build(&parsed)
    };
    let requirements: Vec<Value> = parsed
        .requirements
        .iter()
        .enumerate()
        .map(|(at, text)| json!({"id": format!("r{}", at + 1), "text": text}))
        .collect();
    let reasoning = think(&parsed, &builder, prompt);
    let assumptions = assumptions(prompt);
    let plan = json!({"title": parsed.title, "assumptions": assumptions, "requirements": requirements, "tasks": builder.tasks, "files": builder.files});
    Reply {
        reasoning,
        text: plan.to_string(),
    }
}

/// Answers of the clarification that were assumed, each with its question.
fn assumptions(prompt: &Prompt<'_>) -> Vec<String> {
    let answers = prompt.first("answers");
    let answers = answers.map(|answers| answers.inside("answer"));
    answers
        .unwrap_or_default()
        .iter()
        .filter(|answer| answer.attribute("assumed") == "true")
        .map(|answer| format!("{} {}", answer.attribute("question"), answer.text()))
        .collect()
}

/// Reasoning text about the structure found.
fn think(parsed: &ParsedBrief, builder: &PlanBuilder, prompt: &Prompt<'_>) -> String {
    let mut lines = vec![
        format!(
            "The brief is called \"{}\" and lists {} points that can be checked.",
            parsed.title,
            parsed.requirements.len()
        ),
        format!(
            "{} sections are attached, which make {} chapters.",
            parsed.sections,
            parsed.chapters.len()
        ),
        builder.structure.clone(),
        format!(
            "That gives {} tasks for {} files.",
            builder.tasks.len(),
            builder.files.len()
        ),
    ];
    lines.extend(
        parsed
            .chapters
            .iter()
            .take(24)
            .map(|chapter| format!("- {} ({})", chapter.title, chapter.sections.join(", "))),
    );
    if prompt.first("refused").is_some() {
        lines.push(
            "The last plan was refused, so I keep to the names of sections and tasks that exist."
                .to_owned(),
        );
    }
    lines.join("\n")
}

impl ParsedBrief {
    fn of(prompt: &Prompt<'_>) -> Self {
        let text = prompt.text("brief");
        let sections = prompt
            .first("outline")
            .map(|outline| outline.inside("section"))
            .unwrap_or_default();
        let mut chapters: Vec<Chapter> = Vec::new();
        let mut documents: Vec<String> = Vec::new();
        let mut last = String::new();
        for section in &sections {
            let (document, title) = (section.attribute("document"), section.attribute("title"));
            let title = title.split(" (part ").next().unwrap_or_default().to_owned();
            let name = format!("{document}\n{title}");
            match chapters.last_mut().filter(|_| name == last) {
                Some(chapter) => chapter.sections.push(section.attribute("id")),
                None => chapters.push(Chapter {
                    title,
                    sections: vec![section.attribute("id")],
                }),
            }
            last = name;
            if !documents.contains(&document) {
                documents.push(document);
            }
        }
        let limits = prompt.first("limits");
        let limit = |name: &str, otherwise: u64| {
            limits
                .and_then(|limits| limits.number(name))
                .unwrap_or(otherwise)
        };
        Self {
            title: title(&text),
            language: Language::of(&text),
            requirements: requirements(&text),
            chapters,
            documents,
            sections: sections.len(),
            max_tasks: usize::try_from(limit("max_tasks", 200)).unwrap_or(200),
            max_output: limit("max_output_tokens", 4_000),
            tokens: sections
                .iter()
                .filter_map(|section| section.number("tokens"))
                .sum(),
            max_input: limit("input_tokens", 30_000),
            text,
        }
    }

    /// List items of the brief, or its sentences if there are none.
    fn lines(&self) -> Vec<String> {
        let items = items(&self.text);
        let sentences = sentences(&self.text);
        items
            .into_iter()
            .map(|(_, text)| text)
            .chain(sentences)
            .collect()
    }

    /// Names of the requirements for which `holds` returns true.
    fn covering(&self, holds: impl Fn(&str) -> bool) -> Vec<String> {
        self.requirements
            .iter()
            .enumerate()
            .filter(|(_, text)| holds(text))
            .map(|(at, _)| format!("r{}", at + 1))
            .collect()
    }

    /// Path of the file in which the brief wants its text.
    fn output_path(&self) -> String {
        let wanted = |path: &&str| path.ends_with(".md") || path.ends_with(".txt");
        let found = backticked(&self.text)
            .into_iter()
            .filter(wanted)
            .find(|path| !self.is_attached(path) && !path.contains(' '));
        found.map_or_else(|| "deliverable.md".to_owned(), str::to_owned)
    }

    fn is_attached(&self, path: &str) -> bool {
        is_document(&self.documents, path)
    }
}

impl PlanBuilder {
    fn task(&mut self, task: Value) {
        self.tasks.push(task);
    }

    /// Assigns uncovered requirements to the preferred task.
    fn cover_all(&mut self, parsed: &ParsedBrief, preferred: usize) {
        let covered: Vec<String> = self
            .tasks
            .iter()
            .filter_map(|task| task["covers"].as_array())
            .flatten()
            .filter_map(|id| id.as_str().map(str::to_owned))
            .collect();
        let missing: Vec<String> = parsed
            .covering(|_| true)
            .into_iter()
            .filter(|id| !covered.contains(id))
            .collect();
        if let Some(covers) = self
            .tasks
            .get_mut(preferred)
            .and_then(|task| task["covers"].as_array_mut())
        {
            covers.extend(missing.into_iter().map(Value::from));
        }
    }
}

fn is_document(documents: &[String], path: &str) -> bool {
    let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    documents
        .iter()
        .any(|document| name(document) == name(path))
}

/// First heading of a text, or its first words.
fn title(text: &str) -> String {
    let headed = text
        .lines()
        .find_map(heading)
        .map(|(_, title)| title.replace('`', ""));
    headed.unwrap_or_else(|| {
        super::text::first_words(text, 8)
            .trim_end_matches(['.', ',', ':'])
            .to_owned()
    })
}

/// List items with the heading above them; continuation lines belong to their item.
fn items(text: &str) -> Vec<(String, String)> {
    let mut above = String::new();
    let mut found: Vec<(String, String)> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        if let Some((_, title)) = heading(line) {
            title.clone_into(&mut above);
            open = false;
        } else if let Some(text) = item(line) {
            found.push((above.clone(), text.replace("**", "")));
            open = true;
        } else if line.trim().is_empty() {
            open = false;
        } else if let Some((_, text)) = found.last_mut().filter(|_| open && line.starts_with(' ')) {
            text.push(' ');
            text.push_str(line.trim());
        }
    }
    found
}

/// Points against which a deliverable can be checked.
fn requirements(text: &str) -> Vec<String> {
    let items = items(text);
    let named: Vec<String> = items
        .iter()
        .filter(|(above, _)| mentions(above, &HEADINGS))
        .map(|(_, text)| text.clone())
        .collect();
    let all: Vec<String> = items.into_iter().map(|(_, text)| text).collect();
    let stated = sentences(text);
    let imperative = |sentence: &String| {
        super::text::words(sentence)
            .first()
            .is_some_and(|word| VERBS.contains(&word.as_str()))
    };
    let imperatives: Vec<String> = stated
        .iter()
        .filter(|sentence| imperative(sentence))
        .cloned()
        .collect();
    let mut found = [named, all, imperatives, stated]
        .into_iter()
        .find(|list| !list.is_empty())
        .unwrap_or_default();
    found.truncate(MOST_REQUIREMENTS);
    if found.is_empty() {
        found.push(text.to_owned());
    }
    found
}

/// Title without quotes, fit for quoting.
fn unquoted(title: &str) -> String {
    title.replace(['"', '“', '”'], "'")
}

/// Lead of a line in a few words, for titles.
fn short(text: &str) -> String {
    super::text::first_words(&lead(text).replace('`', ""), 10)
        .trim_end_matches(['.', ',', ':', ';'])
        .to_owned()
}
