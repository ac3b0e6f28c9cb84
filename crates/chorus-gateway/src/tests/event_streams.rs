//! `GET …/events`: resumption, wake-ups, ends and failures of event streams.

use std::sync::Arc;

use axum::body::BodyDataStream;
use chorus_core::id::{AccountId, AttemptId, Epoch, EventId, ModelSlug, ProjectId, TaskId, Tenant};
use chorus_core::progress::Progress;
use chorus_core::project::{HistoryEvent, State};
use chorus_core::record;
use chorus_core::task_kind::TaskKind;
use chorus_core::time::Millis;
use futures_util::StreamExt as _;
use http::Method;

use super::failing_store::{DRIVER_TEXT, FailingStore};
use super::fixture::{Fixture, TestGateway, request};

const OPENING: &str = "retry: 1000\n\n";

/// A stream that is read chunk by chunk.
struct Chunks(BodyDataStream);

impl Chunks {
    async fn open(gateway: &TestGateway, path: &str, headers: &[(&str, &str)]) -> Self {
        let response = gateway.start(request(Method::GET, path, headers, "")).await;
        assert_eq!(response.status(), 200);
        let content_type = response.headers().get("content-type");
        assert_eq!(content_type.expect("a type"), "text/event-stream");
        let mut chunks = Self(response.into_body().into_data_stream());
        assert_eq!(chunks.next().await.as_deref(), Some(OPENING));
        chunks
    }

    /// The next chunk as text; `None` at the end of the stream.
    async fn next(&mut self) -> Option<String> {
        let chunk = self.0.next().await?.expect("a stream never fails midway");
        Some(String::from_utf8(chunk.to_vec()).expect("events are text"))
    }

    /// All chunks up to the end.
    async fn rest(mut self) -> String {
        let mut text = String::new();
        while let Some(chunk) = self.next().await {
            text.push_str(&chunk);
        }
        text
    }
}

fn ids(text: &str) -> Vec<u64> {
    text.lines()
        .filter_map(|line| line.strip_prefix("id: "))
        .map(|id| id.parse().expect("a number"))
        .collect()
}

fn clarified(number: usize) -> HistoryEvent {
    HistoryEvent::Clarified {
        assumptions: vec![format!("assumption {number}")],
    }
}

/// Lets all tasks run until each waits. Time does not pass meanwhile.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

