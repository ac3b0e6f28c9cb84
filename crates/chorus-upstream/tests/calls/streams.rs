//! Streamed replies, paced by the test.

use bytes::Bytes;
use chorus_core::failure::FailureClass;
use chorus_core::llm::StreamEvent;
use chorus_core::port::Upstream as _;
use chorus_core::port::upstream::{CallFailure, ResponseBody};
use chorus_core::time::Millis;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc::Sender;

use crate::server::Server;
use crate::{bounded, call_of, request, upstream_at};

type Chunks = Sender<Result<Bytes, std::io::Error>>;
type Events = BoxStream<'static, Result<StreamEvent, CallFailure>>;

const TEXT: &str =
    "data: {\"id\":\"r1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Once\"}}]}\n\n";

async fn feed(chunks: &Chunks, text: &str) {
    bounded(chunks.send(Ok(Bytes::copy_from_slice(text.as_bytes()))))
        .await
        .expect("the call reads");
}

async fn next(events: &mut Events) -> Option<Result<StreamEvent, CallFailure>> {
    bounded(events.next()).await
}

async fn next_text(events: &mut Events) -> String {
    loop {
        match next(events).await.expect("more").expect("a piece") {
            StreamEvent::Text { delta, .. } => return delta,
            StreamEvent::Start { .. } => {}
            other => panic!("{other:?} instead of text"),
        }
    }
}

/// A stream that has said "Once", its server's end, and the means to move its time.
async fn begun(
    provider: &str,
) -> (
    Events,
    Chunks,
    std::sync::Arc<crate::clock::HandClock>,
    Server,
) {
    let (server, chunks) = Server::paced("text/event-stream").await;
    let (upstream, clock) = upstream_at(&server.base_url);
    feed(&chunks, ": keep-alive\n\n\n").await;
    let body = bounded(upstream.send(call_of(provider, request(true))))
        .await
        .expect("an answer")
        .body;
    let ResponseBody::Stream(mut events) = body else {
        panic!("a stream was asked for")
    };
    if provider != "sim-anthropic" {
        feed(&chunks, TEXT).await;
        assert_eq!(next_text(&mut events).await, "Once");
    }
    (events, chunks, clock, server)
}

/// The failure that ends the stream, and that nothing follows it.
async fn failure(mut events: Events) -> CallFailure {
    loop {
        match next(&mut events).await.expect("a failure before the end") {
            Ok(StreamEvent::End) => panic!("it ended well"),
            Ok(_) => {}
            Err(failure) => {
                assert_eq!(next(&mut events).await, None, "nothing follows a failure");
                return failure;
            }
        }
    }
}

#[tokio::test]
async fn pieces_come_as_they_are_sent_between_keep_alives() {
    let (mut events, chunks, _clock, _server) = begun("sim-openai").await;
    feed(&chunks, ": keep-alive\n\n: keep-alive\n\n").await;
    feed(&chunks, &TEXT.replace("Once", " upon")[..20]).await;
    feed(&chunks, &TEXT.replace("Once", " upon")[20..]).await;
    assert_eq!(next_text(&mut events).await, " upon");
    feed(
        &chunks,
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
    )
    .await;
    assert!(matches!(
        next(&mut events).await,
        Some(Ok(StreamEvent::Finish(_)))
    ));
    assert_eq!(next(&mut events).await, Some(Ok(StreamEvent::End)));
    assert_eq!(next(&mut events).await, None);
}

#[tokio::test]
async fn a_stream_that_is_cut_or_closed_too_early_failed_in_the_middle() {
    for cut in [true, false] {
        let (events, chunks, _clock, _server) = begun("sim-openai").await;
        if cut {
            bounded(chunks.send(Err(std::io::Error::other("gone"))))
                .await
                .expect("the call reads");
        }
        drop(chunks);
        let failure = failure(events).await;
        assert_eq!(
            (failure.class, failure.kind.as_deref()),
            (FailureClass::MidStream, Some("cut_stream")),
            "cut: {cut}"
        );
    }
}

#[tokio::test]
async fn a_stream_that_never_ends_is_left_at_the_deadline() {
    let (events, chunks, clock, _server) = begun("sim-openai").await;
    feed(&chunks, ": keep-alive\n\n").await;
    clock.advance(Millis::from_secs(60));
    let failure = failure(events).await;
    assert_eq!(
        (failure.class, failure.kind.as_deref()),
        (FailureClass::Transient, Some("deadline"))
    );
    bounded(chunks.closed()).await;
}

#[tokio::test]
async fn dropping_the_stream_hangs_up() {
    let (events, chunks, _clock, _server) = begun("sim-openai").await;
    drop(events);
    bounded(chunks.closed()).await;
}

#[tokio::test]
async fn an_error_event_is_a_failure_with_the_providers_name() {
    let (events, chunks, _clock, _server) = begun("sim-anthropic").await;
    feed(&chunks, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n")
        .await;
    let failure = failure(events).await;
    assert_eq!(
        (
            failure.class,
            failure.kind.as_deref(),
            failure.message.as_str()
        ),
        (
            FailureClass::Overload,
            Some("overloaded_error"),
            "Overloaded"
        )
    );
}

#[tokio::test]
async fn a_stream_that_gave_up_is_an_overload_after_its_counts() {
    let (mut events, chunks, _clock, _server) = begun("sim-deepseek").await;
    feed(&chunks, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"insufficient_system_resource\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n").await;
    assert!(matches!(
        next(&mut events).await,
        Some(Ok(StreamEvent::Usage(_)))
    ));
    assert_eq!(failure(events).await.class, FailureClass::Overload);
}

#[tokio::test]
async fn an_unreadable_chunk_is_a_failure() {
    let (events, chunks, _clock, _server) = begun("sim-openai").await;
    feed(&chunks, "data: {not json\n\n").await;
    let failure = failure(events).await;
    assert_eq!(
        (failure.class, failure.kind.as_deref()),
        (FailureClass::MidStream, Some("unreadable_event"))
    );
}
