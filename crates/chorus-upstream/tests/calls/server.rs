//! A server on this machine that replies as the test demands and records its requests.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures_util::stream;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// What one request looked like.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) peer: SocketAddr,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

pub(crate) struct Server {
    pub(crate) base_url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Answers every request with what `answer` makes.
    pub(crate) async fn new(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base_url = format!("http://{}/v1", listener.local_addr().expect("its address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        let app = axum::Router::new().fallback(
            move |ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request| {
                let (noted, answer) = (Arc::clone(&noted), answer.clone());
                async move {
                    let (head, body) = request.into_parts();
                    let body = axum::body::to_bytes(body, 1 << 20)
                        .await
                        .expect("a small body");
                    noted.lock().expect("no panic").push(Seen {
                        peer,
                        path: head.uri.path().to_owned(),
                        headers: head.headers,
                        body,
                    });
                    answer()
                }
            },
        );
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        let task =
            tokio::spawn(async move { axum::serve(listener, app).await.expect("it serves") });
        Self {
            base_url,
            seen,
            task,
        }
    }

    /// Answers with this status, these headers and this body.
    pub(crate) async fn fixed(
        status: u16,
        headers: &'static [(&'static str, &'static str)],
        body: impl Into<Bytes>,
    ) -> Self {
        let body = body.into();
        Self::new(move || answer(status, headers, Body::from(body.clone()))).await
    }

    /// Answers one request with a stream of the test's chunks: `Err` cuts the connection, dropping the sender ends it well.
    pub(crate) async fn paced(
        content_type: &'static str,
    ) -> (Self, mpsc::Sender<Result<Bytes, std::io::Error>>) {
        let (sender, receiver) = mpsc::channel(1);
        let receiver = Arc::new(Mutex::new(Some(receiver)));
        let server = Self::new(move || {
            let receiver = receiver
                .lock()
                .expect("no panic")
                .take()
                .expect("one request only");
            let chunks = stream::unfold(receiver, |mut receiver: mpsc::Receiver<_>| async move {
                Some((receiver.recv().await?, receiver))
            });
            let mut response = answer(200, &[], Body::from_stream(chunks));
            response.headers_mut().insert(
                "content-type",
                content_type.parse().expect("a header value"),
            );
            response
        });
        (server.await, sender)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic").clone()
    }
}

pub(crate) fn answer(
    status: u16,
    headers: &[(&'static str, &'static str)],
    body: Body,
) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    for (name, value) in headers {
        response
            .headers_mut()
            .insert(*name, value.parse().expect("a header value"));
    }
    response
}
