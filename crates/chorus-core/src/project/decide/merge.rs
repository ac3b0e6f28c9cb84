//! When all tasks are over: results become a deliverable, with a model's help where rules could not settle.

use super::super::draft::Draft;
use super::super::{About, HistoryEvent, Merge, State, TaskState};
use super::{Effect, Refusal, begin, client, judge, stop};
use crate::delivery::{ArtifactHash, FailureCause, TaskKind};
use crate::id::TaskKey;
use crate::merge::{Conflict, Settlement};

/// All work is over: asks for the merge, if there is anything to merge.
pub(super) fn begin(draft: &mut Draft<'_>) {
    let any = draft
        .standing()
        .any(|task| task.kind == TaskKind::Work && task.result().is_some());
    if draft.head.best.is_some() && (draft.head.out_of_budget || !any) {
        return stop::deliver_best(draft);
    }
    if !any {
        let why = first_failure(draft).map_or_else(
            || "no task has a result".to_owned(),
            |cause| format!("no task has a result: {cause}"),
        );
        return stop::fail(draft, why);
    }
    let ask_model = !draft.head.out_of_budget;
    draft.ask(Effect::Merge {
        settlements: Vec::new(),
        ask_model,
    });
}

fn first_failure(draft: &Draft<'_>) -> Option<FailureCause> {
    let failed = draft
        .ids(|task| matches!(task.state, TaskState::Failed { .. }) && task.kind == TaskKind::Work);
    failed
        .into_iter()
        .filter_map(|id| draft.task(id))
        .find_map(|task| match &task.state {
            TaskState::Failed { cause } => Some(cause.clone()),
            _ => None,
        })
}

pub(super) fn merged(draft: &mut Draft<'_>, merge: Merge) -> Result<(), Refusal> {
    let expected = draft.head.unfinished == 0
        && matches!(draft.head.state, State::Running | State::Merging { .. });
    if !expected {
        return Err(client::not_now(draft, "a merge"));
    }
    match merge {
        Merge::Open {
            ledger,
            found,
            settled,
        } => {
            enter_ledger(draft, ledger, found, settled);
            let key = TaskKey::new(format!("settle.{}", draft.head.round + 1));
            let settle = begin::steer(
                draft,
                TaskKind::Settle,
                key,
                "Settle what contradicts",
                About::Itself,
            );
            draft.enter(State::Merging { settle });
        }
        Merge::Whole {
            ledger,
            found,
            settled,
            deliverable,
            files,
            missing,
            check,
            parts,
        } => {
            enter_ledger(draft, ledger, found, settled);
            draft.record(HistoryEvent::Merged {
                deliverable,
                files,
                missing,
            });
            let judged = judge::Judged { deliverable, check };
            if draft.head.out_of_budget {
                judge::unread(draft, &judged);
            } else {
                judge::begin(draft, judged, parts.max(1));
            }
        }
    }
    Ok(())
}

fn enter_ledger(
    draft: &mut Draft<'_>,
    ledger: ArtifactHash,
    found: Vec<Conflict>,
    settled: Vec<Settlement>,
) {
    draft.head.ledger = Some(ledger);
    for conflict in found {
        draft.record(HistoryEvent::ConflictFound { conflict });
    }
    for settlement in settled {
        draft.record(HistoryEvent::ConflictSettled { settlement });
    }
}
