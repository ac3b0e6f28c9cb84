//! Whole replies.

use axum::body::Body as AxumBody;
use bytes::Bytes;
use chorus_core::failure::FailureClass;
use chorus_core::limit::{Dimension, ObservedLevel};
use chorus_core::llm::{FinishReason, Reply, Usage};
use chorus_core::port::Upstream as _;
use chorus_core::port::upstream::{CallFailure, ResponseBody};
use chorus_core::time::{Millis, Timestamp};
use futures_util::StreamExt as _;

use crate::clock::HandClock;
use crate::server::{Server, answer};
use crate::{DEADLINE, SECRET, bounded, call_of, request, send, upstream_at};

const OPENAI: &str = r#"{"id":"r1","model":"gpt-sim","choices":[{"index":0,"message":{"role":"assistant","content":"Hi."},"finish_reason":"stop"}],
    "usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}"#;
const ANTHROPIC: &str = r#"{"id":"r1","type":"message","role":"assistant","model":"claude-sim","content":[{"type":"text","text":"Hi."}],
    "stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":9,"output_tokens":2}}"#;

async fn whole(provider: &str, server: &Server) -> Result<Reply, CallFailure> {
    match send(provider, server, request(false)).await?.body {
        ResponseBody::Whole(reply) => Ok(*reply),
        ResponseBody::Stream(_) | ResponseBody::Verbatim { .. } => {
            panic!("a whole reply was asked for")
        }
    }
}

#[tokio::test]
async fn each_dialect_is_spoken_with_its_headers() {
    for (provider, path, key, value, body) in [
        (
            "sim-openai",
            "/v1/chat/completions",
            "authorization",
            format!("Bearer {SECRET}"),
            OPENAI,
        ),
        (
            "sim-anthropic",
            "/v1/messages",
            "x-api-key",
            SECRET.to_owned(),
            ANTHROPIC,
        ),
    ] {
        let server = Server::fixed(200, &[("content-type", "application/json")], body).await;
        let reply = whole(provider, &server).await.expect("a reply");
        assert_eq!(
            (reply.text().as_str(), reply.finish),
            ("Hi.", Some(FinishReason::Stop))
        );
        assert_eq!(
            reply.usage,
            Some(Usage {
                input: 9,
                output: 2,
                ..Usage::default()
            })
        );
        let seen = &server.seen()[0];
        assert_eq!(
            (seen.path.as_str(), seen.headers[key].as_bytes()),
            (path, value.as_bytes())
        );
        assert_eq!(seen.headers["x-client-request-id"], "att_1.3");
        assert!(
            seen.headers["user-agent"]
                .to_str()
                .expect("text")
                .starts_with("chorus/")
        );
        let sent: serde_json::Value = serde_json::from_slice(&seen.body).expect("JSON");
        assert_eq!(sent["messages"][0]["content"], "Hello");
    }
}

#[tokio::test]
async fn levels_and_the_request_id_are_told_with_the_answer() {
    let headers = &[
        ("request-id", "req_1"),
        ("anthropic-ratelimit-requests-limit", "50"),
        ("anthropic-ratelimit-requests-remaining", "48"),
        ("anthropic-ratelimit-requests-reset", "2023-11-14T22:13:25Z"),
    ];
    let server = Server::fixed(200, headers, ANTHROPIC).await;
    let answer = send("sim-anthropic", &server, request(false))
        .await
        .expect("an answer");
    assert_eq!(
        (answer.request_id.as_deref(), answer.sent_at),
        (Some("req_1"), HandClock::START)
    );
    let full_at = Some(HandClock::START + Millis(5_000));
    let level = ObservedLevel {
        dimension: Dimension::Requests,
        limit: Some(50),
        remaining: Some(48),
        full_at,
        rounded_to: 1,
        window: Some(Millis(60_000)),
    };
    assert_eq!(answer.levels, vec![level]);
}

#[tokio::test]
async fn blank_lines_before_the_reply_keep_the_call_alive() {
    let (server, chunks) = Server::paced("application/json").await;
    let sending = async {
        for _ in 0..50 {
            chunks
                .send(Ok(Bytes::from_static(b"\n")))
                .await
                .expect("the call waits");
        }
        chunks
            .send(Ok(Bytes::from_static(OPENAI.as_bytes())))
            .await
            .expect("the call waits");
        drop(chunks);
    };
    let (reply, ()) = tokio::join!(whole("sim-deepseek", &server), sending);
    assert_eq!(reply.expect("a reply").text(), "Hi.");
}

