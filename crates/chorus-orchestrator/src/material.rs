//! What prompts and merges are made of: results, sections, the ledger, the merged files. All of it follows
//! from the brief and the results alone; ids and times of this run are never part of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::id::TaskKey;
use chorus_core::merge::{self, FileText, WorkReply, WorkResult};
use chorus_core::plan::{Part, Plan, PlannedFile, PlannedTask};
use chorus_core::project::{Conflicts, Task};
use chorus_core::task_kind::TaskKind;

use crate::aggregate::Aggregate;
use crate::context::Context;
use crate::shelf::Missing;

/// The file into which a task's result goes.
pub(crate) fn file_of<'a>(plan: &'a Plan, key: &TaskKey) -> Option<&'a PlannedFile> {
    plan.files.iter().find(|file| {
        file.parts
            .iter()
            .any(|part| matches!(part, Part::Task { task } if task == key))
    })
}

/// The form in which a task answers.
pub(crate) fn media_type<'a>(plan: &'a Plan, key: &TaskKey) -> &'a str {
    file_of(plan, key).map_or("text/markdown", |file| file.media_type.as_str())
}

/// The plan's words on a task.
pub(crate) fn planned<'a>(plan: &'a Plan, key: &TaskKey) -> Option<&'a PlannedTask> {
    plan.tasks.iter().find(|task| task.key == *key)
}

/// A task's result, taken apart; none when it has none.
pub(crate) async fn result(
    context: &Context,
    aggregate: &mut Aggregate,
    plan: &Plan,
    task: &Task,
) -> Result<Option<WorkResult>, Missing> {
    let Some(hash) = task.result() else {
        return Ok(None);
    };
    let text = aggregate.shelf.text(context, "a result", hash).await?;
    Ok(
        match merge::read_reply(&text, media_type(plan, &task.key)) {
            WorkReply::Result(result) => Some(result),
            WorkReply::Question(_) => None,
        },
    )
}

/// The results of the tasks that stand.
pub(crate) async fn results(
    context: &Context,
    aggregate: &mut Aggregate,
    plan: &Plan,
) -> Result<BTreeMap<TaskKey, WorkResult>, Missing> {
    let work: Vec<_> = aggregate
        .project
        .active()
        .filter(|task| task.kind == TaskKind::Work)
        .cloned()
        .collect();
    let mut results = BTreeMap::new();
    for task in work {
        if let Some(result) = result(context, aggregate, plan, &task).await? {
            results.insert(task.key, result);
        }
    }
    Ok(results)
}

/// The ledger of conflicts; empty before the first merge.
pub(crate) async fn ledger(
    context: &Context,
    aggregate: &mut Aggregate,
) -> Result<Arc<Conflicts>, Missing> {
    match aggregate.project.head.conflicts {
        Some(hash) => {
            aggregate
                .shelf
                .value(context, "the ledger of conflicts", hash)
                .await
        }
        None => Ok(Arc::default()),
    }
}

/// The merged files as they follow from the results and the ledger.
pub(crate) async fn files(
    context: &Context,
    aggregate: &mut Aggregate,
    plan: &Plan,
) -> Result<Vec<FileText>, Missing> {
    let results = results(context, aggregate, plan).await?;
    let ledger = ledger(context, aggregate).await?;
    Ok(merge::files(
        plan,
        &results,
        &ledger.conflicts,
        &ledger.resolutions,
    ))
}
