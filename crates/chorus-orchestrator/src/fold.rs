//! Folding a batch of one project's records: load, decide, write artifacts, commit at the expected version,
//! publish. Every batch ends in a commit, also one that decides nothing: it confirms the version on which
//! that was decided, and marks the records as folded, so that nobody sends them again.

use std::collections::VecDeque;

use chorus_core::id::{ProjectId, Version};
use chorus_core::port::bus::Record;
use chorus_core::port::projects::{Commit, Committed};
use chorus_core::port::relay;

use crate::aggregate::Aggregate;
use crate::context::Context;
use crate::deciding::Deciding;
use crate::shelf::Shelf;

/// Folds the records, in order, and returns the project as it is then; none when there is no such project.
pub(crate) async fn fold(
    context: &Context,
    project: ProjectId,
    cached: Option<Aggregate>,
    records: Vec<Record>,
) -> Option<Aggregate> {
    let mut aggregate = match cached {
        Some(cached) => Aggregate {
            sizes: context.sizes.sizes(&cached.project.head.tenant).await,
            ..cached
        },
        None => load(context, project, Shelf::default()).await?,
    };
    let mut batches = VecDeque::from([records]);
    while let Some(batch) = batches.pop_front() {
        let expected = aggregate.version;
        let (decided, commit) = decide(context, aggregate, &batch).await;
        let committed = context
            .until_ok("commit a project", || {
                context.projects.commit(commit.clone())
            })
            .await;
        aggregate = match committed {
            Committed::Done(version) => {
                relay::publish_committed(
                    &*context.bus,
                    &*context.outbox,
                    &*context.clock,
                    commit.outbox,
                )
                .await;
                Aggregate { version, ..decided }
            }
            Committed::Conflict => {
                let fresh = load(context, project, decided.shelf).await?;
                retry(&mut batches, batch, expected == fresh.version);
                fresh
            }
        };
    }
    Some(aggregate)
}

/// What to do with a batch that was not committed. When the row has the version on which it was decided, one
/// of its records was folded before: alone, such a record is done with; in company, each is tried alone.
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
    let mut deciding = Deciding::new(context, aggregate);
    for record in records {
        deciding.fold(record).await;
    }
    let (decided, gathered, attempts) = deciding.finish().await;
    let commit = gathered.commit(context, &decided.project, from, attempts);
    let seq = commit.events.last().map_or(decided.seq, |event| event.seq);
    (Aggregate { seq, ..decided }, commit)
}

async fn load(context: &Context, project: ProjectId, shelf: Shelf) -> Option<Aggregate> {
    let loaded = context
        .until_ok("load a project", || context.projects.load(project))
        .await;
    if loaded.is_none() {
        tracing::error!(project.id = %project, "records name a project that does not exist, they are dropped");
    }
    let loaded = loaded?;
    let sizes = context.sizes.sizes(&loaded.project.head.tenant).await;
    Some(Aggregate::new(loaded, shelf, sizes))
}
