//! Events: from any gateway, in order, each once, from any position.

use std::net::SocketAddr;
use std::time::Duration;

use chorus_core::id::{AccountId, AttemptId, Epoch, EventId, ModelSlug, TaskId, Tenant};
use chorus_core::progress::Progress;
use chorus_core::project::{HistoryEvent, State};
use chorus_core::record;
use chorus_core::task_kind::TaskKind;
use chorus_core::time::Millis;
use chorus_gateway::Settings;
use http::StatusCode;

use super::fixture::{GatewayFixture, on_each_store};
use super::wire::Client;

/// Maximum wait, longer than any step takes on a slow machine.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Output of the future; panics instead of hanging.
#[expect(
    clippy::disallowed_methods,
    reason = "a deadline of a test with real sockets"
)]
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(TIMEOUT, future)
        .await
        .expect("it comes soon")
}

#[tokio::test]
async fn two_followers_at_two_gateways_get_every_event_once_and_in_order() {
    on_each_store("two followers", async |fixture| {
        let (one, other, key) = (
            fixture.gateway().await,
            fixture.gateway().await,
            fixture.key("home").await,
        );
        let id = fixture.project("home").await;
        let path = format!("/v1/projects/{id}/events");
        let mut first = Client::new(&one.base, &key).follow(&path).await;
        let mut second = Client::new(&other.base, &key).follow(&path).await;
        let mut happened = 0;
        for (count, published) in [(1, true), (250, true), (3, false), (1, false), (120, true)] {
            fixture.add_events(id, count, published).await;
            happened += count;
        }
        let deliverable = fixture.deliverable(&[]).await;
        fixture.done(id, deliverable).await;
        let expected: Vec<u64> = (1..=happened + 1).collect();
        for stream in [&mut first, &mut second] {
            assert_eq!(soon(stream.places(expected.len())).await, expected);
            let end = soon(stream.next()).await.expect("the end is sent");
            assert_eq!(
                (end.name.as_deref(), end.data.as_str()),
                (Some("end"), r#"{"state":"done"}"#)
            );
            assert_eq!(soon(stream.next()).await, None);
        }
        let ids: Vec<u64> = first
            .raw
            .lines()
            .filter_map(|line| line.strip_prefix("id: ")?.parse().ok())
            .collect();
        assert_eq!(
            ids, expected,
            "the id of an event is its place, and nothing else has one"
        );
        one.stop().await;
        other.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_client_goes_on_after_its_last_event_at_another_gateway() {
    on_each_store("going on", async |fixture| {
        let (one, key) = (fixture.gateway().await, fixture.key("home").await);
        let id = fixture.project("home").await;
        let path = format!("/v1/projects/{id}/events");
        fixture.add_events(id, 300, true).await;
        let mut stream = Client::new(&one.base, &key).follow(&path).await;
        let seen = soon(stream.places(137)).await;
        one.kill().await;
        let other = fixture.gateway().await;
        fixture.add_events(id, 5, true).await;
        let client = Client::new(&other.base, &key);
        let last = seen.last().expect("some were seen").to_string();
        let mut goes_on = client.with("last-event-id", &last).follow(&path).await;
        assert_eq!(
            soon(goes_on.places(168)).await,
            (138..=305).collect::<Vec<_>>()
        );
        let mut by_query = client.follow(&format!("{path}?after=304")).await;
        assert_eq!(soon(by_query.places(1)).await, [305]);
        let mut both = client
            .with("last-event-id", "302")
            .follow(&format!("{path}?after=10"))
            .await;
        assert_eq!(
            soon(both.places(3)).await,
            [303, 304, 305],
            "the later of the two counts"
        );
        fixture
            .decide(id, vec![HistoryEvent::Cancelled], true, |head| {
                head.state = State::Cancelled;
            })
            .await;
        let mut after_the_end = client.with("last-event-id", "306").follow(&path).await;
        let end = soon(after_the_end.next())
            .await
            .expect("the end is sent again");
        assert_eq!(
            (end.name.as_deref(), end.data.as_str()),
            (Some("end"), r#"{"state":"cancelled"}"#)
        );
        other.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_reads_nothing_for_long_loses_nothing() {
    let fixture = GatewayFixture::sqlite().await;
    let (gateway, key, id) = (
        fixture.gateway().await,
        fixture.key("home").await,
        fixture.project("home").await,
    );
    let mut slow = Client::new(&gateway.base, &key)
        .follow(&format!("/v1/projects/{id}/events"))
        .await;
    for _ in 0..10 {
        fixture.add_events(id, 500, true).await;
    }
    let deliverable = fixture.deliverable(&[]).await;
    fixture.done(id, deliverable).await;
    let mut quick = Client::new(&gateway.base, &key)
        .follow(&format!("/v1/projects/{id}/events"))
        .await;
    assert_eq!(soon(quick.places(5001)).await.len(), 5001);
    assert_eq!(
        soon(slow.places(5001)).await,
        (1..=5001).collect::<Vec<_>>()
    );
    gateway.stop().await;
}

#[tokio::test]
async fn progress_is_passed_on_without_an_id_and_silence_is_filled() {
    let fixture = GatewayFixture::sqlite().await;
    let (gateway, key, id) = (
        fixture.gateway().await,
        fixture.key("home").await,
        fixture.project("home").await,
    );
    let mut stream = Client::new(&gateway.base, &key)
        .follow(&format!("/v1/projects/{id}/events"))
        .await;
    let progress = Progress {
        project: id,
        task: TaskId::new(1),
        kind: TaskKind::Work,
        attempt: AttemptId::new(2),
        epoch: Epoch(0),
        number: 1,
        account: AccountId::new(3),
        model: ModelSlug::new("deepseek/deepseek-v4-pro"),
        text_chars: 40,
        reasoning_chars: 0,
        reasoning: String::new(),
        has_ended: false,
    };
    let clock = &fixture.ports.clock;
    let event = soon(async {
        loop {
            // The tail may start late, and progress may be lost.
            let record = record::progress(
                EventId::new(clock.random_u128()),
                &Tenant::new("home"),
                &progress,
            );
            fixture
                .ports
                .bus
                .publish(vec![record])
                .await
                .expect("the bus takes it");
            if let Some(event) = clock
                .deadline(clock.now() + Millis(200), stream.next())
                .await
            {
                return event.expect("the stream goes on");
            }
        }
    })
    .await;
    assert_eq!(event.name.as_deref(), Some("progress"));
    let published: serde_json::Value = serde_json::from_str(&event.data).expect("JSON");
    assert_eq!(published["progress"]["text_chars"], 40);
    assert!(!stream.raw.contains("id: "));
    soon(async {
        while !stream.raw.contains(": alive") {
            let _ = clock
                .deadline(clock.now() + Millis(400), stream.next())
                .await;
        }
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_gateway_that_stops_ends_its_streams_without_an_end_and_answers_what_runs() {
    let fixture = GatewayFixture::sqlite().await;
    let (gateway, key, id) = (
        fixture.gateway().await,
        fixture.key("home").await,
        fixture.project("home").await,
    );
    let mut stream = Client::new(&gateway.base, &key)
        .follow(&format!("/v1/projects/{id}/events"))
        .await;
    fixture.add_events(id, 2, true).await;
    assert_eq!(soon(stream.places(2)).await, [1, 2]);
    soon(gateway.stop()).await;
    assert_eq!(
        soon(stream.next()).await,
        None,
        "the stream is over, the project is not"
    );
}

#[tokio::test]
async fn no_more_streams_are_taken_than_there_is_room_for() {
    let fixture = GatewayFixture::sqlite().await;
    let settings = Settings {
        streams: 1,
        ..GatewayFixture::settings()
    };
    let gateway = fixture
        .gateway_with(settings, SocketAddr::from(([127, 0, 0, 1], 0)))
        .await;
    let (key, id) = (fixture.key("home").await, fixture.project("home").await);
    let (client, path) = (
        Client::new(&gateway.base, &key),
        format!("/v1/projects/{id}/events"),
    );
    let held = client.follow(&path).await;
    let refused = client.get(&path).await;
    assert_eq!(refused.refusal(), (503, "busy".to_owned(), String::new()));
    assert_eq!(refused.headers["retry-after"], "1");
    drop(held);
    soon(async {
        while client.send(http::Method::GET, &path, "").await.status() != StatusCode::OK {}
    })
    .await;
    gateway.stop().await;
}
