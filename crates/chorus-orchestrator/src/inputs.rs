//! Inputs of prompts and merges, read from a project's artifacts: brief, outline, plan, results, conflicts, merged
//! files.
//!
//! Every value follows from the brief and the results alone; ids and times of this run are never part of one.
//! Neighbours: [`call_builder`](crate::call_builder) puts them into prompts, [`merging`](crate::merging) into
//! deliverables.

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::artifact::ArtifactHash;
use chorus_core::brief::{self, Brief, Outline};
use chorus_core::file_kind::FileKind;
use chorus_core::id::TaskKey;
use chorus_core::merge::{self, FileText, WorkResult};
use chorus_core::plan::{Part, Plan, PlannedFile, PlannedTask};
use chorus_core::project::{Conflicts, Task};
use chorus_core::task_kind::TaskKind;

use crate::aggregate::Aggregate;
use crate::artifact_cache::Missing;
use crate::context::Context;

/// The brief of the project.
pub(crate) async fn brief(
    context: &Context,
    aggregate: &mut Aggregate,
) -> Result<Arc<Brief>, Missing> {
    aggregate
        .artifacts
        .value(context, "the brief", aggregate.project.head.brief)
        .await
}

/// Cuts the attachments into sections and stores the [`Outline`].
pub(crate) async fn make_outline(
    context: &Context,
    aggregate: &mut Aggregate,
) -> Result<ArtifactHash, Missing> {
    let brief = brief(context, aggregate).await?;
    let mut texts = Vec::with_capacity(brief.attachments.len());
    for attachment in &brief.attachments {
        let text = aggregate
            .artifacts
            .text(context, "an attachment", attachment.text)
            .await?;
        texts.push((attachment.name.clone(), text));
    }
    let documents: Vec<_> = texts
        .iter()
        .map(|(name, text)| (name.clone(), text.as_str()))
        .collect();
    let outline = brief::outline(&documents, brief::section_target(&documents));
    Ok(aggregate.artifacts.put(context, &outline).await)
}

/// The stored outline; empty before the submission is folded.
pub(crate) async fn outline(
    context: &Context,
    aggregate: &mut Aggregate,
) -> Result<Arc<Outline>, Missing> {
    match aggregate.project.head.outline {
        Some(hash) => {
            aggregate
                .artifacts
                .value(context, "the outline", hash)
                .await
        }
        None => Ok(Arc::default()),
    }
}

/// The plan of a project that must have one.
pub(crate) async fn expect_plan(
    context: &Context,
    aggregate: &mut Aggregate,
) -> Result<Arc<Plan>, Missing> {
    let hash = aggregate.project.head.brief;
    plan(context, aggregate).await?.ok_or(Missing {
        what: "the plan",
        hash,
    })
}

/// The plan, or none before the project is planned.
pub(crate) async fn plan(
    context: &Context,
    aggregate: &mut Aggregate,
) -> Result<Option<Arc<Plan>>, Missing> {
    match aggregate.project.head.plan {
        Some(plan) => aggregate
            .artifacts
            .value(context, "the plan", plan.hash)
            .await
            .map(Some),
        None => Ok(None),
    }
}

/// The [`PlannedFile`] that contains the result of a task; none for tasks that only feed other tasks.
pub(crate) fn file_of<'a>(plan: &'a Plan, key: &TaskKey) -> Option<&'a PlannedFile> {
    plan.files.iter().find(|file| {
        file.parts
            .iter()
            .any(|part| matches!(part, Part::Task { task } if task == key))
    })
}

/// Kind of the file that contains a task's result; Markdown for a task without a file.
pub(crate) fn file_kind(plan: &Plan, key: &TaskKey) -> FileKind {
    file_of(plan, key).map_or(FileKind::Markdown, |file| {
        FileKind::of(&file.path, &file.media_type)
    })
}

/// The entry of a task in the plan.
pub(crate) fn planned<'a>(plan: &'a Plan, key: &TaskKey) -> Option<&'a PlannedTask> {
    plan.tasks.iter().find(|task| task.key == *key)
}

/// The parsed [`WorkResult`] of a task; none before it has one.
pub(crate) async fn result(
    context: &Context,
    aggregate: &mut Aggregate,
    plan: &Plan,
    task: &Task,
) -> Result<Option<WorkResult>, Missing> {
    let Some(hash) = task.result() else {
        return Ok(None);
    };
    let text = aggregate.artifacts.text(context, "a result", hash).await?;
    Ok(Some(merge::read_result(&text, file_kind(plan, &task.key))))
}

/// Results of the active work tasks, by key.
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

/// The conflicts found by merges so far; empty before the first merge.
pub(crate) async fn conflicts(
    context: &Context,
    aggregate: &mut Aggregate,
) -> Result<Arc<Conflicts>, Missing> {
    match aggregate.project.head.conflicts {
        Some(hash) => {
            aggregate
                .artifacts
                .value(context, "the list of conflicts", hash)
                .await
        }
        None => Ok(Arc::default()),
    }
}

/// The merged files that follow from the results and the resolutions.
pub(crate) async fn files(
    context: &Context,
    aggregate: &mut Aggregate,
    plan: &Plan,
) -> Result<Vec<FileText>, Missing> {
    let results = results(context, aggregate, plan).await?;
    let conflicts = conflicts(context, aggregate).await?;
    Ok(merge::files(
        plan,
        &results,
        &conflicts.conflicts,
        &conflicts.resolutions,
    ))
}
