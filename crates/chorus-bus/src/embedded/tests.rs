//! The embedded bus against a model: no record is lost however members come, go and acknowledge.
//! Rules of every bus are in the contract suite of `chorus-simulation`.

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::id::{EventId, Pool};
use chorus_core::port::bus::{Incoming, Partition, Position};
use futures_util::FutureExt as _;
use proptest::prelude::*;

use super::*;

fn topic() -> Topic {
    Topic::TaskDispatch(Pool::new("claude"))
}

fn record(number: u128, key: &str) -> Record {
    Record {
        id: EventId::new(number),
        topic: topic(),
        key: key.into(),
        headers: Vec::new(),
        payload: bytes::Bytes::new(),
    }
}

fn now<T>(future: impl Future<Output = Result<T, BusError>>) -> T {
    future
        .now_or_never()
        .expect("the embedded bus never waits here")
        .expect("the embedded bus never fails")
}

fn member(bus: &Embedded) -> Box<dyn Subscription> {
    now(bus.subscribe(vec![topic()], "workers"))
}

fn next(subscription: &mut Box<dyn Subscription>) -> Option<Incoming> {
    subscription
        .next()
        .now_or_never()
        .map(|incoming| incoming.expect("the embedded bus never fails"))
}

fn records(subscription: &mut Box<dyn Subscription>) -> Vec<(u128, Position)> {
    std::iter::from_fn(|| next(subscription))
        .filter_map(|incoming| match incoming {
            Incoming::Record { record, at } => Some((record.id.number(), at)),
            Incoming::Assigned(_) | Incoming::Revoked(_) => None,
        })
        .collect()
}

/// One operation on the bus; members are named by their rank among the present ones.
#[derive(Debug, Clone)]
enum Operation {
    Publish(u8),
    Join,
    Leave(usize),
    Read(usize),
    AckOldest(usize),
    Pause(usize, bool),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => any::<u8>().prop_map(Operation::Publish),
        1 => Just(Operation::Join),
        1 => (0_usize..4).prop_map(Operation::Leave),
        4 => (0_usize..4).prop_map(Operation::Read),
        3 => (0_usize..4).prop_map(Operation::AckOldest),
        1 => ((0_usize..4), any::<bool>()).prop_map(|(who, paused)| Operation::Pause(who, paused)),
    ]
}

/// A member with the records that its owner read.
struct Seen {
    subscription: Box<dyn Subscription>,
    owned: BTreeSet<Partition>,
    unacked: Vec<(u128, Position)>,
}

impl Seen {
    fn read(&mut self) -> Option<u128> {
        match next(&mut self.subscription)? {
            Incoming::Record { record, at } => {
                assert!(
                    self.owned.contains(&at.partition),
                    "a record of a partition that was never assigned"
                );
                self.unacked.push((record.id.number(), at));
                Some(record.id.number())
            }
            Incoming::Assigned(partitions) => {
                self.owned.extend(partitions);
                None
            }
            Incoming::Revoked(partitions) => {
                self.unacked
                    .retain(|(_, at)| !partitions.contains(&at.partition));
                partitions.iter().for_each(|partition| {
                    assert!(
                        self.owned.remove(partition),
                        "revoked without having been assigned"
                    );
                });
                None
            }
        }
    }
}

