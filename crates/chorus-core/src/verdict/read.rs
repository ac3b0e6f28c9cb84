//! Reading of a judge's answer, and the union of several verdicts.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Verdict, VerdictItem};
use crate::id::TaskKey;
use crate::json;
use crate::plan::{Part, Plan};

/// Reads a judge's answer about a plan's requirements. Requirements and tasks that do not exist are
/// left out; an unmet requirement without a task to be done again gets the tasks that cover it.
pub fn read(answer: &str, plan: &Plan) -> Result<Verdict, Vec<String>> {
    let found = json::read(answer, &["items"]).map_err(|error| vec![error])?;
    let objects = json::list_of(&found.object, &["items", "verdict"])
        .iter()
        .filter_map(Value::as_object);
    let items: Vec<VerdictItem> = objects.filter_map(|object| item(object, plan)).collect();
    if items.is_empty() {
        let ids = plan
            .requirements
            .iter()
            .map(|requirement| requirement.id.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        return Err(vec![format!(
            "the object has no item in `items` about any of the requirements {ids}"
        )]);
    }
    Ok(unite(vec![Verdict { items }]))
}

/// Reads the answer of a judge who saw the whole deliverable. The answer must cover every
/// requirement, or call at least one unmet: silence is no consent.
pub fn read_whole(answer: &str, plan: &Plan) -> Result<Verdict, Vec<String>> {
    let verdict = read(answer, plan)?;
    let judged = |id: &str| verdict.items.iter().any(|item| item.requirement == id);
    let omitted: Vec<&str> = plan
        .requirements
        .iter()
        .map(|requirement| requirement.id.as_str())
        .filter(|id| !judged(id))
        .collect();
    if !omitted.is_empty() && verdict.items.iter().all(|item| item.met) {
        return Err(vec![format!(
            "there is no item about {}",
            omitted.join(", ")
        )]);
    }
    Ok(verdict)
}

/// Unites verdicts into one: a requirement is met only if all that mention it agree.
pub fn unite(verdicts: Vec<Verdict>) -> Verdict {
    let mut items: Vec<VerdictItem> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for item in verdicts.into_iter().flat_map(|verdict| verdict.items) {
        match places.get(&item.requirement) {
            Some(at) => add(&mut items[*at], item),
            None => {
                places.insert(item.requirement.clone(), items.len());
                items.push(item);
            }
        }
    }
    Verdict { items }
}

/// Adds the item of another judge on the same requirement; evidence of a defect replaces evidence
/// of success.
fn add(item: &mut VerdictItem, other: VerdictItem) {
    match (item.met, other.met) {
        (true, true) => join(&mut item.evidence, &other.evidence, " … "),
        (true, false) => *item = other,
        (false, true) => {}
        (false, false) => {
            join(&mut item.evidence, &other.evidence, "; ");
            join(&mut item.feedback, &other.feedback, "\n");
            let more: Vec<TaskKey> = other
                .redo
                .into_iter()
                .filter(|task| !item.redo.contains(task))
                .collect();
            item.redo.extend(more);
        }
    }
}

fn join(text: &mut String, more: &str, between: &str) {
    if !more.is_empty() && !text.contains(more) {
        if !text.is_empty() {
            text.push_str(between);
        }
        text.push_str(more);
    }
}

fn item(object: &Map<String, Value>, plan: &Plan) -> Option<VerdictItem> {
    let requirement = json::text_of(object, &["requirement", "id"])?;
    plan.requirements
        .iter()
        .find(|known| known.id == requirement)?;
    let met = match object.get("met")? {
        Value::Bool(met) => *met,
        other => matches!(
            json::text(other)?.to_lowercase().as_str(),
            "true" | "yes" | "met" | "1"
        ),
    };
    let evidence = json::text_of(object, &["evidence"]).unwrap_or_default();
    if met {
        return Some(VerdictItem {
            requirement,
            met,
            evidence,
            redo: Vec::new(),
            feedback: String::new(),
        });
    }
    let named: Vec<TaskKey> = json::texts(object.get("redo"))
        .iter()
        .map(TaskKey::new)
        .collect();
    let known: Vec<TaskKey> = plan
        .tasks
        .iter()
        .map(|task| task.key.clone())
        .filter(|key| named.contains(key))
        .collect();
    let redo = if known.is_empty() {
        covering(plan, &requirement)
    } else {
        known
    };
    let feedback = json::text_of(object, &["feedback"]).unwrap_or_else(|| evidence.clone());
    Some(VerdictItem {
        requirement,
        met,
        evidence,
        redo,
        feedback,
    })
}

/// Returns the tasks that cover a requirement: those that make parts of files, else all.
fn covering(plan: &Plan, requirement: &str) -> Vec<TaskKey> {
    let parts = |key: &TaskKey| {
        plan.files
            .iter()
            .flat_map(|file| &file.parts)
            .any(|part| matches!(part, Part::Task { task } if task == key))
    };
    let covering = || {
        plan.tasks
            .iter()
            .filter(|task| task.covers.iter().any(|id| id == requirement))
            .map(|task| task.key.clone())
    };
    let direct: Vec<TaskKey> = covering().filter(parts).collect();
    if direct.is_empty() {
        covering().collect()
    } else {
        direct
    }
}
