//! The verdict and what follows from it: accepted, reworked, or delivered with its defects. The rules are
//! `verdict`'s; here they are carried out.

use std::collections::BTreeMap;

use super::super::decision_builder::DecisionBuilder;
use super::super::{Best, HistoryEvent, State, Subject};
use super::{begin, rework, stop};
use crate::artifact::ArtifactHash;
use crate::id::{TaskId, TaskKey};
use crate::task_kind::TaskKind;
use crate::verdict::{self, ReworkHistory, Ruling, Verdict, VerdictItem};

/// A deliverable before the judge.
pub(super) struct Judged {
    pub(super) deliverable: ArtifactHash,
    pub(super) check: Verdict,
}

/// Has the deliverable judged in as many parts as its length needs.
pub(super) fn begin(builder: &mut DecisionBuilder<'_>, judged: Judged, parts: u32) {
    let round = builder.head.round + 1;
    let Judged { deliverable, check } = judged;
    builder.enter(State::Evaluating {
        deliverable,
        check,
        parts,
        verdicts: BTreeMap::new(),
    });
    for number in 0..parts {
        let key = TaskKey::new(if parts == 1 {
            format!("judge.{round}")
        } else {
            format!("judge.{round}.{}", number + 1)
        });
        begin::steer(
            builder,
            TaskKind::Judge,
            key,
            "Judge the deliverable",
            Subject::Part { number, of: parts },
        );
    }
}

/// One judge task is over; none when its answer could not be had.
pub(super) fn heard(builder: &mut DecisionBuilder<'_>, task: TaskId, verdict: Option<Verdict>) {
    let State::Evaluating {
        deliverable,
        check,
        parts,
        mut verdicts,
    } = builder.head.state.clone()
    else {
        return;
    };
    verdicts.insert(task, verdict);
    if u32::try_from(verdicts.len()).is_ok_and(|heard| heard < parts) {
        return builder.enter(State::Evaluating {
            deliverable,
            check,
            parts,
            verdicts,
        });
    }
    let unread = verdicts.values().any(Option::is_none);
    let all = [check].into_iter().chain(verdicts.into_values().flatten());
    rule(builder, deliverable, verdict::unite(all.collect()), unread);
}

/// There is no money left to judge: the checks alone say what is wrong.
pub(super) fn unread(builder: &mut DecisionBuilder<'_>, judged: &Judged) {
    let mut defects = defects(&judged.check);
    defects.push("the budget was used up before it was judged".to_owned());
    stop::deliver(builder, judged.deliverable, defects);
}

fn rule(
    builder: &mut DecisionBuilder<'_>,
    deliverable: ArtifactHash,
    verdict: Verdict,
    unread: bool,
) {
    let reworks = reworks(builder);
    let best = builder.head.best.as_ref().map(|best| best.score);
    let rounds = builder.head.round;
    let ruling = verdict::rule(
        &ReworkHistory {
            rounds,
            best,
            reworks: &reworks,
        },
        &verdict,
    );
    let out_of_money = unread && builder.head.out_of_budget;
    // Silence is no consent: what no judge's answer could be read about was not accepted by anybody.
    let accepted = !unread && (ruling == Ruling::Accept || verdict.items.is_empty());
    let score = if accepted {
        1_000
    } else if verdict.items.is_empty() {
        0
    } else {
        verdict::score(&verdict)
    };
    let mut defects = defects(&verdict);
    builder.record(HistoryEvent::Judged {
        deliverable,
        verdict,
        score,
        round: rounds,
    });
    if accepted {
        return stop::done(builder, deliverable);
    }
    if out_of_money {
        defects.push("the budget was used up before all of it was judged".to_owned());
    } else if unread {
        defects.push(
            "the judge gave no answer that could be read: not all of it was judged".to_owned(),
        );
    }
    if best.is_none_or(|best| score > best) {
        builder.head.best = Some(Best {
            deliverable,
            score,
            defects,
        });
    }
    let begun = match ruling {
        Ruling::Rework(redo) if !builder.head.out_of_budget => rework::begin(builder, &redo),
        Ruling::Rework(_) | Ruling::Accept | Ruling::Stop { .. } => false,
    };
    if !begun {
        stop::deliver_best(builder);
    }
}

/// How often each task was done again: as often as a later plan version replaced one of its key with words of the judge.
fn reworks(builder: &DecisionBuilder<'_>) -> BTreeMap<TaskKey, u32> {
    let mut reworks = BTreeMap::new();
    for task in builder.all() {
        if task.kind == TaskKind::Work
            && task
                .rework
                .as_ref()
                .is_some_and(|rework| !rework.feedback.is_empty())
        {
            *reworks.entry(task.key.clone()).or_default() += 1;
        }
    }
    reworks
}

fn defects(verdict: &Verdict) -> Vec<String> {
    verdict
        .items
        .iter()
        .filter(|item| !item.met)
        .map(defect)
        .collect()
}

fn defect(item: &VerdictItem) -> String {
    format!("{}: {}", item.requirement, item.evidence)
}
