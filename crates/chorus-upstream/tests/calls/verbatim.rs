//! Bodies that pass untouched.

use bytes::Bytes;
use chorus_core::catalog::Dialect;
use chorus_core::failure::FailureClass;
use chorus_core::llm::Usage;
use chorus_core::port::upstream::{Body, BodyFacts, CallFailure, ResponseBody, Tapped};
use futures_util::StreamExt as _;

use crate::send;
use crate::server::Server;

const SENT: &[u8] = b"{ \"model\":\"m\",  \"messages\":[], \"odd\" : 1.0 }\n";
const STREAM: &str = ": hi\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}], \"x\" : 1}\r\n\r\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n";

fn verbatim(stream: bool) -> Body {
    Body::Verbatim {
        dialect: Dialect::OpenaiChat,
        bytes: Bytes::from_static(SENT),
        facts: BodyFacts { stream },
    }
}

/// Received bytes, reported usage and failure of a call.
async fn receive(server: &Server, stream: bool) -> (Vec<u8>, Option<Usage>, Option<CallFailure>) {
    let answer = send("sim-openai", server, verbatim(stream))
        .await
        .expect("an answer");
    let ResponseBody::Verbatim {
        status,
        content_type,
        mut body,
    } = answer.body
    else {
        panic!("a verbatim reply was asked for")
    };
    assert_eq!((status, content_type.as_str()), (200, "text/x-odd"));
    assert_eq!(server.seen()[0].body, SENT, "the request passes untouched");
    let (mut bytes, mut usage, mut failure) = (Vec::new(), None, None);
    while let Some(item) = crate::bounded(body.next()).await {
        match item {
            Ok(Tapped::Bytes(more)) => bytes.extend_from_slice(&more),
            Ok(Tapped::Usage(counted)) => usage = Some(counted),
            Err(error) => failure = Some(error),
        }
    }
    (bytes, usage, failure)
}

#[tokio::test]
async fn streamed_bytes_pass_untouched_and_usage_is_tapped() {
    let server = Server::fixed(200, &[("content-type", "text/x-odd")], STREAM).await;
    let (bytes, usage, failure) = receive(&server, true).await;
    assert_eq!(bytes, STREAM.as_bytes());
    assert_eq!(
        (usage, failure),
        (
            Some(Usage {
                input: 5,
                output: 1,
                ..Usage::default()
            }),
            None
        )
    );
}

#[tokio::test]
async fn whole_bytes_pass_untouched_and_usage_is_tapped() {
    let body = "\n\n{ \"choices\":[{\"message\":{\"content\":\"a\"}}], \"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1} }";
    let server = Server::fixed(200, &[("content-type", "text/x-odd")], body).await;
    let (bytes, usage, failure) = receive(&server, false).await;
    assert_eq!(bytes, body.as_bytes());
    assert_eq!(
        (usage, failure),
        (
            Some(Usage {
                input: 5,
                output: 1,
                ..Usage::default()
            }),
            None
        )
    );
}

#[tokio::test]
async fn a_cut_stream_passes_its_bytes_and_then_fails() {
    let server = Server::fixed(200, &[("content-type", "text/x-odd")], &STREAM[..60]).await;
    let (bytes, usage, failure) = receive(&server, true).await;
    assert_eq!((bytes.as_slice(), usage), (&STREAM.as_bytes()[..60], None));
    assert_eq!(failure.expect("it was cut").class, FailureClass::MidStream);
}

#[tokio::test]
async fn another_dialect_is_refused_before_anything_is_sent() {
    let server = Server::fixed(200, &[], "").await;
    let failure = send("sim-anthropic", &server, verbatim(false))
        .await
        .expect_err("another dialect");
    assert_eq!(
        (failure.class, failure.sent_at, server.seen().len()),
        (FailureClass::Request, None, 0)
    );
}
