//! Contract of [`Bus`]: at-least-once delivery to one member of each group, order by key, tails
//! that receive everything.
//!
//! Each case uses a [`topic`] of its own, so that cases can run side by side on a bus that keeps
//! records.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use chorus_core::id::{EventId, Pool};
use chorus_core::port::bus::{Bus, Incoming, Partition, Position, Record, Subscription, Topic};
use chorus_core::port::clock::Clock;
use chorus_core::time::Millis;
use futures_util::future::BoxFuture;

/// Bus and clock of one case.
#[derive(Clone)]
pub struct BusContext {
    /// The bus that is tested.
    pub bus: Arc<dyn Bus>,
    /// Clock of the bus.
    pub clock: Arc<dyn Clock>,
    /// Time without a record after which no more records are expected.
    pub quiet: Millis,
    /// Name of the case, which selects its topic.
    pub case: &'static str,
}

/// A case; it panics if the contract is broken.
pub type Case = fn(BusContext) -> BoxFuture<'static, ()>;

macro_rules! cases {
    ($($name:ident,)*) => {
        /// All cases with their names.
        pub const CASES: &[(&str, Case)] = &[$((stringify!($name), |context| Box::pin($name(context))),)*];
    };
}

cases! {
    each_group_gets_each_record_once,
    records_of_one_key_stay_in_order,
    what_was_not_acknowledged_comes_again,
    what_was_acknowledged_does_not_come_again,
    an_acknowledgement_covers_what_came_before_in_its_partition,
    members_share_the_partitions,
    a_member_that_leaves_frees_its_partitions,
    an_acknowledgement_of_a_former_owner_does_not_count,
    a_tail_sees_every_record_from_now_on,
    a_paused_reader_gets_nothing_until_it_goes_on,
    a_cancelled_wait_loses_nothing,
    publishing_again_after_a_lost_reply_is_allowed,
    a_group_that_comes_later_gets_what_it_missed,
}

/// Topic of a case, for buses on which topics are created beforehand.
pub fn topic(case: &str) -> Topic {
    Topic::TaskDispatch(Pool::new(format!("contract-{}", case.replace('_', "-"))))
}

impl BusContext {
    fn topic(&self) -> Topic {
        topic(self.case)
    }

    fn record(&self, number: u128, key: &str) -> Record {
        let headers = vec![("chorus-schema".to_owned(), "contract/1".to_owned())];
        Record {
            id: EventId::new(number),
            topic: self.topic(),
            key: key.to_owned(),
            headers,
            payload: Bytes::from_static(b"{}"),
        }
    }

    async fn tail(&self) -> Reader {
        let subscription = self
            .bus
            .tail(vec![self.topic()])
            .await
            .expect("the bus takes tails");
        let mut tail = Reader {
            context: self.clone(),
            subscription,
            owned: BTreeSet::new(),
        };
        assert!(
            tail.records().await.is_empty(),
            "a tail begins with what is published after it"
        );
        tail
    }

    async fn publish(&self, numbers: std::ops::Range<u128>, key: impl Fn(u128) -> String) {
        let records = numbers
            .map(|number| self.record(number, &key(number)))
            .collect();
        self.bus
            .publish(records)
            .await
            .expect("the bus takes records");
    }

    /// Joins a group for which records may be waiting.
    async fn rejoin(&self, group: &str) -> Reader {
        // With a group shared by several cases, the start or end of one would rebalance the others.
        let group = format!("{}-{group}", self.topic());
        let subscription = self
            .bus
            .subscribe(vec![self.topic()], &group)
            .await
            .expect("the bus takes members");
        Reader {
            context: self.clone(),
            subscription,
            owned: BTreeSet::new(),
        }
    }

    /// Joins a group without waiting records and waits for the assignment of partitions.
    async fn join(&self, group: &str) -> Reader {
        let mut reader = self.rejoin(group).await;
        assert!(
            reader.records().await.is_empty(),
            "a record came before one was published"
        );
        reader
    }
}

/// A subscription with the partitions that are assigned to it.
struct Reader {
    context: BusContext,
    subscription: Box<dyn Subscription>,
    owned: BTreeSet<Partition>,
}

impl Reader {
    /// Returns the next record; `None` after [`BusContext::quiet`].
    async fn record(&mut self) -> Option<(Record, Position)> {
        loop {
            let until = self.context.clock.now() + self.context.quiet;
            let incoming = self
                .context
                .clock
                .deadline(until, self.subscription.next())
                .await?;
            match incoming.expect("the bus gives records") {
                Incoming::Record { record, at } => return Some((record, at)),
                Incoming::Assigned(partitions) => self.owned.extend(partitions),
                Incoming::Revoked(partitions) => self
                    .owned
                    .retain(|partition| !partitions.contains(partition)),
            }
        }
    }

