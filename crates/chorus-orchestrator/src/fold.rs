//! Folding a batch of one project's records: load, decide, write artifacts, commit at the expected version,
//! publish. Every batch ends in a commit, also one that decides nothing: it confirms the version on which
//! that was decided, and marks the records as folded, so that nobody sends them again.

use std::collections::VecDeque;

use chorus_core::id::{ProjectId, Version};
use chorus_core::port::bus::Record;
use chorus_core::port::projects::{Commit, Committed};

use crate::aggregate::Aggregate;
use crate::deciding::Deciding;
use crate::shelf::Shelf;
use crate::shop::Shop;

/// Folds the records, in order, and returns the project as it is then; none when there is no such project.
pub(crate) async fn fold(
    shop: &Shop,
    project: ProjectId,
    cached: Option<Aggregate>,
    records: Vec<Record>,
) -> Option<Aggregate> {
    let mut aggregate = match cached {
        Some(cached) => Aggregate {
            sizes: shop.measure.sizes(&cached.project.head.tenant).await,
            ..cached
        },
        None => load(shop, project, Shelf::default()).await?,
    };
    let mut batches = VecDeque::from([records]);
    while let Some(batch) = batches.pop_front() {
        let expected = aggregate.version;
        let (decided, commit) = decide(shop, aggregate, &batch).await;
        let committed = shop
            .until_answered("a commit", || shop.ports.projects.commit(commit.clone()))
            .await;
        aggregate = match committed {
            Committed::Done(version) => {
                publish(shop, commit.outbox).await;
                Aggregate { version, ..decided }
            }
            Committed::Conflict => {
                let fresh = load(shop, project, decided.shelf).await?;
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

async fn decide(shop: &Shop, aggregate: Aggregate, records: &[Record]) -> (Aggregate, Commit) {
    let from: (Version, _) = (aggregate.version, aggregate.seq);
    let mut deciding = Deciding::new(shop, aggregate);
    for record in records {
        deciding.fold(record).await;
    }
    let (decided, gathered, attempts) = deciding.finish().await;
    let commit = gathered.commit(shop, &decided.project, from, attempts);
    let seq = commit.events.last().map_or(decided.seq, |event| event.seq);
    (Aggregate { seq, ..decided }, commit)
}

async fn load(shop: &Shop, project: ProjectId, shelf: Shelf) -> Option<Aggregate> {
    let loaded = shop
        .until_answered("loading a project", || shop.ports.projects.load(project))
        .await;
    if loaded.is_none() {
        tracing::error!(project.id = %project, "records name a project that does not exist, they are dropped");
    }
    let loaded = loaded?;
    let sizes = shop.measure.sizes(&loaded.project.head.tenant).await;
    Some(Aggregate::new(loaded, shelf, sizes))
}

/// Sends what was committed. Failures are no matter: the leader sweeps what is not marked as sent.
async fn publish(shop: &Shop, outbox: Vec<Record>) {
    if outbox.is_empty() {
        return;
    }
    let ids = outbox.iter().map(|record| record.id).collect();
    let clock = &shop.ports.clock;
    let sent = async {
        match shop.ports.bus.publish(outbox).await {
            Ok(()) => shop
                .ports
                .outbox
                .mark_sent(ids)
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    };
    match clock
        .deadline(clock.now() + shop.settings.publish, sent)
        .await
    {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(error, "records wait for the sweep"),
        None => tracing::debug!("the bus took too long, records wait for the sweep"),
    }
}
