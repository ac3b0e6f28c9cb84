//! When all tasks are over: results become a deliverable, with a model's help where rules could not resolve.

use super::super::decision_builder::DecisionBuilder;
use super::super::{HistoryEvent, Merge, State, Subject, TaskState};
use super::{Effect, Refusal, begin, client, judge, stop};
use crate::artifact::ArtifactHash;
use crate::attempt::FailureCause;
use crate::id::TaskKey;
use crate::merge::{Conflict, Resolution};
use crate::task_kind::TaskKind;

/// All work is over: asks for the merge, if there is anything to merge.
pub(super) fn begin(builder: &mut DecisionBuilder<'_>) {
    let any = builder
        .active()
        .any(|task| task.kind == TaskKind::Work && task.result().is_some());
    if builder.head.best.is_some() && (builder.head.out_of_budget || !any) {
        return stop::deliver_best(builder);
    }
    if !any {
        let why = first_failure(builder).map_or_else(
            || "no task has a result".to_owned(),
            |cause| format!("no task has a result: {cause}"),
        );
        return stop::fail(builder, why);
    }
    let ask_model = !builder.head.out_of_budget;
    builder.ask(Effect::Merge {
        resolutions: Vec::new(),
        ask_model,
    });
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

pub(super) fn merged(builder: &mut DecisionBuilder<'_>, merge: Merge) -> Result<(), Refusal> {
    let expected = builder.head.unfinished == 0
        && matches!(builder.head.state, State::Running | State::Merging { .. });
    if !expected {
        return Err(client::not_now(builder, "a merge"));
    }
    match merge {
        Merge::Open {
            ledger,
            found,
            resolved,
        } => {
            enter_ledger(builder, ledger, found, resolved);
            let key = TaskKey::new(format!("resolve.{}", builder.head.round + 1));
            let resolve = begin::steer(
                builder,
                TaskKind::Resolve,
                key,
                "Resolve what contradicts",
                Subject::Itself,
            );
            builder.enter(State::Merging { resolve });
        }
        Merge::Whole {
            ledger,
            found,
            resolved,
            deliverable,
            files,
            missing,
            check,
            parts,
        } => {
            enter_ledger(builder, ledger, found, resolved);
            builder.record(HistoryEvent::Merged {
                deliverable,
                files,
                missing,
            });
            let judged = judge::Judged { deliverable, check };
            if builder.head.out_of_budget {
                judge::unread(builder, &judged);
            } else {
                judge::begin(builder, judged, parts.max(1));
            }
        }
    }
    Ok(())
}

fn enter_ledger(
    builder: &mut DecisionBuilder<'_>,
    ledger: ArtifactHash,
    found: Vec<Conflict>,
    resolved: Vec<Resolution>,
) {
    builder.head.ledger = Some(ledger);
    for conflict in found {
        builder.record(HistoryEvent::ConflictFound { conflict });
    }
    for resolution in resolved {
        builder.record(HistoryEvent::ConflictResolved { resolution });
    }
}
