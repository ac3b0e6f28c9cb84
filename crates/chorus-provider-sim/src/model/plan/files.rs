//! Plan for files that a brief lists: one task for each file, dependencies first.

use serde_json::json;

use super::{ParsedBrief, PlanBuilder, items, unquoted};
use crate::model::code;
use crate::model::features::lead;
use crate::model::text::{backticked, first_words};

/// Paths that begin list items of a brief, in order, without attached documents.
pub(super) fn listed(text: &str, documents: &[String]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (_, line) in items(text) {
        if let Some(path) = leading_path(&line)
            && !found.contains(&path)
            && !super::is_document(documents, &path)
        {
            found.push(path);
        }
    }
    found
}

/// Builds a plan with a task for each path.
pub(super) fn build(parsed: &ParsedBrief, paths: &[String]) -> PlanBuilder {
    let described = |path: &String| -> String {
        let lines = items(&parsed.text)
            .into_iter()
            .filter(|(_, line)| leading_path(line).as_ref() == Some(path));
        lines
            .map(|(_, line)| after_lead(&line))
            .collect::<Vec<_>>()
            .join("\n- ")
    };
    let mut order: Vec<(usize, usize)> =
        (0..paths.len()).map(|at| (rank(&paths[at]), at)).collect();
    order.sort_unstable();
    let mut builder = PlanBuilder::default();
    for (place, (_, at)) in order.iter().enumerate() {
        let path = &paths[*at];
        let description = described(path);
        let before = order[..place].iter().map(|(_, other)| *other);
        let parents: Vec<String> = before
            .filter(|other| needs(path, &description, &paths[*other]))
            .map(|other| format!("f{}", other + 1))
            .collect();
        let covers = parsed.covering(|text| leading_path(text).as_ref() == Some(path));
        builder.task(json!({
            "id": format!("f{}", at + 1),
            "title": format!("Write `{path}`"),
            "instructions": format!("Write the file `{path}`. {description}"),
            "sections": if parsed.sections > 0 { vec!["*"] } else { Vec::new() },
            "depends_on": parents,
            "covers": covers,
            "acceptance": [format!("The file is complete: {}", first_words(&unquoted(&description).replace('`', "").replace('\n', " "), 30))],
            "output_tokens": parsed.max_output.min(2_500),
        }));
    }
    builder.files = (paths.iter().enumerate())
        .map(|(at, path)| json!({"path": path, "media_type": media_type(path), "parts": [{"task": format!("f{}", at + 1)}]}))
        .collect();
    builder.cover_all(parsed, paths.len() - 1);
    builder.structure = format!(
        "The brief lists {} files. I begin with what others import and end with tests and texts about the whole.",
        paths.len()
    );
    builder
}

/// Path in backticks at the start of a line.
fn leading_path(line: &str) -> Option<String> {
    let rest = line.trim_start_matches("**").strip_prefix('`')?;
    let (path, _) = rest.split_once('`')?;
    let file = path.rsplit('/').next().unwrap_or(path);
    let plain = !path.contains(' ')
        && file.contains('.')
        && !path.starts_with(['/', '.', '-'])
        && !path.contains(['(', '=']);
    plain.then(|| path.to_owned())
}

fn after_lead(line: &str) -> String {
    let rest = &line[lead(line).len()..];
    let text = if rest.is_empty() {
        line
    } else {
        rest.trim_start_matches([' ', '–', '—', '-', ':'])
    };
    text.to_owned()
}

/// Order of a file: data shapes, models, everything else, programs, package heads, tests, texts.
fn rank(path: &str) -> usize {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    if name.starts_with("test_") || path.starts_with("tests/") {
        5
    } else if name.starts_with("__init__") {
        4
    } else if name.contains("readme")
        || std::path::Path::new(&name)
            .extension()
            .is_some_and(|extension| extension == "md")
    {
        6
    } else if ["cli", "main", "app"]
        .iter()
        .any(|word| name.starts_with(word))
    {
        3
    } else if ["model", "interface", "types", "schema"]
        .iter()
        .any(|word| name.contains(word))
    {
        usize::from(!name.contains("schema"))
    } else if name.ends_with(".toml") || name.ends_with(".json") {
        0
    } else {
        2
    }
}

/// Returns true if a file depends on another: its description names it, or it is a program, a test
/// or a text about the whole.
fn needs(path: &str, description: &str, other: &str) -> bool {
    let module = code::module_of(other);
    let stem = other.rsplit('/').next().unwrap_or(other);
    let named = backticked(description)
        .iter()
        .any(|name| *name == other || *name == stem || *name == module);
    let program = rank(path) == 3 && matches!(rank(other), 1 | 2);
    named || (program || rank(path) >= 5 && rank(other) <= 3) && other.ends_with(".py")
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("md") => "text/markdown",
        Some("json") => "application/json",
        Some("toml") => "application/toml",
        Some("py") => "text/x-python",
        _ => "text/plain",
    }
}
