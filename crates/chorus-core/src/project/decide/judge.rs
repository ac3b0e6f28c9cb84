//! The verdict and its consequence: accepted, reworked, or delivered with its defects.
//!
//! The rules are those of [`crate::verdict`]; this module carries them out.

use std::collections::BTreeMap;

use super::super::decision::Inconsistency;
use super::super::decision_builder::DecisionBuilder;
use super::super::{Best, HistoryEvent, State, Subject};
use super::{ending, rework, steering};
use crate::artifact::ArtifactHash;
use crate::id::{TaskId, TaskKey};
use crate::task_kind::TaskKind;
use crate::verdict::{self, ReworkHistory, Ruling, Undecided, Verdict};

/// A deliverable with the findings of the programmatic checks.
pub(super) struct Judged {
    pub(super) deliverable: ArtifactHash,
    pub(super) check: Verdict,
}

/// Begins one judge task for each part of the deliverable.
pub(super) fn begin(
    builder: &mut DecisionBuilder<'_>,
    judged: Judged,
    parts: u32,
) -> Result<(), Inconsistency> {
    let round = builder.head.round.saturating_add(1);
    let Judged { deliverable, check } = judged;
    builder.enter(State::Evaluating {
        deliverable,
        check,
        parts,
        verdicts: BTreeMap::new(),
    })?;
    for number in 0..parts {
        let key = TaskKey::new(if parts == 1 {
            format!("judge.{round}")
        } else {
            format!("judge.{round}.{}", number + 1)
        });
        steering::begin(
            builder,
            TaskKind::Judge,
            key,
            "Judge the deliverable",
            Subject::Part { number, of: parts },
        )?;
    }
    Ok(())
}

/// Folds the verdict on one part, `None` if it could not be had, and rules once all parts have ended.
pub(super) fn part_judged(
    builder: &mut DecisionBuilder<'_>,
    task: TaskId,
    verdict: Option<Verdict>,
) -> Result<(), Inconsistency> {
    let State::Evaluating {
        deliverable,
        check,
        parts,
        mut verdicts,
    } = builder.state().clone()
    else {
        return Ok(());
    };
    verdicts.insert(task, verdict);
    if u32::try_from(verdicts.len()).is_ok_and(|judged| judged < parts) {
        builder.enter(State::Evaluating {
            deliverable,
            check,
            parts,
            verdicts,
        })?;
        return Ok(());
    }
    let unread = verdicts.values().any(Option::is_none);
    let is_last = |id: &TaskId| {
        let about = builder.task(*id).map(|task| &task.about);
        matches!(about, Some(Subject::Undecided { .. }))
    };
    let (last, of_parts): (Vec<_>, Vec<_>) = verdicts.iter().partition(|(id, _)| is_last(id));
    let read = |all: Vec<(&TaskId, &Option<Verdict>)>| -> Vec<Verdict> {
        all.into_iter()
            .filter_map(|(_, verdict)| verdict.clone())
            .collect()
    };
    // Uncertain findings of the checks were shown to the judges, who decide them.
    let certain = Verdict {
        undecided: Vec::new(),
        ..check.clone()
    };
    let was_asked = !last.is_empty();
    let united = verdict::unite([vec![certain], read(of_parts)].concat());
    let united = read(last).into_iter().fold(united, verdict::decided);
    if !united.undecided.is_empty() && !unread && !was_asked && !builder.head.out_of_budget {
        builder.enter(State::Evaluating {
            deliverable,
            check,
            parts: parts.saturating_add(1),
            verdicts,
        })?;
        return ask_last(builder, united.undecided);
    }
    rule(builder, deliverable, verdict::closed(united), unread)
}

/// Begins the judge task that decides what the judges of parts left undecided.
fn ask_last(
    builder: &mut DecisionBuilder<'_>,
    requirements: Vec<Undecided>,
) -> Result<(), Inconsistency> {
    let round = builder.head.round.saturating_add(1);
    steering::begin(
        builder,
        TaskKind::Judge,
        TaskKey::new(format!("judge.{round}.last")),
        "Judge what is undecided",
        Subject::Undecided { requirements },
    )?;
    Ok(())
}

/// Delivers without the judge because no money is left; the defects are those that the checks found.
pub(super) fn deliver_unjudged(
    builder: &mut DecisionBuilder<'_>,
    judged: &Judged,
) -> Result<(), Inconsistency> {
    let mut defects = defects(&verdict::closed(judged.check.clone()));
    defects.push("the budget was used up before it was judged".to_owned());
    ending::deliver(builder, judged.deliverable, defects)
}

fn rule(
    builder: &mut DecisionBuilder<'_>,
    deliverable: ArtifactHash,
    verdict: Verdict,
    unread: bool,
) -> Result<(), Inconsistency> {
    let reworks = reworks(builder);
    let before = builder.head.best.clone();
    let rounds = builder.head.round;
    let ruling = verdict::rule(
        &ReworkHistory {
            rounds,
            limit: builder.head.last_round,
            best: before.as_ref().map(|best| best.score),
            defects: before.as_ref().map_or(&[], |best| &best.defects),
            reworks: &reworks,
        },
        &verdict,
    );
    // Silence is no consent: neither an unreadable verdict nor an empty one accepts anything.
    let accepted = !unread && ruling == Ruling::Accept;
    let score = if accepted {
        1_000
    } else if verdict.items.is_empty() {
        0
    } else {
        verdict::score(&verdict)
    };
    let defects = defects_of(builder, &verdict, unread);
    let redo = verdict::redo(&verdict);
    builder.push_event(HistoryEvent::Judged {
        deliverable,
        verdict,
        score,
        round: rounds,
    });
    if accepted {
        return ending::done(builder, deliverable);
    }
    let best = better(
        builder.head.best.take(),
        Best {
            deliverable,
            score,
            defects,
            redo,
        },
    );
    builder.head.best = Some(best.clone());
    let begun = match ruling {
        Ruling::Rework(redo) if !builder.head.out_of_budget => rework::begin(builder, &redo)?,
        Ruling::Rework(_) | Ruling::Accept | Ruling::Stop { .. } => false,
    };
    if begun {
        Ok(())
    } else {
        ending::deliver_best(builder, best)
    }
}

/// The deliverable with the higher score; of equals the newer one, unless it has a defect of before.
fn better(before: Option<Best>, now: Best) -> Best {
    match before {
        Some(before)
            if !verdict::is_better((before.score, &before.defects), (now.score, &now.defects)) =>
        {
            before
        }
        Some(_) | None => now,
    }
}

fn defects_of(builder: &DecisionBuilder<'_>, verdict: &Verdict, unread: bool) -> Vec<String> {
    let mut defects = defects(verdict);
    if unread && builder.head.out_of_budget {
        defects.push("the budget was used up before all of it was judged".to_owned());
    } else if unread {
        defects.push(
            "the judge gave no answer that could be read: not all of it was judged".to_owned(),
        );
    }
    defects
}

/// Number of reworks of each task since the last reopening: the replacements of its key that carry feedback
/// of the judge.
fn reworks(builder: &DecisionBuilder<'_>) -> BTreeMap<TaskKey, u32> {
    let mut reworks = BTreeMap::new();
    for task in builder.all() {
        if task.kind == TaskKind::Work
            && task.plan_version > builder.head.reopened
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
        .map(verdict::defect)
        .collect()
}