    /// Returns all records until none comes.
    async fn records(&mut self) -> Vec<(Record, Position)> {
        let mut records = Vec::new();
        while let Some(record) = self.record().await {
            records.push(record);
        }
        records
    }

    /// Numbers of all records until none comes, in order of arrival.
    async fn numbers(&mut self) -> Vec<u128> {
        self.records()
            .await
            .iter()
            .map(|(record, _)| record.id.number())
            .collect()
    }

    async fn ack(&mut self, at: &Position) {
        self.subscription
            .ack(at)
            .await
            .expect("the bus takes acknowledgements");
    }

    async fn pause(&mut self, paused: bool) {
        self.subscription
            .pause(paused)
            .await
            .expect("the bus pauses");
    }
}

fn sorted(mut numbers: Vec<u128>) -> Vec<u128> {
    numbers.sort_unstable();
    numbers
}

fn all(numbers: std::ops::Range<u128>) -> Vec<u128> {
    numbers.collect()
}

async fn each_group_gets_each_record_once(context: BusContext) {
    let (mut one, mut other, mut apart) = (
        context.join("group").await,
        context.join("group").await,
        context.join("apart").await,
    );
    one.records().await;
    context
        .publish(0..40, |number| format!("key {number}"))
        .await;
    let both = [one.numbers().await, other.numbers().await].concat();
    assert_eq!(sorted(both), all(0..40));
    assert_eq!(sorted(apart.numbers().await), all(0..40));
}

async fn records_of_one_key_stay_in_order(context: BusContext) {
    let mut reader = context.join("group").await;
    context
        .publish(0..30, |number| format!("key {}", number % 3))
        .await;
    let records = reader.records().await;
    for key in 0..3 {
        let of_key = records
            .iter()
            .filter(|(record, _)| record.key == format!("key {key}"));
        let numbers: Vec<u128> = of_key.map(|(record, _)| record.id.number()).collect();
        assert_eq!(
            numbers,
            (0..10).map(|nth| nth * 3 + key).collect::<Vec<_>>()
        );
    }
    let (record, _) = &records[0];
    assert_eq!(
        *record,
        context.record(record.id.number(), &record.key),
        "a record arrives as it was published"
    );
}

async fn what_was_not_acknowledged_comes_again(context: BusContext) {
    let mut reader = context.join("group").await;
    context
        .publish(0..10, |number| format!("key {number}"))
        .await;
    assert_eq!(reader.numbers().await.len(), 10);
    drop(reader);
    let mut next = context.rejoin("group").await;
    assert_eq!(sorted(next.numbers().await), all(0..10));
}

async fn what_was_acknowledged_does_not_come_again(context: BusContext) {
    let mut reader = context.join("group").await;
    context
        .publish(0..10, |number| format!("key {number}"))
        .await;
    for (_, at) in reader.records().await {
        reader.ack(&at).await;
    }
    drop(reader);
    context.publish(10..11, |_| "key".to_owned()).await;
    let mut next = context.rejoin("group").await;
    assert_eq!(next.numbers().await, [10]);
}

async fn an_acknowledgement_covers_what_came_before_in_its_partition(context: BusContext) {
    let mut reader = context.join("group").await;
    context.publish(0..5, |_| "one key".to_owned()).await;
    let records = reader.records().await;
    reader.ack(&records[2].1).await;
    drop(reader);
    let mut next = context.rejoin("group").await;
    assert_eq!(next.numbers().await, [3, 4]);
}

async fn members_share_the_partitions(context: BusContext) {
    let mut one = context.join("group").await;
    assert_eq!(one.owned.len(), context.topic().partitions() as usize);
    let mut other = context.join("group").await;
    one.records().await;
    other.records().await;
    assert!(
        one.owned.is_disjoint(&other.owned),
        "two members own one partition"
    );
    assert_eq!(one.owned.len(), other.owned.len());
    assert_eq!(
        one.owned.len() + other.owned.len(),
        context.topic().partitions() as usize
    );
    context
        .publish(0..40, |number| format!("key {number}"))
        .await;
    for reader in [&mut one, &mut other] {
        let strays = reader
            .records()
            .await
            .into_iter()
            .filter(|(_, at)| !reader.owned.contains(&at.partition))
            .count();
        assert_eq!(
            strays, 0,
            "a record came from a partition of the other member"
        );
    }
}

