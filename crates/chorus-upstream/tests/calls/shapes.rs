//! Bodies that are not what their status and headers announce: each is read as what it is, or named.

use std::io::Write as _;

use axum::body::Body as AxumBody;
use bytes::Bytes;
use chorus_core::failure::FailureClass;
use chorus_core::llm::{Assembler, FinishReason, Reply};
use chorus_core::port::Upstream as _;
use chorus_core::port::upstream::{CallFailure, ResponseBody};
use chorus_core::time::Millis;
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::clock::HandClock;
use crate::server::{Server, answer};
use crate::{bounded, call_of, request, send, upstream_at};

type Headers = &'static [(&'static str, &'static str)];

const SSE: Headers = &[("content-type", "text/event-stream")];
const JSON: Headers = &[("content-type", "application/json")];
const HTML: Headers = &[("content-type", "text/html")];
const GZIP: Headers = &[
    ("content-type", "text/event-stream"),
    ("content-encoding", "gzip"),
];

const BROTLI: Headers = &[
    ("content-type", "application/json"),
    ("content-encoding", "br"),
];
const COMPRESS: Headers = &[("content-encoding", "compress")];

const WHOLE: &str = r#"{"id":"r1","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Tides rise."},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3}}"#;
const EVENTS: &str = "data: {\"id\":\"r1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Tides \"}}]}\n\n\
    data: {\"id\":\"r1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"rise.\"}}]}\n\n\
    data: {\"id\":\"r1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
    data: [DONE]\n\n";
const PAGE: &str = "<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head></html>";

/// Makes one call and returns its whole reply, streamed or not.
async fn reply(provider: &str, server: &Server, stream: bool) -> Result<Reply, CallFailure> {
    match send(provider, server, request(stream)).await?.body {
        ResponseBody::Whole(reply) => Ok(*reply),
        ResponseBody::Stream(events) => {
            let mut assembler = Assembler::new();
            let events: Vec<_> = bounded(events.try_collect()).await?;
            events.into_iter().for_each(|event| assembler.push(event));
            assert!(assembler.ended(), "neither an end nor a failure");
            Ok(assembler.finish())
        }
        ResponseBody::Verbatim { .. } => panic!("the call was canonical"),
    }
}

/// Demands the whole text, for a streamed call and for one that is not.
async fn check_whole(headers: Headers, body: impl Into<Bytes>) {
    let body = body.into();
    for stream in [true, false] {
        let server = Server::fixed(200, headers, body.clone()).await;
        let shown = String::from_utf8_lossy(&body).into_owned();
        let reply = reply("sim-openai", &server, stream).await;
        let reply = reply.unwrap_or_else(|failure| panic!("{failure} for {shown}"));
        assert_eq!(reply.text(), "Tides rise.", "streamed: {stream}, {shown}");
        assert_eq!(reply.finish, Some(FinishReason::Stop), "{shown}");
    }
}

