//! One verdict of several: of the checks, of the judges of excerpts, of the judge who decides what
//! these left undecided.

use std::collections::BTreeMap;

use super::{Undecided, Verdict, VerdictItem};
use crate::id::TaskKey;

/// Unites verdicts on parts of a deliverable. A requirement is met only if all who were asked call it
/// met; one that any of them calls unmet is unmet; every other one is undecided.
pub fn unite(verdicts: Vec<Verdict>) -> Verdict {
    let mut items: Vec<VerdictItem> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut undecided: Vec<Undecided> = Vec::new();
    for verdict in verdicts {
        for item in verdict.items {
            match places.get(&item.requirement) {
                Some(at) => add(&mut items[*at], item),
                None => {
                    places.insert(item.requirement.clone(), items.len());
                    items.push(item);
                }
            }
        }
        for open in verdict.undecided {
            let same = |other: &&mut Undecided| other.requirement == open.requirement;
            match undecided.iter_mut().find(same) {
                Some(other) => join(&mut other.note, &open.note, "\n"),
                None => undecided.push(open),
            }
        }
    }
    let is_unmet = |id: &str| items.iter().any(|item| item.requirement == id && !item.met);
    undecided.retain(|open| !is_unmet(&open.requirement));
    let is_open = |item: &VerdictItem| {
        undecided
            .iter()
            .any(|open| open.requirement == item.requirement)
    };
    let (open, items): (Vec<_>, Vec<_>) = items.into_iter().partition(is_open);
    for item in open {
        let same = |other: &&mut Undecided| other.requirement == item.requirement;
        if let Some(other) = undecided.iter_mut().find(same) {
            join(
                &mut other.note,
                &format!("shown in one excerpt: {}", item.evidence),
                "\n",
            );
        }
    }
    Verdict { items, undecided }
}

/// Replaces what a verdict left undecided by the answer of the judge who was asked about just that.
pub fn decided(verdict: Verdict, last: Verdict) -> Verdict {
    let Verdict {
        mut items,
        mut undecided,
    } = verdict;
    let is_answered = |open: &Undecided| {
        last.items
            .iter()
            .any(|item| item.requirement == open.requirement)
    };
    let (answered, rest): (Vec<_>, Vec<_>) = undecided.drain(..).partition(is_answered);
    let is_asked = |item: &VerdictItem| {
        answered
            .iter()
            .any(|open| open.requirement == item.requirement)
    };
    items.extend(last.items.into_iter().filter(is_asked));
    Verdict {
        items,
        undecided: rest,
    }
}

/// Turns what is undecided into items that are not met. No task is done again for them: nothing is
/// known to be wrong.
pub fn closed(verdict: Verdict) -> Verdict {
    let Verdict {
        mut items,
        undecided,
    } = verdict;
    let item = |open: Undecided| VerdictItem {
        evidence: if open.note.is_empty() {
            "no judge decided it".to_owned()
        } else {
            format!("no judge could decide it: {}", open.note)
        },
        requirement: open.requirement,
        met: false,
        redo: Vec::new(),
        feedback: String::new(),
    };
    items.extend(undecided.into_iter().map(item));
    Verdict {
        items,
        undecided: Vec::new(),
    }
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
