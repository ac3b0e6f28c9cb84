//! The verdict and what follows from it: accepted, reworked, or delivered with its defects.

use std::collections::BTreeMap;

use super::super::draft::Draft;
use super::super::{About, Best, HistoryEvent, State};
use super::{ROUNDS, begin, rework, stop};
use crate::delivery::{ArtifactHash, TaskKind};
use crate::id::{TaskId, TaskKey};
use crate::verdict::{Verdict, VerdictItem};

/// A deliverable before the judge.
pub(super) struct Judged {
    pub(super) deliverable: ArtifactHash,
    pub(super) check: Verdict,
    pub(super) missing: Vec<TaskKey>,
}

/// Has the deliverable judged in as many parts as its length needs.
pub(super) fn begin(draft: &mut Draft<'_>, judged: Judged, parts: u32) {
    let round = draft.head.round + 1;
    for number in 0..parts {
        let key = TaskKey::new(if parts == 1 { format!("judge.{round}") } else { format!("judge.{round}.{}", number + 1) });
        begin::steer(draft, TaskKind::Judge, key, "Judge the deliverable", About::Part { number, of: parts });
    }
    let Judged { deliverable, check, missing } = judged;
    draft.enter(State::Evaluating { deliverable, check, missing, parts, verdicts: BTreeMap::new() });
}

/// One judge task is over; none when its answer could not be had.
pub(super) fn heard(draft: &mut Draft<'_>, task: TaskId, verdict: Option<Verdict>) {
    let State::Evaluating { deliverable, check, missing, parts, mut verdicts } = draft.head.state.clone() else { return };
    verdicts.insert(task, verdict);
    if u32::try_from(verdicts.len()).is_ok_and(|heard| heard < parts) {
        return draft.enter(State::Evaluating { deliverable, check, missing, parts, verdicts });
    }
    let unread = verdicts.values().any(Option::is_none);
    let judged = Judged { deliverable, check, missing };
    let verdict = unite(&judged.check, verdicts.into_values().flatten());
    rule(draft, &judged, verdict, unread);
}

/// There is no money left to judge: the checks alone say what is wrong.
pub(super) fn unread(draft: &mut Draft<'_>, judged: &Judged) {
    let mut defects = defects(&judged.check, &judged.missing);
    defects.push("the budget was used up before it was judged".to_owned());
    stop::deliver(draft, judged.deliverable, defects);
}

fn rule(draft: &mut Draft<'_>, judged: &Judged, verdict: Verdict, unread: bool) {
    let Judged { deliverable, missing, .. } = judged;
    let score = score(&verdict, missing);
    let mut defects = defects(&verdict, missing);
    if unread && draft.head.out_of_budget {
        defects.push("the budget was used up before all of it was judged".to_owned());
    }
    let redo = redo(&verdict, missing);
    let round = draft.head.round;
    draft.record(HistoryEvent::Judged { deliverable: *deliverable, verdict, score, round });
    if defects.is_empty() {
        return stop::done(draft, *deliverable);
    }
    let rises = draft.head.best.as_ref().is_none_or(|best| score > best.score);
    if rises {
        draft.head.best = Some(Best { deliverable: *deliverable, score, defects });
    }
    if !rises || round >= ROUNDS || draft.head.out_of_budget || !rework::begin(draft, &redo) {
        stop::deliver_best(draft);
    }
}

/// Requirements met, in thousandths; each missing part counts as one more that is not.
fn score(verdict: &Verdict, missing: &[TaskKey]) -> u32 {
    let points = verdict.items.len() + missing.len();
    let met = verdict.items.iter().filter(|item| item.met).count();
    u32::try_from(met * 1_000 / points.max(1)).expect("at most a thousand").max(if points == 0 { 1_000 } else { 0 })
}

fn defects(verdict: &Verdict, missing: &[TaskKey]) -> Vec<String> {
    let unmet = verdict.items.iter().filter(|item| !item.met);
    let unmet =
        unmet.map(|item| format!("{}: {}", item.requirement, if item.feedback.is_empty() { &item.evidence } else { &item.feedback }));
    unmet.chain(missing.iter().map(|task| format!("the part of task {task} is missing"))).collect()
}

fn redo(verdict: &Verdict, missing: &[TaskKey]) -> BTreeMap<TaskKey, String> {
    let mut redo: BTreeMap<TaskKey, String> = missing.iter().map(|task| (task.clone(), String::new())).collect();
    for item in verdict.items.iter().filter(|item| !item.met) {
        for task in &item.redo {
            let feedback = redo.entry(task.clone()).or_default();
            if !feedback.is_empty() {
                feedback.push('\n');
            }
            feedback.push_str(if item.feedback.is_empty() { &item.evidence } else { &item.feedback });
        }
    }
    redo
}

/// One verdict of the checks' and the judges' of all parts: a point is met when nobody says otherwise.
fn unite(check: &Verdict, verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    let mut items: Vec<VerdictItem> = Vec::new();
    for item in check.items.iter().cloned().chain(verdicts.flat_map(|verdict| verdict.items)) {
        match items.iter_mut().find(|known| known.requirement == item.requirement) {
            None => items.push(item),
            Some(known) if known.met && !item.met => *known = item,
            Some(known) if !known.met && !item.met => {
                known.redo.extend(item.redo.into_iter().filter(|task| !known.redo.contains(task)).collect::<Vec<_>>());
                known.feedback = [known.feedback.as_str(), item.feedback.as_str()].join("\n").trim().to_owned();
            }
            Some(_) => {}
        }
    }
    Verdict { items }
}
