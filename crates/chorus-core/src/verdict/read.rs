//! Reading of a judge's answer. Each requirement that was asked about is met, not met, or undecided;
//! silence leaves it undecided. Neighbour: [`unite`](super::unite()) makes one verdict of several.

use serde_json::{Map, Value};

use super::{Undecided, Verdict, VerdictItem, unite};
use crate::id::TaskKey;
use crate::json;
use crate::plan::{Part, Plan};

/// Finding of a judge on one requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    Met,
    NotMet,
    Undecidable,
}

/// Words by which a requirement asks that something is not there.
const ABSENCE: [&str; 12] = [
    "no ", "not ", "none", "never", "without", "zero", "free of", "0 ", "nothing", "không", "any ",
    "nor ",
];

/// Reads a judge's answer about these requirements of a plan. Requirements and tasks that do not
/// exist are left out; an unmet requirement without a task to be done again gets the tasks that
/// cover it.
pub fn read(answer: &str, plan: &Plan, asked: &[String]) -> Result<Verdict, Vec<String>> {
    let found = json::read(answer, &["items"]).map_err(|error| vec![error])?;
    let objects = json::list_of(&found.object, &["items", "verdict"])
        .iter()
        .filter_map(Value::as_object);
    let mut verdict = Verdict::default();
    for object in objects {
        let Some(item) = item(object, plan) else {
            continue;
        };
        match item {
            Ok(item) => verdict.items.push(item),
            Err(undecided) => verdict.undecided.push(undecided),
        }
    }
    if verdict == Verdict::default() {
        return Err(vec![format!(
            "the object has no item in `items` about any of the requirements {}",
            asked.join(", ")
        )]);
    }
    let silent = omitted(&verdict, asked).into_iter();
    let silent = silent.map(|requirement| Undecided {
        requirement,
        note: String::new(),
    });
    verdict.undecided.extend(silent);
    Ok(unite(vec![verdict]))
}

/// Reads the answer of the last judge, who must decide each of these requirements. One that cannot
/// be decided even so is not met, and no task is done again for it.
pub fn read_final(answer: &str, plan: &Plan, asked: &[String]) -> Result<Verdict, Vec<String>> {
    let mut verdict = read(answer, plan, asked)?;
    let is_silent = |undecided: &&Undecided| undecided.note.is_empty();
    let omitted: Vec<&str> = verdict
        .undecided
        .iter()
        .filter(is_silent)
        .map(|undecided| undecided.requirement.as_str())
        .collect();
    if !omitted.is_empty() {
        return Err(vec![format!(
            "there is no item about {}",
            omitted.join(", ")
        )]);
    }
    verdict = super::closed(verdict);
    Ok(verdict)
}

fn omitted(verdict: &Verdict, asked: &[String]) -> Vec<String> {
    let decided = verdict.items.iter().map(|item| &item.requirement);
    let named: Vec<&String> = decided
        .chain(
            verdict
                .undecided
                .iter()
                .map(|undecided| &undecided.requirement),
        )
        .collect();
    asked
        .iter()
        .filter(|id| !named.contains(id))
        .cloned()
        .collect()
}

/// Reads one item: a decided one, or what is known of an undecided one.
fn item(object: &Map<String, Value>, plan: &Plan) -> Option<Result<VerdictItem, Undecided>> {
    let requirement = json::text_of(object, &["requirement", "id"])?;
    let text = plan
        .requirements
        .iter()
        .find(|known| known.id == requirement)
        .map(|known| known.text.as_str())?;
    let evidence = json::text_of(object, &["evidence"]).unwrap_or_default();
    let finding = finding(object)?;
    let rests_on_nothing = finding == Finding::Met && counts_nothing(&evidence, text);
    if finding == Finding::Undecidable || (finding == Finding::Met && evidence.is_empty()) {
        let note = if evidence.is_empty() {
            "no evidence was given".to_owned()
        } else {
            evidence
        };
        return Some(Err(Undecided { requirement, note }));
    }
    if finding == Finding::Met && !rests_on_nothing {
        return Some(Ok(VerdictItem {
            requirement,
            met: true,
            evidence,
            redo: Vec::new(),
            feedback: String::new(),
        }));
    }
    Some(Ok(unmet(object, plan, requirement, evidence)))
}

fn unmet(
    object: &Map<String, Value>,
    plan: &Plan,
    requirement: String,
    evidence: String,
) -> VerdictItem {
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
    VerdictItem {
        requirement,
        met: false,
        evidence,
        redo,
        feedback,
    }
}

/// Reads the finding of an item. Older answers have a flag `met`.
fn finding(object: &Map<String, Value>) -> Option<Finding> {
    let value = object.get("finding").or_else(|| object.get("met"))?;
    if value.is_null() {
        return Some(Finding::Undecidable);
    }
    let text = json::text(value)?.to_lowercase().replace(['_', '-'], " ");
    Some(match text.as_str() {
        "true" | "yes" | "met" | "1" => Finding::Met,
        "cannot tell" | "can't tell" | "unclear" | "unknown" | "undecided" => Finding::Undecidable,
        _ => Finding::NotMet,
    })
}

/// Returns true if evidence counts zero of a thing that the requirement wants to be there.
fn counts_nothing(evidence: &str, requirement: &str) -> bool {
    let wanted = requirement.to_lowercase();
    let is_zero = |clause: &str| {
        let clause = clause.trim().to_lowercase();
        ["0 ", "zero "].iter().any(|zero| clause.starts_with(zero))
    };
    !ABSENCE.iter().any(|word| wanted.contains(word)) && evidence.split([';', '\n']).any(is_zero)
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
