//! From records to claims.
//!
//! Claims of one partition follow each other, because an acknowledged record acknowledges all
//! before it; partitions do not wait for each other.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use chorus_core::attempt::{Claim, Delivery, Holding};
use chorus_core::id::Holder;
use chorus_core::port::bus::{Partition, Position, Record};
use chorus_core::port::retry;
use chorus_core::record::{self, DISPATCH, DispatchNotice, Unreadable};
use chorus_core::time::Timestamp;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use crate::context::Context;

/// Records between the subscription and their claims.
pub(crate) struct Intake {
    context: Arc<Context>,
    /// Records that wait for the claim before them; a partition has an entry while one of its
    /// claims is under way.
    waiting: BTreeMap<Partition, VecDeque<(Record, Position)>>,
    claims: FuturesUnordered<BoxFuture<'static, TakenRecord>>,
}

/// Record with an answered claim, or without need of one: it may be acknowledged.
pub(crate) struct TakenRecord {
    /// Position of the record.
    pub(crate) at: Position,
    /// Delivery, when the claim was granted.
    pub(crate) claimed: Option<Box<Claimed>>,
}

/// A [`Delivery`] that this worker holds.
pub(crate) struct Claimed {
    pub(crate) delivery: Delivery,
    pub(crate) holding: Holding,
    /// Deadline at which the call is cut.
    pub(crate) cut_at: Timestamp,
    /// Expiry of the sent lease: a provider may go on for a while after the cut.
    pub(crate) lease_until: Timestamp,
}

impl Intake {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            waiting: BTreeMap::new(),
            claims: FuturesUnordered::new(),
        }
    }

    /// Returns the number of records with unanswered claims: each will need a slot.
    pub(crate) fn len(&self) -> usize {
        self.claims.len() + self.waiting.values().map(VecDeque::len).sum::<usize>()
    }

    /// Takes one record: claims it, or queues it behind the claims of its partition.
    pub(crate) fn take(&mut self, record: Record, at: Position) {
        match self.waiting.get_mut(&at.partition) {
            Some(waiting) => waiting.push_back((record, at)),
            None => {
                self.waiting.insert(at.partition.clone(), VecDeque::new());
                self.claims
                    .push(Box::pin(claim(self.context.clone(), record, at)));
            }
        }
    }

    /// Drops the waiting records of partitions that another worker reads now.
    pub(crate) fn forget(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.waiting
                .entry(partition.clone())
                .and_modify(VecDeque::clear);
        }
    }

    /// Drops all waiting records; the group delivers them again.
    pub(crate) fn close(&mut self) {
        self.waiting.values_mut().for_each(VecDeque::clear);
    }

    /// Returns the next record with an answered claim, and claims the one after it.
    pub(crate) fn poll_taken(&mut self, context: &mut TaskContext<'_>) -> Poll<TakenRecord> {
        let Poll::Ready(Some(taken)) = self.claims.poll_next_unpin(context) else {
            return Poll::Pending;
        };
        match self
            .waiting
            .get_mut(&taken.at.partition)
            .and_then(VecDeque::pop_front)
        {
            Some((record, at)) => {
                self.claims
                    .push(Box::pin(claim(self.context.clone(), record, at)));
            }
            None => drop(self.waiting.remove(&taken.at.partition)),
        }
        Poll::Ready(taken)
    }
}

/// Claims the delivery that a record of [`DISPATCH`] names.
///
/// A retry after a lost reply has the same holder and is granted again; a doubled record has
/// another holder and is denied.
async fn claim(context: Arc<Context>, record: Record, at: Position) -> TakenRecord {
    let (notice, not_after) = match read(&record) {
        Ok(read) => read,
        Err(problem) => {
            set_aside(&context, &record, &problem).await;
            return TakenRecord { at, claimed: None };
        }
    };
    let clock = context.clock();
    let now = clock.now();
    if now >= not_after {
        tracing::debug!(task.attempt = %notice.attempt, "a dispatch came too late, the reconciler takes it back");
        return TakenRecord { at, claimed: None };
    }
    // The provider is not known before the claim is granted: the longest grace of all serves.
    let cut_at = now + context.settings.call_timeout;
    let claim = Claim {
        attempt: notice.attempt,
        epoch: notice.epoch,
        holder: Holder::new(format!("{}.{:032x}", context.boot, clock.random_u128())),
        deadline: cut_at + context.longest_grace(),
    };
    let delivery = retry::until_ok(clock, "claim a delivery", || {
        context.ports.attempts.claim(claim.clone())
    })
    .await;
    let claimed = delivery.map(|delivery| {
        let holding = Holding {
            attempt: claim.attempt,
            epoch: claim.epoch,
            holder: claim.holder.clone(),
        };
        Box::new(Claimed {
            delivery: *delivery,
            holding,
            cut_at,
            lease_until: claim.deadline,
        })
    });
    TakenRecord { at, claimed }
}

fn read(record: &Record) -> Result<(DispatchNotice, Timestamp), Unreadable> {
    let notice = record::read(record, DISPATCH)?;
    let header = "chorus-not-after-ms";
    let not_after = record
        .header(header)
        .and_then(|text| text.parse().ok())
        .ok_or(Unreadable::Header(header))?;
    Ok((notice, Timestamp(not_after)))
}

async fn set_aside(context: &Context, record: &Record, problem: &Unreadable) {
    tracing::error!(error = %problem, bus.record = %record.id, "a dispatch cannot be read, it goes to the dead letters");
    let dead = record::dead_letter(context.event_id(), record, problem);
    if let Err(error) = context.ports.bus.publish(vec![dead]).await {
        tracing::warn!(error = %error, "failed to publish a dead letter");
    }
}
