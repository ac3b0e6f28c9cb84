//! The client against a transport that replies from a script.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use chorus_api::{Approval, DeliverableFile, SubmissionOptions};
use chorus_core::artifact::ArtifactHash;
use chorus_core::id::{ProjectId, Seq};
use chorus_core::port::Clock;
use chorus_core::port::projects::StoredEvent;
use chorus_core::project::HistoryEvent;
use chorus_core::time::{Millis, Timestamp};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::{Request, Response};

use crate::{
    Body, Client, ClientError, ConnectionListener, Event, ServerListError, Servers, Transport,
    TransportError, Upload,
};

/// A clock with waits that end at once and move the time forward.
#[derive(Default)]
struct InstantClock(Arc<AtomicI64>);

impl Clock for InstantClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let now = Arc::clone(&self.0);
        async move {
            now.fetch_max(at.0, Ordering::Relaxed);
        }
        .boxed()
    }

    fn random_u128(&self) -> u128 {
        7
    }

    fn random_below(&self, _: u64) -> u64 {
        0
    }
}

/// Reply of the script: a status with the chunks of its body, or a broken connection.
enum Reply {
    Status(u16, Vec<&'static str>),
    /// The body never ends after these chunks.
    Open(Vec<String>),
    Broken,
}

#[derive(Default)]
struct Script {
    replies: Mutex<VecDeque<Reply>>,
    requests: Mutex<Vec<Request<Bytes>>>,
    reports: Mutex<Vec<String>>,
}

impl Script {
    fn client(self: &Arc<Self>, servers: &str) -> Client {
        Client::new(
            self.clone(),
            servers.parse().expect("a list of servers"),
            Some("secret".to_owned()),
            Arc::new(InstantClock::default()),
            self.clone(),
        )
    }

    fn of(replies: Vec<Reply>) -> Arc<Self> {
        let script = Self::default();
        script.lock(&script.replies).extend(replies);
        Arc::new(script)
    }

    fn lock<'a, T>(&self, mutex: &'a Mutex<T>) -> std::sync::MutexGuard<'a, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Address and value of a header of every request so far.
    fn sent(&self, header: &str) -> Vec<(String, String)> {
        self.lock(&self.requests)
            .iter()
            .map(|request| {
                let value = request.headers().get(header);
                let value = value.and_then(|value| value.to_str().ok()).unwrap_or("");
                (request.uri().to_string(), value.to_owned())
            })
            .collect()
    }
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        self.lock(&self.requests).push(request);
        let reply = self.lock(&self.replies).pop_front();
        let (status, body): (u16, Body) = match reply.expect("the script has a reply") {
            Reply::Status(status, chunks) => (
                status,
                stream::iter(chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk)))).boxed(),
            ),
            Reply::Open(chunks) => (
                200,
                stream::iter(chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk))))
                    .chain(stream::pending())
                    .boxed(),
            ),
            Reply::Broken => {
                return Err(TransportError::new(std::io::Error::other(
                    "connection reset",
                )));
            }
        };
        Ok(Response::builder()
            .status(status)
            .body(body)
            .expect("a status and a body"))
    }
}

impl ConnectionListener for Script {
    fn lost(&self, server: &str, reason: &str) {
        self.lock(&self.reports)
            .push(format!("lost {server}: {reason}"));
    }

    fn restored(&self, server: &str) {
        self.lock(&self.reports).push(format!("restored {server}"));
    }
}

const REFUSED: &str = r#"{"error":{"code":"wrong_state","message":"no","request_id":"r"}}"#;
const BUSY: &str = r#"{"error":{"code":"busy","message":"later","request_id":"r"}}"#;
const ACCEPTED: &str = r#"{"project":"prj_00000000000000000000000000000001","command":"evt_00000000000000000000000000000002"}"#;

fn project() -> ProjectId {
    ProjectId::new(1)
}

#[tokio::test]
async fn a_failing_command_is_repeated_at_the_next_server_with_the_same_key() {
    let script = Script::of(vec![
        Reply::Broken,
        Reply::Status(503, vec![BUSY]),
        Reply::Status(202, vec![ACCEPTED]),
    ]);
    let client = script.client("http://one, http://two/");
    client.pause(project()).await.expect("it is accepted");
    let path = format!("/v1/projects/{}/pause", project());
    let sent = script.sent("idempotency-key");
    let addresses: Vec<&str> = sent.iter().map(|(address, _)| address.as_str()).collect();
    assert_eq!(
        addresses,
        [
            format!("http://one{path}"),
            format!("http://two{path}"),
            format!("http://one{path}")
        ]
    );
    assert!(
        sent.iter()
            .all(|(_, key)| *key == sent[0].1 && !key.is_empty())
    );
    let reports = script.lock(&script.reports).clone();
    assert_eq!(
        reports,
        ["lost http://one: connection reset", "restored http://one"]
    );
}

