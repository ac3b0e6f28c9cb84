//! A plain HTTP client.

use bytes::Bytes;
use chorus_dialect::sse::{Event, Parser};
use chorus_upstream::{BodyStream, HttpTransport, Transport};
use futures_util::StreamExt as _;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::Value;

/// A client with a key.
#[derive(Clone)]
pub(super) struct Client {
    transport: HttpTransport,
    base: String,
    headers: Vec<(&'static str, String)>,
}

/// A complete reply.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Client {
    pub(super) fn new(base: &str, key: &str) -> Self {
        Self {
            headers: vec![("authorization", format!("Bearer {key}"))],
            ..Self::stranger(base)
        }
    }

    /// Creates a client without a key.
    pub(super) fn stranger(base: &str) -> Self {
        Self {
            transport: HttpTransport::new().expect("a client"),
            base: base.to_owned(),
            headers: Vec::new(),
        }
    }

    /// Copies the client with one more header.
    pub(super) fn with(&self, name: &'static str, value: &str) -> Self {
        let mut other = self.clone();
        other.headers.push((name, value.to_owned()));
        other
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Response<BodyStream> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        self.transport
            .send(request.body(body.into()).expect("a request"))
            .await
            .expect("the gateway answers")
    }

    async fn whole(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Reply {
        let (head, mut stream) = self.send(method, path, body).await.into_parts();
        let mut body = Vec::new();
        while let Some(piece) = stream.next().await {
            body.extend_from_slice(&piece.expect("the body comes whole"));
        }
        Reply {
            status: head.status,
            headers: head.headers,
            body: Bytes::from(body),
        }
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.whole(Method::GET, path, Bytes::new()).await
    }

    /// Posts JSON text.
    pub(super) async fn post(&self, path: &str, body: &str) -> Reply {
        self.with("content-type", "application/json")
            .whole(Method::POST, path, body.to_owned())
            .await
    }

    /// Posts a body with the content type of this client's headers.
    pub(super) async fn post_raw(&self, path: &str, body: impl Into<Bytes>) -> Reply {
        self.whole(Method::POST, path, body).await
    }

    pub(super) async fn method(&self, method: Method, path: &str) -> Reply {
        self.whole(method, path, Bytes::new()).await
    }

    /// Opens a stream of a project's events.
    pub(super) async fn follow(&self, path: &str) -> Stream {
        let reply = self.send(Method::GET, path, Bytes::new()).await;
        assert_eq!(reply.status(), StatusCode::OK);
        assert_eq!(reply.headers()["content-type"], "text/event-stream");
        Stream {
            body: reply.into_body(),
            parser: Parser::new(),
            waiting: std::collections::VecDeque::new(),
            raw: String::new(),
        }
    }
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// Status, code and field of an error reply; its shape is checked.
    pub(super) fn refusal(&self) -> (u16, String, String) {
        let body = self.json();
        let error = body["error"]
            .as_object()
            .unwrap_or_else(|| panic!("no error in {body}"));
        assert_eq!(
            error["request_id"].as_str().expect("a request id"),
            self.headers["x-request-id"].to_str().expect("letters")
        );
        assert!(!error["message"].as_str().expect("a message").is_empty());
        let text = |name: &str| {
            error
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        (self.status.as_u16(), text("code"), text("field"))
    }
}

/// A stream of events.
pub(super) struct Stream {
    body: BodyStream,
    parser: Parser,
    waiting: std::collections::VecDeque<Event>,
    /// All bytes received.
    pub(super) raw: String,
}

impl Stream {
    /// Returns the next event; `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            let bytes = self.body.next().await?.ok()?;
            self.raw.push_str(&String::from_utf8_lossy(&bytes));
            self.waiting.extend(self.parser.push(&bytes));
        }
    }

    /// Sequence numbers of the next `count` events.
    pub(super) async fn places(&mut self, count: usize) -> Vec<u64> {
        let mut places = Vec::new();
        while places.len() < count {
            let event = self.next().await.expect("the stream goes on");
            if event.name.is_none() {
                let stored: Value = serde_json::from_str(&event.data).expect("JSON");
                places.push(stored["seq"].as_u64().expect("a place"));
            }
        }
        places
    }
}
