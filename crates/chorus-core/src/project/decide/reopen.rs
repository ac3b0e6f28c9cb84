//! Reopening of partial and failed projects: what has no result is done again, finished results are kept.

use super::super::decision::{Effect, Interrupt};
use super::super::decision_builder::DecisionBuilder;
use super::super::{HistoryEvent, Reopening, State, Task};
use super::{clarify, plan, retry};
use crate::id::TaskId;
use crate::task_kind::TaskKind;

/// Rounds of rework after a reopening that names no number.
const ROUNDS: u32 = 3;

pub(super) fn reopen(
    builder: &mut DecisionBuilder<'_>,
    reopening: Reopening,
) -> Result<(), Interrupt> {
    if !matches!(
        builder.state(),
        State::Partial { .. } | State::Failed { .. }
    ) {
        return Err(builder.not_now("reopen").into());
    }
    if let Some(budget) = reopening.budget {
        builder.push_effect(Effect::RaiseBudget(budget));
    }
    builder.push_event(HistoryEvent::Reopened {
        with: reopening.clone(),
    });
    let head = &mut builder.head;
    // Judge tasks are named after the round, so what was judged before keeps its names.
    head.round = head.round.saturating_add(1);
    head.last_round = head
        .round
        .saturating_add(reopening.rounds.unwrap_or(ROUNDS));
    head.reopened = head.plan_version();
    head.out_of_budget = false;
    (head.halt, head.outage, head.wait) = (None, None, None);
    let has_work = builder.active().any(|task| task.kind == TaskKind::Work);
    if has_work {
        redo(builder, &reopening.instruction)
    } else {
        begin_again(builder, reopening.instruction)
    }
}

/// Does the tasks without a result again, and those that the judge named; with an instruction and none of
/// these, all of them.
fn redo(builder: &mut DecisionBuilder<'_>, instruction: &str) -> Result<(), Interrupt> {
    builder.enter(State::Running)?;
    let named = builder
        .head
        .best
        .as_ref()
        .map(|best| best.redo.clone())
        .unwrap_or_default();
    if !instruction.is_empty() {
        // A verdict on the earlier wishes must not win against what is wanted now.
        builder.head.best = None;
    }
    let is_due = |task: &Task| retry::is_without_result(task) || named.contains_key(&task.key);
    let mut due = builder.ids(|task| task.kind == TaskKind::Work && is_due(task));
    if due.is_empty() && !instruction.is_empty() {
        due = builder.ids(|task| task.kind == TaskKind::Work);
    }
    let feedback = |builder: &DecisionBuilder<'_>, id: TaskId| {
        let key = builder.task(id).map(|task| task.key.clone());
        let judged = key.and_then(|key| named.get(&key).cloned());
        [Some(instruction.to_owned()), judged]
            .into_iter()
            .flatten()
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let due: Vec<(TaskId, String)> = due
        .into_iter()
        .map(|id| (id, feedback(builder, id)))
        .collect();
    retry::replace_with(builder, due)?;
    Ok(())
}

/// Begins where a project without work tasks stopped.
fn begin_again(builder: &mut DecisionBuilder<'_>, instruction: String) -> Result<(), Interrupt> {
    if !instruction.is_empty() {
        builder.head.rejections.push(instruction);
    }
    if builder.head.outline.is_none() {
        // The shell submits the project again.
        builder.enter(State::Submitted)?;
        return Ok(());
    }
    let is_clear = builder
        .active()
        .any(|task| task.kind == TaskKind::Plan || is_answered_clarification(task));
    if is_clear {
        plan::begin(builder)?;
        return Ok(());
    }
    clarify::begin(builder)?;
    Ok(())
}

const fn is_answered_clarification(task: &Task) -> bool {
    matches!(task.kind, TaskKind::Clarify) && task.result().is_some()
}