fn check(operations: Vec<Operation>) {
    let bus = Embedded::new();
    let mut members: Vec<Seen> = Vec::new();
    let (mut published, mut acked) = (0_u128, BTreeSet::new());
    drop(member(&bus));
    for operation in operations {
        let there = members.len().max(1);
        match operation {
            Operation::Publish(key) => {
                published += 1;
                now(bus.publish(vec![record(published, &key.to_string())]));
            }
            Operation::Join => members.push(Seen {
                subscription: member(&bus),
                owned: BTreeSet::new(),
                unacked: Vec::new(),
            }),
            Operation::Leave(who) if !members.is_empty() => drop(members.remove(who % there)),
            Operation::Read(who) if !members.is_empty() => drop(members[who % there].read()),
            Operation::AckOldest(who) if !members.is_empty() => {
                let member = &mut members[who % there];
                if let Some((number, at)) =
                    (!member.unacked.is_empty()).then(|| member.unacked.remove(0))
                {
                    now(member.subscription.ack(&at));
                    acked.insert(number);
                }
            }
            Operation::Pause(who, paused) if !members.is_empty() => {
                now(members[who % there].subscription.pause(paused));
            }
            Operation::Leave(_)
            | Operation::Read(_)
            | Operation::AckOldest(_)
            | Operation::Pause(..) => {}
        }
    }
    drop(members);
    let mut last = member(&bus);
    let rest: BTreeSet<u128> = records(&mut last)
        .into_iter()
        .map(|(number, _)| number)
        .collect();
    let lost: Vec<u128> = (1..=published)
        .filter(|number| !rest.contains(number) && !acked.contains(number))
        .collect();
    assert!(
        lost.is_empty(),
        "records {lost:?} were neither acknowledged nor delivered again"
    );
    assert_eq!(bus.depth(&topic(), "workers"), rest.len() as u64);
}

proptest! {
    #[test]
    fn no_record_is_lost_while_members_come_and_go(operations in prop::collection::vec(operation(), 0..120)) {
        check(operations);
    }
}

#[test]
fn members_share_evenly_and_keep_what_they_have() {
    let bus = Embedded::new();
    let mut members: Vec<Box<dyn Subscription>> = Vec::new();
    let mut owned: Vec<BTreeSet<Partition>> = Vec::new();
    for _ in 0..5 {
        members.push(member(&bus));
        owned.push(BTreeSet::new());
        let mut moved = 0;
        for (member, owned) in members.iter_mut().zip(&mut owned) {
            while let Some(incoming) = next(member) {
                match incoming {
                    Incoming::Assigned(gained) => owned.extend(gained),
                    Incoming::Revoked(lost) => {
                        moved += lost.len();
                        owned.retain(|partition| !lost.contains(partition));
                    }
                    Incoming::Record { .. } => panic!("nothing was published"),
                }
            }
        }
        let sizes: Vec<usize> = owned.iter().map(BTreeSet::len).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 24);
        assert!(
            sizes.iter().max() <= sizes.iter().min().map(|least| least + 1).as_ref(),
            "uneven shares {sizes:?}"
        );
        assert!(moved <= 24 / members.len(), "{moved} partitions moved");
    }
}

#[test]
fn a_member_reads_in_the_order_of_publication_over_all_its_partitions() {
    let bus = Embedded::new();
    let mut member = member(&bus);
    now(bus.publish(
        (0..50)
            .map(|number| record(number, &format!("task {number}")))
            .collect(),
    ));
    let order: Vec<u128> = records(&mut member)
        .into_iter()
        .map(|(number, _)| number)
        .collect();
    assert_eq!(order, (0..50).collect::<Vec<_>>());
}

#[test]
fn acknowledged_records_leave_the_memory() {
    let bus = Embedded::new();
    let mut member = member(&bus);
    for number in 0..1_000 {
        now(bus.publish(vec![record(number, "one key")]));
        let (_, at) = records(&mut member).pop().expect("it was just published");
        now(member.ack(&at));
    }
    let kept: BTreeMap<Partition, u64> = lock(&bus.state).kept();
    assert_eq!(kept.values().sum::<u64>(), 0);
}

#[test]
fn a_waiting_member_is_woken_by_a_record() {
    let bus = Embedded::new();
    let mut member = member(&bus);
    assert!(matches!(next(&mut member), Some(Incoming::Assigned(_))));
    let mut waiting = member.next();
    let (waker, woken) = waker_with_flag();
    let mut context = std::task::Context::from_waker(&waker);
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    now(bus.publish(vec![record(1, "key")]));
    assert!(woken.load(std::sync::atomic::Ordering::SeqCst));
    assert!(waiting.as_mut().poll(&mut context).is_ready());
}

fn waker_with_flag() -> (std::task::Waker, Arc<std::sync::atomic::AtomicBool>) {
    struct Flag(Arc<std::sync::atomic::AtomicBool>);
    impl std::task::Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }
    let woken = Arc::new(std::sync::atomic::AtomicBool::new(false));
    (std::task::Waker::from(Arc::new(Flag(woken.clone()))), woken)
}
