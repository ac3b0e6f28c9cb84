//! Topics that are missing, late, or deleted and created again; a broker that does not answer.

use super::*;

fn pools() -> [Pool; 1] {
    [Pool::new("claude")]
}

/// Reads as services do until all of these records came: a subscription that ends with its topic is opened again.
async fn read_as_services_do(
    bus: &Kafka,
    member: &mut Box<dyn Subscription>,
    wanted: std::ops::Range<u128>,
) {
    let reading = async {
        let mut missing: BTreeSet<u128> = wanted.collect();
        while !missing.is_empty() {
            match member.next().await {
                Ok(Incoming::Record { record, at }) => {
                    missing.remove(&record.id.number());
                    member
                        .ack(&at)
                        .await
                        .expect("the bus takes acknowledgements");
                }
                Ok(Incoming::Assigned(_) | Incoming::Revoked(_)) => {}
                Err(_) => {
                    *member = bus
                        .subscribe(vec![dispatch()], "workers")
                        .await
                        .expect("the bus takes members");
                }
            }
        }
    };
    assert!(
        within(TIMEOUT, reading).await.is_some(),
        "a member never found the topics that were made again"
    );
}

fn dispatch() -> Topic {
    Topic::TaskDispatch(Pool::new("claude"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_start_over_when_all_topics_were_deleted_and_created_again() {
    let Some(bus) = given("loss", &pools()).await else {
        return;
    };
    let mut member = bus
        .subscribe(vec![dispatch()], "workers")
        .await
        .expect("the bus takes members");
    let mut tail = bus
        .tail(vec![dispatch()])
        .await
        .expect("the bus takes tails");
    bus.publish(records(0..200, &dispatch()))
        .await
        .expect("the bus takes records");
    read_all(&mut member, 0..200).await;
    read_all(&mut tail, 0..200).await;

    lose_everything(&bus, &pools(), &dispatch()).await;
    // A reader may see that its topic went away, or find the new one by itself if that was created soon.
    drop(tail);
    tail = bus
        .tail(vec![dispatch()])
        .await
        .expect("the bus takes tails");
    until("records are taken again", async || {
        bus.publish(records(1_000..1_100, &dispatch()))
            .await
            .is_ok()
    })
    .await;
    read_as_services_do(&bus, &mut member, 1_000..1_100).await;
    read_all(&mut tail, 1_000..1_100).await;

    drop(member);
    let mut successor = bus
        .subscribe(vec![dispatch()], "workers")
        .await
        .expect("the bus takes members");
    bus.publish(records(2_000..2_050, &dispatch()))
        .await
        .expect("the bus takes records");
    read_all(&mut successor, 2_000..2_050).await;
    drop((successor, tail));
    done(&bus, &pools()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_of_deleted_topics_has_no_offset_in_the_new_ones() {
    let Some(bus) = given("places", &pools()).await else {
        return;
    };
    let mut member = bus
        .subscribe(vec![dispatch()], "workers")
        .await
        .expect("the bus takes members");
    bus.publish(records(0..200, &dispatch()))
        .await
        .expect("the bus takes records");
    read_all(&mut member, 0..200).await;
    drop(member);
    assert!(bus.close(TIMEOUT).await, "the member did not leave");

    lose_everything(&bus, &pools(), &dispatch()).await;
    // As many as before and more: an old offset would lie in the middle of them.
    until("records are taken again", async || {
        bus.publish(records(1_000..1_400, &dispatch()))
            .await
            .is_ok()
    })
    .await;
    let mut late = bus
        .subscribe(vec![dispatch()], "workers")
        .await
        .expect("the bus takes members");
    read_all(&mut late, 1_000..1_400).await;
    drop(late);
    done(&bus, &pools()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_topic_is_an_error_and_not_waited_for() {
    let Some(bus) = given("unknown", &[]).await else {
        return;
    };
    assert!(bus.tail(vec![dispatch()]).await.is_err());
    let missing = bus
        .topics()
        .missing(&pools())
        .await
        .expect("the broker answers");
    assert_eq!(
        missing
            .iter()
            .map(|missing| (&missing.topic, missing.partitions))
            .collect::<Vec<_>>(),
        [(&dispatch(), 0)]
    );
    let refused = within(TIMEOUT, bus.publish(records(0..1, &dispatch()))).await;
    assert!(matches!(refused, Some(Err(_))), "{refused:?}");
    done(&bus, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_came_before_its_topic_reads_it_once_it_is_created() {
    let Some(bus) = given("early", &[]).await else {
        return;
    };
    let mut member = bus
        .subscribe(vec![dispatch()], "workers")
        .await
        .expect("the bus takes members");
    let nothing = within(Millis(200), member.next()).await;
    assert!(nothing.is_none(), "{nothing:?}");
    assert_eq!(
        bus.topics()
            .create(&pools())
            .await
            .expect("topics may be created"),
        [dispatch()]
    );
    assert_eq!(
        bus.topics()
            .create(&pools())
            .await
            .expect("making them twice is no error"),
        []
    );
    bus.publish(records(0..20, &dispatch()))
        .await
        .expect("the bus takes records");
    read_all(&mut member, 0..20).await;
    drop(member);
    done(&bus, &pools()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_broker_costs_a_bounded_wait() {
    let settings = Settings {
        answer_timeout: Millis(700),
        delivery_timeout: Millis(700),
        ..Settings::new("127.0.0.1:1")
    };
    let bus = Kafka::new(settings).expect("the settings are good");
    let asked = async {
        assert!(bus.topics().ping().await.is_err());
        assert!(bus.tail(vec![Topic::Event]).await.is_err());
        assert!(bus.dead_letters().list().await.is_err());
        assert!(bus.publish(records(0..1, &Topic::Event)).await.is_err());
        drop(
            bus.subscribe(vec![Topic::Event], "group")
                .await
                .expect("a member waits for its broker"),
        );
        bus.close(Millis(5_000)).await
    };
    assert_eq!(
        within(Millis(12_000), asked).await,
        Some(true),
        "a call waits for ever"
    );
}
