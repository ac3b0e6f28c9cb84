//! The merge, once all work tasks have ended: results become a deliverable, with a model's help where rules
//! could not resolve a conflict.

use super::super::decision::{Effect, Inconsistency, Interrupt};
use super::super::decision_builder::DecisionBuilder;
use super::super::{Halt, HistoryEvent, Merge, State, Subject, TaskState};
use super::{ending, judge, steering};
use crate::artifact::ArtifactHash;
use crate::attempt::FailureCause;
use crate::id::TaskKey;
use crate::merge::{Conflict, Resolution};
use crate::task_kind::TaskKind;

/// Asks for the merge if there is a result; else delivers the best deliverable so far, or halts until a
/// person decides.
pub(super) fn begin(builder: &mut DecisionBuilder<'_>) -> Result<(), Inconsistency> {
    let any = builder
        .active()
        .any(|task| task.kind == TaskKind::Work && task.result().is_some());
    if (builder.head.out_of_budget || !any)
        && let Some(best) = builder.head.best.clone()
    {
        return ending::deliver_best(builder, best);
    }
    if !any {
        let message = first_failure(builder)
            .map_or_else(|| "none was begun".to_owned(), |cause| cause.to_string());
        if builder.head.out_of_budget {
            return ending::fail(builder, format!("no task has a result: {message}"));
        }
        builder.head.halt = Some(Halt::NoResult { message });
        return Ok(());
    }
    let ask_model = !builder.head.out_of_budget;
    builder.push_effect(Effect::Merge {
        resolutions: Vec::new(),
        ask_model,
    });
    Ok(())
}

fn first_failure(builder: &DecisionBuilder<'_>) -> Option<FailureCause> {
    let failed = builder
        .ids(|task| matches!(task.state, TaskState::Failed { .. }) && task.kind == TaskKind::Work);
    failed
        .into_iter()
        .filter_map(|id| builder.task(id))
        .find_map(|task| match &task.state {
            TaskState::Failed { cause } => Some(cause.clone()),
            _ => None,
        })
}

/// Folds the shell's merge: a model is asked about open conflicts, or the deliverable is judged.
pub(super) fn merged(builder: &mut DecisionBuilder<'_>, merge: Merge) -> Result<(), Interrupt> {
    let expected = builder.head.unfinished == 0
        && matches!(builder.state(), State::Running | State::Merging { .. });
    if !expected {
        return Err(builder.not_now("a merge").into());
    }
    match merge {
        Merge::Open {
            conflicts,
            found,
            resolved,
        } => {
            record_conflicts(builder, conflicts, found, resolved);
            let round = builder.head.round.saturating_add(1);
            let resolve = steering::begin(
                builder,
                TaskKind::Resolve,
                TaskKey::new(format!("resolve.{round}")),
                "Resolve what contradicts",
                Subject::Itself,
            )?;
            builder.enter(State::Merging { resolve })?;
        }
        Merge::Whole {
            conflicts,
            found,
            resolved,
            deliverable,
            files,
            missing,
            check,
            parts,
        } => {
            record_conflicts(builder, conflicts, found, resolved);
            builder.push_event(HistoryEvent::Merged {
                deliverable,
                files,
                missing,
            });
            let judged = judge::Judged { deliverable, check };
            if builder.head.out_of_budget {
                judge::deliver_unjudged(builder, &judged)?;
            } else {
                judge::begin(builder, judged, parts.max(1))?;
            }
        }
    }
    Ok(())
}

fn record_conflicts(
    builder: &mut DecisionBuilder<'_>,
    conflicts: ArtifactHash,
    found: Vec<Conflict>,
    resolved: Vec<Resolution>,
) {
    builder.head.conflicts = Some(conflicts);
    for conflict in found {
        builder.push_event(HistoryEvent::ConflictFound { conflict });
    }
    for resolution in resolved {
        builder.push_event(HistoryEvent::ConflictResolved { resolution });
    }
}