#[tokio::test]
async fn a_refusal_is_returned_at_once_with_its_code() {
    let script = Script::of(vec![Reply::Status(409, vec![REFUSED])]);
    let error = script.client("http://one").approve(project(), None).await;
    assert_eq!(error.expect_err("refused").code(), Some("wrong_state"));
}

#[tokio::test]
async fn a_call_is_given_up_after_the_retry_deadline() {
    let replies = (0..100).map(|_| Reply::Broken).collect();
    let script = Script::of(replies);
    let client = script.client("http://one").retry_for(Millis::from_secs(10));
    let error = client.get(project()).await.expect_err("no server answers");
    assert!(
        matches!(&error, ClientError::Unreachable { reason, .. } if reason == "connection reset"),
        "{error}"
    );
    assert!(script.sent("authorization").len() < 20);
}

fn stored(seq: u64) -> String {
    let event = StoredEvent {
        project: project(),
        seq: Seq(seq),
        at: Timestamp(0),
        event: HistoryEvent::Paused,
    };
    let data = serde_json::to_string(&event).expect("a plain struct");
    format!("id: {seq}\ndata: {data}\n\n")
}

#[tokio::test]
async fn a_broken_stream_continues_after_the_last_event_without_repeating_it() {
    let half = stored(3)[..20].to_owned();
    let script = Script::of(vec![
        Reply::Open(vec![stored(1) + &stored(2) + &half]),
        Reply::Open(vec![
            stored(2),
            stored(3),
            "event: later\ndata: {}\n\nevent: end\ndata: {\"state\":\"done\"}\n\n".to_owned(),
        ]),
    ]);
    let mut events = script.client("http://one").events(project(), Seq(0));
    let mut seen = Vec::new();
    let state = loop {
        match events.next().await.expect("the script goes on") {
            Event::History(stored) => seen.push(stored.seq.0),
            Event::Progress(_) => {}
            Event::End(state) => break state,
        }
    };
    assert_eq!((seen, state.as_str()), (vec![1, 2, 3], "done"));
    let places: Vec<String> = script
        .sent("last-event-id")
        .into_iter()
        .map(|(_, place)| place)
        .collect();
    assert_eq!(places, ["0", "2"]);
}

#[tokio::test]
async fn a_file_with_another_hash_is_not_returned() {
    let script = Script::of(vec![Reply::Status(200, vec!["other"])]);
    let file = DeliverableFile {
        path: "a.md".to_owned(),
        media_type: "text/markdown".to_owned(),
        bytes: 4,
        sha256: ArtifactHash::of(b"text"),
        href: "/v1/file".to_owned(),
        text: None,
    };
    let error = script.client("http://one").file(&file).await;
    assert!(matches!(error, Err(ClientError::Corrupt { .. })));
}

#[tokio::test]
async fn a_submission_is_a_form_with_brief_options_and_named_attachments() {
    let script = Script::of(vec![Reply::Status(422, vec![REFUSED])]);
    let upload = Upload {
        brief: "Write it.".to_owned(),
        attachments: vec![("part/a.md".to_owned(), "What there is.".to_owned())],
        options: SubmissionOptions {
            approve: Approval::Auto,
            ..SubmissionOptions::default()
        },
    };
    let refused = script.client("http://one").submit(&upload).await;
    assert!(refused.is_err());
    let sent = script.sent("content-type");
    let (_, boundary) = sent[0].1.split_once("boundary=").expect("a form");
    let body = String::from_utf8(script.lock(&script.requests)[0].body().to_vec());
    let body = body.expect("texts are UTF-8");
    let parts: Vec<&str> = body.split(&format!("--{boundary}")).collect();
    assert_eq!(parts.len(), 5, "{body}");
    assert!(parts[1].contains("name=\"brief\"") && parts[1].contains("\r\n\r\nWrite it.\r\n"));
    assert!(parts[2].contains("\"approve\":\"auto\""));
    assert!(parts[3].contains("filename=\"part/a.md\""));
}

#[test]
fn a_list_of_servers_has_at_least_one_address_with_a_scheme() {
    let parse = |list: &str| list.parse::<Servers>().map(|servers| servers.to_string());
    assert_eq!(
        parse("http://a/ , https://b"),
        Ok("http://a,https://b".to_owned())
    );
    assert_eq!(parse(" , "), Err(ServerListError::Empty));
    assert_eq!(parse("127.0.0.1:1"), Err(ServerListError::Scheme(1)));
    let with_key = parse("http://a,http://sk-aaaa0001@b").expect_err("it would be printed");
    assert_eq!(with_key, ServerListError::Adorned(2));
    assert!(!with_key.to_string().contains("aaaa"));
}
