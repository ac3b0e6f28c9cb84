//! From records to claims. Claims of one partition follow each other, because acknowledging a record
//! acknowledges all before it; partitions do not wait for each other.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll};

use chorus_core::attempt::{Claim, Delivery, Holding};
use chorus_core::id::Holder;
use chorus_core::port::bus::{Partition, Position, Record};
use chorus_core::port::retry;
use chorus_core::record::{self, DISPATCH, DispatchNotice, Unreadable};
use chorus_core::time::Timestamp;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use crate::workshop::Workshop;

/// Records on their way to a delivery.
pub(crate) struct Intake {
    shop: Arc<Workshop>,
    /// Records that wait for the claim before them; a partition is here while one of its claims is under way.
    waiting: BTreeMap<Partition, VecDeque<(Record, Position)>>,
    claims: FuturesUnordered<BoxFuture<'static, Answered>>,
}

/// A claim that was answered, or a record that needs none.
pub(crate) struct Answered {
    /// Where its record stood.
    pub(crate) at: Position,
    /// The delivery, when the claim was granted.
    pub(crate) claimed: Option<Box<Claimed>>,
}

/// A delivery that is ours.
pub(crate) struct Claimed {
    pub(crate) delivery: Delivery,
    pub(crate) holding: Holding,
    /// When the call is cut.
    pub(crate) cut_at: Timestamp,
    /// Until when the lease lives: a provider may go on for a while after the cut.
    pub(crate) lease_until: Timestamp,
}

impl Intake {
    pub(crate) fn new(shop: Arc<Workshop>) -> Self {
        Self {
            shop,
            waiting: BTreeMap::new(),
            claims: FuturesUnordered::new(),
        }
    }

    /// Records taken in and not yet answered: each will need a slot.
    pub(crate) fn len(&self) -> usize {
        self.claims.len() + self.waiting.values().map(VecDeque::len).sum::<usize>()
    }

    /// Takes one record.
    pub(crate) fn take(&mut self, record: Record, at: Position) {
        match self.waiting.get_mut(&at.partition) {
            Some(waiting) => waiting.push_back((record, at)),
            None => {
                self.waiting.insert(at.partition.clone(), VecDeque::new());
                self.claims
                    .push(Box::pin(claim(self.shop.clone(), record, at)));
            }
        }
    }

    /// These partitions are somebody else's: records that wait will be given to them.
    pub(crate) fn forget(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.waiting
                .entry(partition.clone())
                .and_modify(VecDeque::clear);
        }
    }

    /// Nothing that waits is claimed any more.
    pub(crate) fn close(&mut self) {
        self.waiting.values_mut().for_each(VecDeque::clear);
    }

    /// The next answered claim; the record after it in its partition takes its place.
    pub(crate) fn poll_answered(&mut self, context: &mut Context<'_>) -> Poll<Answered> {
        let Poll::Ready(Some(answered)) = self.claims.poll_next_unpin(context) else {
            return Poll::Pending;
        };
        match self
            .waiting
            .get_mut(&answered.at.partition)
            .and_then(VecDeque::pop_front)
        {
            Some((record, at)) => self
                .claims
                .push(Box::pin(claim(self.shop.clone(), record, at))),
            None => drop(self.waiting.remove(&answered.at.partition)),
        }
        Poll::Ready(answered)
    }
}

/// Claims the delivery that a record names. A retry after a lost reply has the same holder and finds itself;
/// a doubled record has another and is denied.
async fn claim(shop: Arc<Workshop>, record: Record, at: Position) -> Answered {
    let (notice, not_after) = match read(&record) {
        Ok(read) => read,
        Err(problem) => {
            set_aside(&shop, &record, &problem).await;
            return Answered { at, claimed: None };
        }
    };
    let clock = shop.clock();
    let now = clock.now();
    if now >= not_after {
        tracing::debug!(task.attempt = %notice.attempt, "a dispatch came after its time, the reconciler takes it back");
        return Answered { at, claimed: None };
    }
    // Whose provider it is nobody knows before the claim is granted.
    let cut_at = now + shop.settings.call_timeout;
    let claim = Claim {
        attempt: notice.attempt,
        epoch: notice.epoch,
        holder: Holder::new(format!("{}.{:032x}", shop.boot, clock.random_u128())),
        deadline: cut_at + shop.longest_grace(),
    };
    let delivery = retry::until_ok(clock, "claim a delivery", || {
        shop.ports.attempts.claim(claim.clone())
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
    Answered { at, claimed }
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

async fn set_aside(shop: &Workshop, record: &Record, problem: &Unreadable) {
    tracing::error!(error = %problem, bus.record = %record.id, "a dispatch cannot be read, it goes to the dead letters");
    let letter = record::dead_letter(shop.event_id(), record, problem);
    if let Err(error) = shop.ports.bus.publish(vec![letter]).await {
        tracing::warn!(error = %error, "the dead letter was not taken");
    }
}