async fn a_member_that_leaves_frees_its_partitions(context: BusContext) {
    let (mut stays, mut leaves) = (context.join("group").await, context.join("group").await);
    stays.records().await;
    context
        .publish(0..40, |number| format!("key {number}"))
        .await;
    let unfinished = leaves.numbers().await;
    assert!(!unfinished.is_empty());
    for (_, at) in stays.records().await {
        stays.ack(&at).await;
    }
    drop(leaves);
    assert_eq!(sorted(stays.numbers().await), sorted(unfinished));
    assert_eq!(stays.owned.len(), context.topic().partitions() as usize);
}

async fn an_acknowledgement_of_a_former_owner_does_not_count(context: BusContext) {
    let mut first = context.join("group").await;
    context
        .publish(0..40, |number| format!("key {number}"))
        .await;
    let records = first.records().await;
    let mut second = context.rejoin("group").await;
    let taken = sorted(second.numbers().await);
    assert!(
        !taken.is_empty(),
        "the second member owns no partition with records"
    );
    first.records().await;
    for (_, at) in records
        .iter()
        .filter(|(_, at)| !first.owned.contains(&at.partition))
    {
        // A bus may return an error for a late acknowledgement.
        drop(first.subscription.ack(at).await);
    }
    drop(second);
    let again = sorted(first.numbers().await);
    assert!(
        taken.iter().all(|number| again.contains(number)),
        "unfinished records {taken:?} came again as {again:?} only"
    );
}

async fn a_tail_sees_every_record_from_now_on(context: BusContext) {
    context
        .publish(0..5, |number| format!("key {number}"))
        .await;
    let mut tails = [context.tail().await, context.tail().await];
    context
        .publish(5..15, |number| format!("key {number}"))
        .await;
    for tail in &mut tails {
        assert_eq!(sorted(tail.numbers().await), all(5..15));
    }
}

async fn a_paused_reader_gets_nothing_until_it_goes_on(context: BusContext) {
    let (mut member, mut tail) = (context.join("group").await, context.tail().await);
    for reader in [&mut member, &mut tail] {
        reader.pause(true).await;
    }
    context
        .publish(0..5, |number| format!("key {number}"))
        .await;
    for reader in [&mut member, &mut tail] {
        assert!(
            reader.records().await.is_empty(),
            "a record came although the reader paused"
        );
        reader.pause(false).await;
        assert_eq!(sorted(reader.numbers().await), all(0..5));
    }
}

async fn a_cancelled_wait_loses_nothing(context: BusContext) {
    let mut reader = context.join("group").await;
    let mut numbers = Vec::new();
    for number in 0..10 {
        drop(futures_util::FutureExt::now_or_never(
            reader.subscription.next(),
        ));
        context
            .publish(number..number + 1, |_| "key".to_owned())
            .await;
        numbers.extend(reader.numbers().await);
    }
    assert_eq!(numbers, all(0..10));
}

async fn publishing_again_after_a_lost_reply_is_allowed(context: BusContext) {
    let mut reader = context.join("group").await;
    for _ in 0..2 {
        context.publish(0..3, |_| "key".to_owned()).await;
    }
    let ids: BTreeSet<u128> = reader.numbers().await.into_iter().collect();
    assert_eq!(ids, (0..3).collect(), "the same records, doubled or not");
}

async fn a_group_that_comes_later_gets_what_it_missed(context: BusContext) {
    context
        .publish(0..10, |number| format!("key {number}"))
        .await;
    let mut reader = context.rejoin("late").await;
    assert_eq!(sorted(reader.numbers().await), all(0..10));
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use chorus_bus::Embedded;
    use chorus_core::time::Timestamp;
    use futures_util::FutureExt;

    use super::*;
    use crate::clock::VirtualClock;
    use crate::executor::{Executor, Step};

    #[test]
    fn the_embedded_bus_keeps_the_contract() {
        for (case, run) in CASES {
            let mut executor = Executor::new(1, Timestamp(0));
            let clock = Arc::new(VirtualClock::new(executor.timeline(), 1, case));
            let context = BusContext {
                bus: Arc::new(Embedded::new()),
                clock,
                quiet: Millis(1_000),
                case,
            };
            let ended = Arc::new(AtomicBool::new(false));
            let flag = ended.clone();
            executor.spawn(
                case,
                Box::new(move |_| {
                    let (case, flag) = (run(context.clone()), flag.clone());
                    vec![Box::pin(
                        case.map(move |()| flag.store(true, Ordering::SeqCst)),
                    )]
                }),
            );
            while executor.step() != Step::Stuck {}
            assert!(ended.load(Ordering::SeqCst), "case {case} waits for ever");
        }
        crate::real::record_run("embedded", "contract of the bus", CASES.len());
    }
}
