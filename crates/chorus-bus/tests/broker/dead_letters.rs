//! Dead letters and lag, as an operator reads them.

use chorus_core::port::bus::partition_of;
use chorus_core::record::{Unreadable, dead_letter};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::*;

/// Publishes a message that follows none of our rules, to the partition of "key 1".
async fn poison(bus: &Kafka, topic: &Topic, headers: OwnedHeaders, key: &[u8]) {
    let stranger: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", &bus.settings().brokers)
        .create()
        .expect("the settings are good");
    let name = format!("{}.{topic}", bus.settings().namespace);
    let partition =
        i32::try_from(partition_of("key 1", topic.partitions())).expect("there are few");
    let record = FutureRecord::to(&name)
        .key(key)
        .payload(b"garbage")
        .headers(headers)
        .partition(partition);
    stranger
        .send(record, Duration::from_secs(10))
        .await
        .expect("the broker takes anything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_goes_to_the_dead_letters_and_the_group_continues() {
    let Some(bus) = given("poison", &[]).await else {
        return;
    };
    let topic = Topic::TaskDone;
    let id = |value: &'static str| {
        OwnedHeaders::new().insert(Header {
            key: "chorus-event-id",
            value: Some(value),
        })
    };
    bus.publish(records(1..2, &topic))
        .await
        .expect("the bus takes records");
    poison(&bus, &topic, OwnedHeaders::new(), b"a").await;
    poison(&bus, &topic, id("evt_nonsense"), b"b").await;
    poison(
        &bus,
        &topic,
        id("evt_00000000000000000000000000000007"),
        b"\xff",
    )
    .await;
    bus.publish(records(2..3, &topic))
        .await
        .expect("the bus takes records");
    let mut member = bus
        .subscribe(vec![topic.clone()], "orchestrator")
        .await
        .expect("the bus takes members");
    read_all(&mut member, 1..3).await;
    until("three letters", async || {
        bus.dead_letters()
            .list()
            .await
            .expect("the broker answers")
            .len()
            == 3
    })
    .await;
    let letters = bus.dead_letters().list().await.expect("the broker answers");
    let malformed = "header chorus-event-id is missing or malformed";
    let mut reasons: Vec<&str> = letters
        .iter()
        .map(|letter| letter.reason.as_str())
        .collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [malformed, malformed, "the key is missing or no text"]
    );
    assert!(
        letters
            .iter()
            .all(|letter| letter.origin == Some(Topic::TaskDone) && letter.bytes == 7),
        "{letters:?}"
    );
    until("the group has passed over all", async || {
        lag(&bus, "orchestrator", &topic).await == Some(0)
    })
    .await;
    drop(member);
    done(&bus, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_that_nothing_follows_is_set_aside_once() {
    let Some(bus) = given("alone", &[]).await else {
        return;
    };
    let topic = Topic::TaskDone;
    poison(&bus, &topic, OwnedHeaders::new(), b"a").await;
    let member = bus
        .subscribe(vec![topic.clone()], "orchestrator")
        .await
        .expect("the bus takes members");
    until("the group has passed over it", async || {
        lag(&bus, "orchestrator", &topic).await == Some(0)
    })
    .await;
    drop(member);
    assert_eq!(
        bus.dead_letters()
            .list()
            .await
            .expect("the broker answers")
            .len(),
        1
    );
    done(&bus, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_dead_letter_comes_as_the_original_record() {
    let Some(bus) = given("replay", &[]).await else {
        return;
    };
    let unread = record(77, Topic::ProjectCmd);
    let problem = Unreadable::Header("chorus-project");
    bus.publish(vec![dead_letter(EventId::new(5), &unread, &problem)])
        .await
        .expect("the bus takes records");
    let letters = bus.dead_letters().list().await.expect("the broker answers");
    let [letter] = letters.as_slice() else {
        panic!("one letter was written, there are {letters:?}")
    };
    assert_eq!(
        (letter.id, letter.key.as_str(), letter.replayed),
        (EventId::new(5), "key 77", false)
    );
    assert_eq!(letter.reason, problem.to_string());
    let mut tail = bus
        .tail(vec![Topic::ProjectCmd])
        .await
        .expect("the bus takes tails");
    bus.dead_letters()
        .replay(letter)
        .await
        .expect("it knows where it came from");
    let again = within(TIMEOUT, tail.next())
        .await
        .expect("it comes")
        .expect("the bus gives records");
    assert!(matches!(again, Incoming::Record { record, .. } if record == unread));
    let letters = bus.dead_letters().list().await.expect("the broker answers");
    assert!(
        matches!(letters.as_slice(), [letter] if letter.replayed),
        "{letters:?}"
    );
    drop(tail);
    done(&bus, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lag_is_what_a_group_has_not_acknowledged() {
    let Some(bus) = given("lag", &[]).await else {
        return;
    };
    let topic = Topic::Usage;
    bus.publish(records(0..30, &topic))
        .await
        .expect("the bus takes records");
    assert_eq!(lag(&bus, "billing", &topic).await, Some(30));
    let mut member = bus
        .subscribe(vec![topic.clone()], "billing")
        .await
        .expect("the bus takes members");
    read_all(&mut member, 0..30).await;
    until("everything is committed", async || {
        lag(&bus, "billing", &topic).await == Some(0)
    })
    .await;
    drop(member);
    done(&bus, &[]).await;
}