/// Demands a failure of this class, with a part of its kind and message.
async fn check_failure(
    (status, headers): (u16, Headers),
    body: impl Into<Bytes>,
    (class, kind, part): (FailureClass, &str, &str),
) -> CallFailure {
    let body = body.into();
    let mut failures = Vec::new();
    for stream in [true, false] {
        let server = Server::fixed(status, headers, body.clone()).await;
        let failure = reply("sim-openai", &server, stream).await;
        let failure = failure.expect_err("a failure");
        assert_eq!(failure.class, class, "streamed: {stream}, {failure}");
        assert_eq!(failure.kind.as_deref(), Some(kind), "{failure}");
        assert!(failure.message.contains(part), "{failure}");
        failures.push(failure);
    }
    failures.remove(0)
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

#[tokio::test]
async fn a_completion_is_read_whatever_its_headers_announce() {
    for headers in [SSE, JSON, HTML, &[]] {
        check_whole(headers, WHOLE).await;
        check_whole(headers, EVENTS).await;
    }
    check_whole(SSE, format!("{WHOLE}data: [DONE]\n\n")).await;
    check_whole(SSE, format!("{WHOLE}\n\ndata: [DONE]\n\n")).await;
    check_whole(JSON, format!("\u{feff}\n\n {WHOLE}")).await;
    check_whole(SSE, format!("data: {WHOLE}\n\ndata: [DONE]\n\n")).await;
    check_whole(JSON, format!("[{WHOLE}]")).await;
}

#[tokio::test]
async fn chunks_without_the_form_of_events_are_read() {
    let chunks: Vec<&str> = EVENTS
        .lines()
        .filter_map(|line| line.strip_prefix("data: ").filter(|data| *data != "[DONE]"))
        .collect();
    check_whole(JSON, chunks.join("\n")).await;
    check_whole(JSON, format!("[{}]", chunks.join(","))).await;
}

#[tokio::test]
async fn a_reply_that_comes_compressed_unasked_is_read() {
    check_whole(GZIP, gzip(EVENTS)).await;
    check_whole(SSE, gzip(EVENTS)).await;
    check_whole(GZIP, gzip(WHOLE)).await;
    check_whole(GZIP, EVENTS).await;
    let zstd = zstd::stream::encode_all(EVENTS.as_bytes(), 3).expect("memory");
    check_whole(SSE, zstd).await;
    let mut brotli = Vec::new();
    let mut encoder = brotli::CompressorWriter::new(&mut brotli, 4096, 5, 22);
    encoder.write_all(WHOLE.as_bytes()).expect("memory");
    drop(encoder);
    check_whole(BROTLI, brotli).await;
    check_whole(BROTLI, EVENTS).await;
    let compress: &[u8] = b"\x1f\x9d\x90\x00";
    let named = (FailureClass::MidStream, "compressed_reply", "compress");
    check_failure((200, COMPRESS), compress, named).await;
    let damaged: &[u8] = b"\x28\xb5\x2f\xfd\x04\x00\xff\xff\xff\xff";
    let named = (FailureClass::MidStream, "compressed_reply", "damaged");
    check_failure((200, SSE), damaged, named).await;
    let limited = gzip(r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#);
    let class = (FailureClass::RateWindow, "rate_limit_exceeded", "slow down");
    check_failure((429, GZIP), limited, class).await;
}

#[tokio::test]
async fn a_web_page_is_named_and_its_status_decides() {
    for (status, class) in [
        (200, FailureClass::Transient),
        (403, FailureClass::Forbidden),
        (404, FailureClass::Forbidden),
        (502, FailureClass::Transient),
        (503, FailureClass::Overload),
        (429, FailureClass::RateWindow),
    ] {
        let expected = (class, "web_page", "Welcome to nginx!");
        let failure = check_failure((status, HTML), PAGE, expected).await;
        assert_eq!(failure.status, Some(status));
        assert_eq!(failure.message.contains("base_url"), status == 200);
    }
    let portal = "<html><title>401 Unauthorized</title></html>";
    let unproven = (FailureClass::Transient, "web_page", "Unauthorized");
    check_failure((200, SSE), portal, unproven).await;
}

#[tokio::test]
async fn an_error_in_a_reply_with_200_has_the_class_of_the_table() {
    use FailureClass::{Auth, Overload, QuotaDay, RateWindow, Request, Spend, Transient};
    for (body, class, kind) in [
        (r#"{"code":429,"msg":"too many"}"#, RateWindow, "429"),
        (
            r#"{"error":{"type":"insufficient_quota","message":"m"}}"#,
            Spend,
            "insufficient_quota",
        ),
        (
            r#"{"error":{"code":"invalid_api_key","message":"m"}}"#,
            Auth,
            "invalid_api_key",
        ),
        (
            r#"{"error":{"type":"overloaded_error","message":"m"}}"#,
            Overload,
            "overloaded_error",
        ),
        (
            r#"{"error":{"code":"rate_limit_exceeded","message":"requests per day (RPD)"}}"#,
            QuotaDay,
            "rate_limit_exceeded",
        ),
        (
            r#"{"error":{"type":"invalid_request_error","message":"m"}}"#,
            Request,
            "invalid_request_error",
        ),
        (
            r#"{"choices":[{"error":{"code":503,"message":"m"},"message":{"content":"Ti"},"finish_reason":"error"}]}"#,
            Overload,
            "503",
        ),
        (r#"{"code":1234,"message":"m"}"#, Transient, "1234"),
    ] {
        check_failure((200, JSON), body, (class, kind, "")).await;
        check_failure((200, SSE), body, (class, kind, "")).await;
    }
    let server = Server::fixed(200, JSON, r#"{"error":""}"#).await;
    let failure = reply("sim-openai", &server, true)
        .await
        .expect_err("an error");
    assert_eq!(failure.message, "an error without any text");
}

#[tokio::test]
async fn an_error_event_has_the_class_of_the_table_before_and_after_text() {
    let events = [
        (
            r#"{"error":{"type":"insufficient_quota","code":"insufficient_quota","message":"m"}}"#,
            FailureClass::Spend,
        ),
        (
            r#"{"error":{"code":429,"message":"try again in 1m26.4s"}}"#,
            FailureClass::RateWindow,
        ),
        (
            r#"{"error":{"message":"invalid api key","code":"invalid_api_key"}}"#,
            FailureClass::Auth,
        ),
        (
            r#"{"error":{"message":"m","type":"never_seen"}}"#,
            FailureClass::MidStream,
        ),
        (r#"{"error":""}"#, FailureClass::MidStream),
    ];
    let text = EVENTS.split_inclusive("\n\n").next().expect("a chunk");
    for (error, class) in events {
        for before in ["", text, ": keep-alive\n\n"] {
            for form in [format!("data: {error}\n\n"), format!("{error}\n")] {
                if before.is_empty() && form.starts_with('{') {
                    continue;
                }
                let server = Server::fixed(200, SSE, format!("{before}{form}")).await;
                let failure = reply("sim-openai", &server, true).await;
                let failure = failure.expect_err("an error");
                assert_eq!(failure.class, class, "{before}{form}: {failure}");
                let wait = error.contains("26.4s").then_some(Millis(86_400));
                assert_eq!(failure.retry_after, wait, "{error}");
            }
        }
    }
}

#[tokio::test]
async fn what_was_seen_of_an_unfinished_reply_is_named() {
    use FailureClass::{MidStream, Transient};
    let half = &WHOLE[..WHOLE.len() / 2];
    let cut = (MidStream, "cut_reply", "after");
    check_failure((200, JSON), half, cut).await;
    check_failure((200, SSE), half, cut).await;
    let nothing = (MidStream, "empty_reply", "sent nothing");
    check_failure((200, SSE), "", nothing).await;
    check_failure((200, SSE), "\n\n \n", nothing).await;
    let prose = (Transient, "unreadable_reply", "backend is asleep");
    check_failure((200, SSE), "The backend is asleep.", prose).await;
    let server = Server::fixed(200, SSE, ": keep-alive\n\n: keep-alive\n\n").await;
    let failure = reply("sim-openai", &server, true).await.expect_err("none");
    assert_eq!(failure.kind.as_deref(), Some("empty_reply"), "{failure}");
    let spoiled = EVENTS.replacen("rise.\"}}]}", "ri", 1);
    let server = Server::fixed(200, SSE, spoiled).await;
    let failure = reply("sim-openai", &server, true).await.expect_err("none");
    assert_eq!(failure.class, MidStream);
    assert_eq!(failure.kind.as_deref(), Some("unreadable_event"));
    assert!(failure.message.contains("bytes"), "{failure}");
    assert!(!failure.message.contains("Tides"), "{failure}");
    let server = Server::fixed(200, SSE, "data: Internal Server Error\n\n").await;
    let failure = reply("sim-openai", &server, true).await.expect_err("none");
    assert_eq!(failure.class, Transient);
    assert!(
        failure.message.contains("Internal Server Error"),
        "{failure}"
    );
}

/// Sends this body, breaks the connection once a part of it is read, and returns what was read.
async fn broken(provider: &str, body: &'static str) -> Result<Reply, CallFailure> {
    let (server, chunks) = Server::paced("text/event-stream").await;
    let (upstream, _clock) = upstream_at(&server.base_url);
    let bytes = Bytes::from_static(body.as_bytes());
    bounded(chunks.send(Ok(bytes))).await.expect("it is read");
    let sent = bounded(upstream.send(call_of(provider, request(true)))).await;
    let ResponseBody::Stream(mut events) = sent?.body else {
        panic!("a stream was asked for")
    };
    let mut assembler = Assembler::new();
    assembler.push(bounded(events.next()).await.expect("a beginning")?);
    let gone = Err(std::io::Error::other("gone"));
    bounded(chunks.send(gone)).await.expect("it is read");
    let rest: Vec<_> = bounded(events.try_collect()).await?;
    rest.into_iter().for_each(|event| assembler.push(event));
    assert!(assembler.ended(), "neither an end nor a failure");
    Ok(assembler.finish())
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_reason_of_the_end_leaves_a_whole_reply() {
    const ANTHROPIC: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"c\"}}\n\n\
        event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"Tides rise.\"}}\n\n\
        event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":3}}\n\n\
        event: message_stop\ndata: {\"type\":\"mess";
    let found = broken("sim-anthropic", ANTHROPIC).await.expect("whole");
    assert_eq!(found.text(), "Tides rise.");
    assert_eq!(found.usage.map(|usage| usage.output), Some(3));
    let openai = EVENTS.split("data: [DONE]").next().expect("a part");
    let found = broken("sim-openai", openai).await.expect("whole");
    assert_eq!(found.text(), "Tides rise.");
    let before = EVENTS.split("data: {\"id\":\"r1\",\"choices\":[{\"index\":0,\"delta\":{},");
    let before = before.into_iter().next().expect("a part");
    let failure = broken("sim-openai", before).await.expect_err("cut");
    assert_eq!(failure.kind.as_deref(), Some("cut_stream"));
}

#[tokio::test]
async fn a_server_that_never_closes_after_the_reason_of_the_end_is_left() {
    let (server, chunks) = Server::paced("text/event-stream").await;
    let (upstream, clock) = upstream_at(&server.base_url);
    let openai = EVENTS.split("data: [DONE]").next().expect("a part");
    bounded(chunks.send(Ok(Bytes::from_static(openai.as_bytes()))))
        .await
        .expect("the call reads");
    let sent = bounded(upstream.send(call_of("sim-openai", request(true)))).await;
    let ResponseBody::Stream(mut events) = sent.expect("an answer").body else {
        panic!("a stream was asked for")
    };
    loop {
        let event = bounded(events.next()).await.expect("more");
        if matches!(event, Ok(chorus_core::llm::StreamEvent::Finish(_))) {
            break;
        }
    }
    clock.advance(Millis::from_secs(11));
    let end = bounded(events.next()).await.expect("an end");
    assert_eq!(end, Ok(chorus_core::llm::StreamEvent::End));
    bounded(chunks.closed()).await;
}

#[tokio::test]
async fn a_redirect_is_named_and_never_followed() {
    let target = Server::fixed(200, JSON, WHOLE).await;
    let location = format!("{}/chat/completions?token=hidden", target.base_url);
    let server = Server::new(move || {
        let mut response = answer(308, &[], AxumBody::empty());
        let value = location.parse().expect("a header value");
        response.headers_mut().insert("location", value);
        response
    })
    .await;
    for stream in [true, false] {
        let failure = reply("sim-openai", &server, stream).await;
        let failure = failure.expect_err("a redirect");
        assert_eq!(failure.kind.as_deref(), Some("redirect"));
        assert_eq!(failure.status, Some(308));
        assert!(failure.message.contains(&target.base_url), "{failure}");
        assert!(failure.message.contains("base_url"), "{failure}");
        assert!(!failure.message.contains("hidden"), "{failure}");
    }
    assert!(target.seen().is_empty(), "the key went to another server");
}

#[tokio::test]
async fn a_wait_is_read_wherever_it_stands() {
    let now = HandClock::START.0;
    let reset = now + 42_000;
    let bodies = [
        (
            r#"{"error":{"message":"Please try again in 1m26.4s."}}"#.to_owned(),
            86_400,
        ),
        (
            r#"{"error":{"message":"Please retry after 42 seconds."}}"#.to_owned(),
            42_000,
        ),
        (
            r#"{"error":{"message":"m","details":[{"retryDelay":"38.2s"}]}}"#.to_owned(),
            38_200,
        ),
        (
            format!(
                r#"{{"error":{{"message":"m","code":429,"metadata":{{"headers":{{"X-RateLimit-Reset":"{reset}"}}}}}}}}"#
            ),
            42_000,
        ),
        ("Too many requests, retry after 3".to_owned(), 3_000),
    ];
    for (body, wait) in bodies {
        let server = Server::fixed(429, &[], body.clone()).await;
        let failure = reply("sim-openai", &server, true).await;
        let failure = failure.expect_err("a refusal");
        assert_eq!(failure.retry_after, Some(Millis(wait)), "{body}");
    }
    const RESETS: Headers = &[
        ("x-ratelimit-remaining-tokens", "0"),
        ("x-ratelimit-reset-tokens", "7m54.3s"),
    ];
    let server = Server::fixed(429, RESETS, "{}").await;
    let failure = reply("sim-openai", &server, true).await;
    let failure = failure.expect_err("a refusal");
    assert_eq!(failure.retry_after, Some(Millis(474_300)));
    let server = Server::fixed(429, &[], "{}").await;
    let failure = reply("sim-openai", &server, true).await;
    assert_eq!(failure.expect_err("a refusal").retry_after, None);
}
