//! Folds a batch of one project's records: load, decide, write artifacts, commit at the expected version, publish.
//!
//! Every batch ends in a commit, even one that decides nothing: the commit confirms the version on which that
//! was decided, and marks the records as folded, so that the dispatcher does not send them again. Decisions are
//! made by the [`Decider`]; [`Orchestrator`](crate::Orchestrator) chooses the batches. Rows that cannot be read or
//! written stop their own project only: its records are let go, and the dispatcher sends them again later.

use std::collections::VecDeque;

use chorus_core::id::{ProjectId, Version};
use chorus_core::port::StoreError;
use chorus_core::port::bus::Record;
use chorus_core::port::projects::{Commit, Committed};
use chorus_core::port::relay;

use crate::aggregate::Aggregate;
use crate::artifact_cache::ArtifactCache;
use crate::context::Context;
use crate::decider::Decider;

/// Folds the records in order and returns the project after the last commit; none if there is no such project, or if
/// its rows cannot be used.
pub(crate) async fn fold(
    context: &Context,
    project: ProjectId,
    cached: Option<Aggregate>,
    records: Vec<Record>,
) -> Option<Aggregate> {
    match try_fold(context, project, cached, records).await {
        Ok(aggregate) => aggregate,
        Err(error) => {
            tracing::error!(
                project.id = %project,
                error.code = "project_unreadable",
                error = %error,
                "the rows of a project cannot be used: it waits until they are mended"
            );
            None
        }
    }
}

async fn try_fold(
    context: &Context,
    project: ProjectId,
    cached: Option<Aggregate>,
    records: Vec<Record>,
) -> Result<Option<Aggregate>, StoreError> {
    let Some(mut aggregate) = current(context, project, cached).await? else {
        return Ok(None);
    };
    let mut batches = VecDeque::from([records]);
    while let Some(batch) = batches.pop_front() {
        let expected = aggregate.version;
        let (decided, commit) = decide(context, aggregate, &batch).await;
        let committed = context
            .until_answered("commit a project", || {
                context.projects.commit(commit.clone())
            })
            .await?;
        aggregate = match committed {
            Committed::Done(version) => {
                publish(context, commit.outbox).await;
                Aggregate { version, ..decided }
            }
            Committed::Conflict => {
                let Some(fresh) = load(context, project, decided.artifacts).await? else {
                    return Ok(None);
                };
                retry(&mut batches, batch, expected == fresh.version);
                fresh
            }
        };
    }
    Ok(Some(aggregate))
}

/// The cached aggregate with the sizes of this moment, else the stored one.
async fn current(
    context: &Context,
    project: ProjectId,
    cached: Option<Aggregate>,
) -> Result<Option<Aggregate>, StoreError> {
    match cached {
        Some(cached) => Ok(Some(Aggregate {
            sizes: context.sizes.limits(&cached.project.head.tenant).await,
            ..cached
        })),
        None => load(context, project, ArtifactCache::default()).await,
    }
}

async fn publish(context: &Context, committed: Vec<Record>) {
    let (bus, outbox, clock) = (&*context.bus, &*context.outbox, &*context.clock);
    relay::publish_committed(bus, outbox, clock, committed).await;
}

/// Plans the next batches after a conflict. If the row still has the version that was decided on, at least one
/// record of the batch was folded before: a single record is then done, and a larger batch is split into single
/// records. Otherwise another process wrote, and the batch is decided anew.
fn retry(batches: &mut VecDeque<Vec<Record>>, batch: Vec<Record>, same_version: bool) {
    if !same_version {
        batches.push_front(batch);
    } else if batch.len() > 1 {
        batch
            .into_iter()
            .rev()
            .for_each(|record| batches.push_front(vec![record]));
    }
}

async fn decide(
    context: &Context,
    aggregate: Aggregate,
    records: &[Record],
) -> (Aggregate, Commit) {
    let from: (Version, _) = (aggregate.version, aggregate.seq);
    let mut decider = Decider::new(context, aggregate);
    for record in records {
        decider.fold(record).await;
    }
    let (decided, builder, attempts) = decider.finish().await;
    let commit = builder.commit(context, &decided.project, from, attempts);
    let seq = commit.events.last().map_or(decided.seq, |event| event.seq);
    (Aggregate { seq, ..decided }, commit)
}

async fn load(
    context: &Context,
    project: ProjectId,
    artifacts: ArtifactCache,
) -> Result<Option<Aggregate>, StoreError> {
    let loaded = context
        .until_answered("load a project", || context.projects.load(project))
        .await?;
    let Some(loaded) = loaded else {
        tracing::error!(project.id = %project, "records of an unknown project are dropped");
        return Ok(None);
    };
    let sizes = context.sizes.limits(&loaded.project.head.tenant).await;
    Ok(Some(Aggregate::new(loaded, artifacts, sizes)))
}
