//! Members that leave while others come.

use super::*;

/// Members that follow each other.
const ROUNDS: u128 = 8;
const RECORDS: u128 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaving_member_commits_its_acknowledgements_while_others_come_and_go() {
    let Some(bus) = given("leaving", &[]).await else {
        return;
    };
    let topics = [Topic::TaskDone, Topic::ProjectCmd, Topic::Usage];
    let shifts = topics.map(|topic| tokio::spawn(take_turns(bus.clone(), topic)));
    let mut repeated = Vec::new();
    for shift in shifts {
        repeated.push(shift.await.expect("all records come"));
    }
    assert!(
        repeated.iter().all(BTreeSet::is_empty),
        "records {repeated:?} were acknowledged and came again"
    );
    done(&bus, &[]).await;
}

/// Lets one member after the other read a topic in a group with other topics; returns records that came twice.
async fn take_turns(bus: Kafka, topic: Topic) -> BTreeSet<u128> {
    let mut repeated = BTreeSet::new();
    for round in 0..ROUNDS {
        let numbers = round * RECORDS..(round + 1) * RECORDS;
        bus.publish(records(numbers.clone(), &topic))
            .await
            .expect("the bus takes records");
        let mut member = bus
            .subscribe(vec![topic.clone()], "orchestrator")
            .await
            .expect("the bus takes members");
        repeated.extend(read_all(&mut member, numbers).await);
        // The next member joins while this one is still leaving.
        drop(member);
    }
    repeated
}
