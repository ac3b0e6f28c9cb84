//! Draft of a plan: a planner's JSON with every field coerced to its form, nothing checked yet.
//! [`read`](super::read()) makes a plan of it.

use serde_json::{Map, Value};

use super::{ParentPolicy, Requirement};
use crate::json;

/// A plan as the planner wrote it.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    pub title: String,
    pub assumptions: Vec<String>,
    pub requirements: Vec<Requirement>,
    pub tasks: Vec<DraftTask>,
    pub files: Vec<DraftFile>,
}

/// One task as written. `names` are those by which others may refer to it: its key, and the id of
/// the task that it is a copy or a piece of.
#[derive(Debug, Clone, Default)]
pub(super) struct DraftTask {
    pub key: String,
    pub names: Vec<String>,
    pub title: String,
    pub instructions: String,
    pub sections: Vec<String>,
    pub parents: Vec<String>,
    pub policy: ParentPolicy,
    pub covers: Vec<String>,
    pub acceptance: Vec<String>,
    pub output_tokens: u32,
    /// True if it stands for one task a section.
    pub for_each: bool,
}

/// One file as written.
#[derive(Debug, Clone, Default)]
pub(super) struct DraftFile {
    pub path: String,
    pub media_type: String,
    pub parts: Vec<DraftPart>,
}

/// One part as written; a task part may name a group.
#[derive(Debug, Clone)]
pub(super) enum DraftPart {
    Task(String),
    Glossary(String),
    Conflicts(String),
}

/// Tokens of a result when the planner gave no number.
const OUTPUT_TOKENS: u32 = 800;

impl Draft {
    pub(super) fn of(object: &Map<String, Value>) -> Self {
        let tasks = json::list_of(object, &["tasks", "steps", "subtasks"])
            .iter()
            .enumerate();
        Self {
            title: json::text_of(object, &["title", "name"]).unwrap_or_default(),
            assumptions: json::texts(object.get("assumptions")),
            requirements: requirements(json::list_of(object, &["requirements", "rubric"])),
            tasks: tasks.filter_map(|(at, value)| task(at, value)).collect(),
            files: json::list_of(object, &["files", "artifacts", "deliverable"])
                .iter()
                .filter_map(file)
                .collect(),
        }
    }
}

fn requirements(values: &[Value]) -> Vec<Requirement> {
    let mut found: Vec<Requirement> = Vec::new();
    for (at, value) in values.iter().enumerate() {
        let (id, text) = match value {
            Value::Object(object) => (
                json::text_of(object, &["id"]),
                json::text_of(object, &["text", "requirement", "description"]),
            ),
            other => (None, json::text(other).filter(|text| !text.is_empty())),
        };
        let Some(text) = text else { continue };
        let id = id
            .map(|id| plain_key(&id))
            .filter(|id| found.iter().all(|other| other.id != *id));
        let free = || {
            (at + 1..)
                .map(|number| format!("r{number}"))
                .find(|id| found.iter().all(|other| other.id != *id))
        };
        let id = id.or_else(free).expect("numbers do not end");
        found.push(Requirement { id, text });
    }
    found
}

fn task(at: usize, value: &Value) -> Option<DraftTask> {
    let Value::Object(object) = value else {
        let instructions = value.as_str().map(str::trim).filter(|text| is_work(text))?;
        let instructions = instructions.to_owned();
        let key = format!("t{}", at + 1);
        return Some(DraftTask {
            names: vec![key.clone()],
            key,
            instructions,
            output_tokens: OUTPUT_TOKENS,
            ..DraftTask::default()
        });
    };
    let key = json::text_of(object, &["id", "key", "task_id"])
        .map_or_else(|| format!("t{}", at + 1), |id| plain_key(&id));
    let tokens = object
        .get("output_tokens")
        .or_else(|| object.get("est_output_tokens"));
    Some(DraftTask {
        names: vec![key.clone()],
        key,
        title: json::text_of(object, &["title", "name"]).unwrap_or_default(),
        instructions: json::text_of(
            object,
            &[
                "instructions",
                "instruction",
                "description",
                "objective",
                "prompt",
            ],
        )
        .unwrap_or_default(),
        sections: json::texts(object.get("sections")),
        parents: references(
            object,
            &[
                "depends_on",
                "parents",
                "dependencies",
                "dependent_task_ids",
            ],
        ),
        policy: object.get("policy").map(policy).unwrap_or_default(),
        covers: references(object, &["covers", "requirements"]),
        acceptance: json::texts(
            object
                .get("acceptance")
                .or_else(|| object.get("acceptance_criteria")),
        ),
        output_tokens: tokens.and_then(count).unwrap_or(OUTPUT_TOKENS),
        for_each: json::text_of(object, &["for_each"]).is_some_and(|of| of.starts_with("section")),
    })
}