#[tokio::test]
async fn a_server_that_never_answers_is_left_at_the_deadline() {
    let (server, chunks) = Server::paced("application/json").await;
    let (upstream, clock) = upstream_at(&server.base_url);
    let waiting = async {
        chunks
            .send(Ok(Bytes::from_static(b"\n")))
            .await
            .expect("the call waits");
        chunks
            .send(Ok(Bytes::from_static(b"\n")))
            .await
            .expect("the call waits");
        clock.advance(Millis::from_secs(60));
        chunks.closed().await;
    };
    let (result, ()) = bounded(async {
        tokio::join!(
            upstream.send(call_of("sim-openai", request(false))),
            waiting
        )
    })
    .await;
    let failure = result.expect_err("the deadline passed");
    assert_eq!(
        (failure.class, failure.kind.as_deref()),
        (FailureClass::Transient, Some("deadline"))
    );
    assert_eq!(failure.sent_at, Some(HandClock::START));
}

#[tokio::test]
async fn a_call_whose_deadline_is_past_never_leaves() {
    let server = Server::fixed(200, &[], OPENAI).await;
    let (upstream, clock) = upstream_at(&server.base_url);
    clock.advance(Millis::from_secs(61));
    let failure = bounded(upstream.send(call_of("sim-openai", request(false))))
        .await
        .expect_err("too late");
    assert_eq!(
        (failure.class, failure.kind.as_deref()),
        (FailureClass::Transient, Some("deadline"))
    );
    assert!(DEADLINE < Timestamp(HandClock::START.0 + 61_000));
}

#[tokio::test]
async fn a_reply_without_end_is_cut_at_its_largest_size() {
    let server = Server::new(|| {
        let megabyte = Bytes::from(vec![b' '; 1 << 20]);
        answer(
            200,
            &[("content-type", "application/json")],
            AxumBody::from_stream(futures_util::stream::repeat(Ok::<
                _,
                std::convert::Infallible,
            >(megabyte))),
        )
    })
    .await;
    let failure = whole("sim-openai", &server).await.expect_err("too large");
    assert_eq!(
        (failure.class, failure.kind.as_deref()),
        (FailureClass::MidStream, Some("cut_reply"))
    );
    assert!(failure.message.contains("64 MiB"), "{failure}");
}

#[tokio::test]
async fn a_reply_that_gave_up_is_an_overload() {
    let server = Server::fixed(
        200,
        &[],
        OPENAI.replace("\"stop\"", "\"insufficient_system_resource\""),
    )
    .await;
    assert_eq!(
        whole("sim-deepseek", &server)
            .await
            .expect_err("no reply")
            .class,
        FailureClass::Overload
    );
}

#[tokio::test]
async fn an_error_under_status_200_is_an_error() {
    for (body, class, kind) in [
        (
            r#"{"error":{"message":"slow","code":429}}"#,
            FailureClass::RateWindow,
            Some("429"),
        ),
        (
            r#"{"error":{"message":"no","type":"overloaded_error"}}"#,
            FailureClass::Overload,
            Some("overloaded_error"),
        ),
        (
            "<html>login</html>",
            FailureClass::Transient,
            Some("web_page"),
        ),
        (
            r#"{"choices":[]}"#,
            FailureClass::Transient,
            Some("unreadable_reply"),
        ),
        ("", FailureClass::MidStream, Some("empty_reply")),
    ] {
        let server = Server::fixed(200, &[], body).await;
        let failure = whole("sim-openai", &server).await.expect_err("an error");
        assert_eq!(
            (failure.class, failure.kind.as_deref()),
            (class, kind),
            "{body}"
        );
    }
}

#[tokio::test]
async fn connections_are_kept_and_used_again() {
    let server = Server::fixed(200, &[], OPENAI).await;
    let (upstream, _clock) = upstream_at(&server.base_url);
    for _ in 0..3 {
        bounded(upstream.send(call_of("sim-openai", request(false))))
            .await
            .expect("an answer");
    }
    let peers: Vec<_> = server.seen().iter().map(|seen| seen.peer).collect();
    assert_eq!((peers.len(), peers[0], peers[1]), (3, peers[1], peers[2]));
}

#[tokio::test]
async fn a_server_that_ignores_the_wish_for_pieces_is_understood() {
    let server = Server::fixed(200, &[("content-type", "application/json")], OPENAI).await;
    let ResponseBody::Stream(stream) = send("sim-openai", &server, request(true))
        .await
        .expect("an answer")
        .body
    else {
        panic!("a stream was asked for");
    };
    let mut assembler = chorus_core::llm::Assembler::new();
    stream
        .for_each(|event| {
            assembler.push(event.expect("a piece"));
            std::future::ready(())
        })
        .await;
    assert!(assembler.ended());
    assert_eq!(assembler.finish().text(), "Hi.");
}