async fn events_path(fixture: &Fixture, count: usize) -> (ProjectId, String) {
    let id = fixture.project("home").await;
    let events = (0..count).map(clarified).collect();
    fixture.decide(id, events, vec![], |_| {}).await;
    (id, format!("/v1/projects/{id}/events"))
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_an_ended_project_is_whole_and_ends() {
    let fixture = Fixture::open();
    let (id, path) = events_path(&fixture, 250).await;
    let deliverable = fixture.deliverable(&[]).await;
    fixture.finish(id, deliverable).await;
    let gateway = fixture.gateway();
    let all = Chunks::open(&gateway, &path, &[]).await.rest().await;
    assert_eq!(ids(&all), (1..=251).collect::<Vec<u64>>());
    assert!(all.ends_with("event: end\ndata: {\"state\":\"done\"}\n\n"));
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_after_the_newest_event_that_the_client_has() {
    let fixture = Fixture::open();
    let (id, path) = events_path(&fixture, 5).await;
    fixture
        .decide(id, vec![HistoryEvent::Cancelled], vec![], |head| {
            head.state = State::Cancelled;
        })
        .await;
    let gateway = fixture.gateway();
    type Headers = &'static [(&'static str, &'static str)];
    let cases: [(&str, Headers, Vec<u64>); 6] = [
        ("", &[], vec![1, 2, 3, 4, 5, 6]),
        ("?after=4", &[], vec![5, 6]),
        ("", &[("last-event-id", "5")], vec![6]),
        ("?after=2", &[("last-event-id", "4")], vec![5, 6]),
        ("?after=4", &[("last-event-id", "2")], vec![5, 6]),
        ("?after=99", &[], vec![]),
    ];
    for (query, headers, expected) in cases {
        let chunks = Chunks::open(&gateway, &format!("{path}{query}"), headers).await;
        let text = chunks.rest().await;
        assert_eq!(ids(&text), expected, "{query} {headers:?}");
        assert!(
            text.ends_with("data: {\"state\":\"cancelled\"}\n\n"),
            "{text}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_none_is_refused() {
    let fixture = Fixture::open();
    let (_, path) = events_path(&fixture, 1).await;
    let gateway = fixture.gateway();
    for id in ["x", "-1", "1.5", "99999999999999999999"] {
        let headers = [("last-event-id", id)];
        let error = gateway
            .get_with(&path, &headers)
            .await
            .expect_error(422, "invalid_field");
        assert_eq!(error["field"], "Last-Event-ID");
    }
    for (query, field) in [
        ("after=x", "after"),
        ("after=-1", "after"),
        ("since=1", "since"),
    ] {
        let reply = gateway.get(&format!("{path}?{query}")).await;
        let error = reply.expect_error(422, "invalid_field");
        assert_eq!(error["field"], field);
    }
}

#[tokio::test(start_paused = true)]
async fn new_events_wake_a_stream_and_the_end_closes_it() {
    let fixture = Fixture::open();
    let (id, path) = events_path(&fixture, 1).await;
    let gateway = fixture.gateway();
    let mut chunks = Chunks::open(&gateway, &path, &[]).await;
    let first = chunks.next().await.expect("a page");
    assert_eq!(ids(&first), [1]);
    let waiting = tokio::spawn(async move {
        let chunk = chunks.next().await;
        (chunks, chunk)
    });
    settle().await;
    let before = fixture.ports.clock.now();
    fixture
        .decide(id, vec![clarified(2), clarified(3)], vec![], |_| {})
        .await;
    let (chunks, second) = waiting.await.expect("no panic");
    assert_eq!(ids(&second.expect("a page")), [2, 3]);
    let waited = fixture.ports.clock.now().since(before);
    assert_eq!(waited, Millis::ZERO, "the bus woke it, not the poll");
    let deliverable = fixture.deliverable(&[]).await;
    fixture.finish(id, deliverable).await;
    let rest = chunks.rest().await;
    assert_eq!(ids(&rest), [4]);
    assert!(rest.contains("event: end"));
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_sends_comments() {
    let fixture = Fixture::open();
    let (_, path) = events_path(&fixture, 0).await;
    let gateway = fixture.gateway();
    let mut chunks = Chunks::open(&gateway, &path, &[]).await;
    let began = fixture.ports.clock.now();
    for round in 1..=3 {
        assert_eq!(chunks.next().await.as_deref(), Some(": alive\n\n"));
        let passed = fixture.ports.clock.now().since(began);
        assert_eq!(passed, Millis::from_secs(10 * round));
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_stops_ends_its_streams() {
    let fixture = Fixture::open();
    let (_, path) = events_path(&fixture, 1).await;
    let gateway = fixture.gateway();
    let mut chunks = Chunks::open(&gateway, &path, &[]).await;
    assert_eq!(ids(&chunks.next().await.expect("a page")), [1]);
    gateway.stop();
    assert_eq!(chunks.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn streams_beyond_the_bound_are_refused_until_one_ends() {
    let mut fixture = Fixture::open();
    fixture.settings.streams = 1;
    let (_, path) = events_path(&fixture, 1).await;
    let gateway = fixture.gateway();
    let only = Chunks::open(&gateway, &path, &[]).await;
    let reply = gateway.get(&path).await;
    reply.expect_error(503, "busy");
    assert_eq!(reply.header("retry-after"), Some("1"));
    drop(only);
    Chunks::open(&gateway, &path, &[]).await;
}

#[tokio::test(start_paused = true)]
async fn progress_names_the_account_for_keys_that_may_read_accounts() {
    let fixture = Fixture::new();
    let (id, path) = events_path(&fixture, 1).await;
    fixture.account(AccountId::new(9), "ana@example.com").await;
    let gateway = fixture.gateway();
    for (scopes, name) in [
        ("projects:read", None),
        ("projects:read accounts:read", Some("ana@example.com")),
    ] {
        let (_, key) = fixture.key("home", scopes, None).await;
        let headers = [("x-api-key", key.as_str())];
        let mut chunks = Chunks::open(&gateway, &path, &headers).await;
        assert_eq!(ids(&chunks.next().await.expect("a page")), [1]);
        settle().await;
        let record = EventId::new(fixture.ports.clock.random_u128());
        let record = record::progress(record, &Tenant::new("home"), &progress(id));
        let published = fixture.ports.bus.publish(vec![record]).await;
        published.expect("the bus takes it");
        let chunk = chunks.next().await.expect("progress");
        let data = chunk
            .strip_prefix("event: progress\ndata: ")
            .expect("a progress event");
        let data: serde_json::Value = serde_json::from_str(data.trim()).expect("JSON");
        assert_eq!(data["progress"]["text_chars"], 42);
        let found = data.get("account_name").and_then(|name| name.as_str());
        assert_eq!(found, name, "{scopes}");
    }
}

fn progress(project: ProjectId) -> Progress {
    Progress {
        project,
        task: TaskId::new(1),
        kind: TaskKind::Work,
        attempt: AttemptId::new(1),
        epoch: Epoch(1),
        number: 1,
        account: AccountId::new(9),
        model: ModelSlug::new("local/model"),
        text_chars: 42,
        reasoning_chars: 0,
        reasoning: String::new(),
        has_ended: false,
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_outlives_an_outage_of_the_store_but_not_its_end() {
    for (store, ends) in [
        (FailingStore::Unavailable, false),
        (FailingStore::Broken, true),
    ] {
        let mut fixture = Fixture::open();
        let (_, path) = events_path(&fixture, 1).await;
        let healthy = Arc::clone(&fixture.ports.projects);
        fixture.ports.projects = Arc::new(super::failing_store::FailingEvents { healthy, store });
        let gateway = fixture.gateway();
        let mut chunks = Chunks::open(&gateway, &path, &[]).await;
        let next = chunks.next().await.expect("a chunk");
        assert!(!next.contains(DRIVER_TEXT));
        if ends {
            assert_eq!(next, "event: error\ndata: {\"code\":\"store_broken\"}\n\n");
            assert_eq!(chunks.next().await, None);
        } else {
            assert_eq!(next, ": alive\n\n");
        }
    }
}