/// Returns true if a bare text can be the instructions of a task: numbers and marks cannot.
fn is_work(text: &str) -> bool {
    text.chars().filter(|letter| letter.is_alphabetic()).count() >= 4
}

/// Returns the ids of a list of ids or of objects with an id.
fn references(object: &Map<String, Value>, keys: &[&str]) -> Vec<String> {
    let id = |value: &Value| match value {
        Value::Object(inner) => json::text_of(inner, &["task", "id", "from"]),
        other => json::text(other),
    };
    json::list_of(object, keys)
        .iter()
        .filter_map(id)
        .filter(|id| !id.is_empty())
        .collect()
}

fn policy(value: &Value) -> ParentPolicy {
    if let Some(least) = value
        .as_object()
        .and_then(|object| object.get("at_least"))
        .and_then(count)
    {
        return ParentPolicy::AtLeast(least);
    }
    let text = json::text(value).unwrap_or_default().to_lowercase();
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    match (text.as_str(), digits.parse()) {
        ("any", _) => ParentPolicy::Any,
        ("settled", _) => ParentPolicy::Settled,
        (_, Ok(least)) => ParentPolicy::AtLeast(least),
        _ => ParentPolicy::All,
    }
}

fn count(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => number
            .as_f64()
            .filter(|number| (1.0..1e9).contains(number))
            .map(|number| number as u32),
        other => json::text(other)?
            .chars()
            .filter(|letter| !",_ ".contains(*letter))
            .collect::<String>()
            .parse()
            .ok(),
    }
}

fn file(value: &Value) -> Option<DraftFile> {
    let Value::Object(object) = value else {
        let path = json::text(value).filter(|path| !path.is_empty())?;
        return Some(DraftFile {
            path,
            ..DraftFile::default()
        });
    };
    Some(DraftFile {
        path: json::text_of(object, &["path", "name", "file"]).unwrap_or_default(),
        media_type: json::text_of(object, &["media_type", "type"]).unwrap_or_default(),
        parts: json::list_of(object, &["parts", "tasks", "sections"])
            .iter()
            .filter_map(part)
            .collect(),
    })
}

fn part(value: &Value) -> Option<DraftPart> {
    let Value::Object(object) = value else {
        return match json::text(value)?.as_str() {
            "" => None,
            "glossary" => Some(DraftPart::Glossary(String::new())),
            "conflicts" => Some(DraftPart::Conflicts(String::new())),
            id => Some(DraftPart::Task(id.to_owned())),
        };
    };
    let heading = |key: &str| {
        object
            .get(key)
            .map(|value| json::text(value).unwrap_or_default())
    };
    let named = |kind: &str| object.get("part").is_some_and(|value| value == kind);
    let heading_of = |kind: &str| {
        heading(kind).or_else(|| named(kind).then(|| heading("heading").unwrap_or_default()))
    };
    (heading_of("glossary").map(DraftPart::Glossary))
        .or_else(|| heading_of("conflicts").map(DraftPart::Conflicts))
        .or_else(|| json::text_of(object, &["task", "id"]).map(DraftPart::Task))
}

/// Returns a name that is safe in attributes, frames and paths: letters, digits, `.`, `_`, `-`, at
/// most 32.
pub(super) fn plain_key(id: &str) -> String {
    let plain: String = id
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() || "._-".contains(letter) {
                letter
            } else {
                '-'
            }
        })
        .collect();
    let plain = plain.trim_matches(['-', '.']);
    if plain.is_empty() {
        "t".into()
    } else {
        plain.chars().take(32).collect()
    }
}
