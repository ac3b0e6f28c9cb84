//! Plays one script: waits, sends, and reports the ending even if the client is gone.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::shared::Shared;
use crate::engine::journal::CallId;
use crate::engine::{Chunk, Delivery, End, Scripted};

/// Time for bytes to leave before the connection is closed behind them.
const LEAVE: Duration = Duration::from_millis(20);

/// Plays a script. Status and headers go out with the first chunk.
pub(super) async fn play(
    shared: Arc<Shared>,
    closed: watch::Receiver<bool>,
    scripted: Scripted,
) -> Response {
    let mut player = Player {
        report: EndReport {
            shared,
            call: scripted.call,
            sent: 0,
        },
        closed,
        chunks: scripted.chunks.into(),
        end: scripted.end,
        due: Instant::now(),
        first: None,
    };
    player.first = player.next().await;
    let body = Body::from_stream(stream::unfold(player, |mut player| async move {
        let item = match player.first.take() {
            Some(first) => Some(first),
            None => player.next().await,
        };
        item.map(|item| (item, player))
    }));
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(scripted.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &scripted.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

struct Player {
    report: EndReport,
    closed: watch::Receiver<bool>,
    chunks: VecDeque<Chunk>,
    end: End,
    due: Instant,
    first: Option<io::Result<Bytes>>,
}

impl Player {
    /// Returns the next chunk when it is due; `None` at the end, an error if the connection breaks.
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let Some(chunk) = self.chunks.pop_front() else {
            return self.last().await;
        };
        self.due += Duration::from_millis(chunk.delay_ms);
        tokio::select! {
            () = sleep_until(self.due) => {}
            () = shutdown(&mut self.closed) => return Some(Err(broken())),
        }
        self.report.sent += chunk.bytes.len() as u64;
        if self.chunks.is_empty() && self.end != End::Hang {
            self.report.finish(Delivery::All);
        }
        Some(Ok(chunk.bytes))
    }

    async fn last(&mut self) -> Option<io::Result<Bytes>> {
        match self.end {
            End::Close | End::Died => {
                self.report.finish(Delivery::All);
                None
            }
            End::Cut => {
                sleep_until(Instant::now() + LEAVE).await;
                self.report.finish(Delivery::All);
                Some(Err(broken()))
            }
            End::Hang => {
                shutdown(&mut self.closed).await;
                Some(Err(broken()))
            }
        }
    }
}

/// Reports the end of a call exactly once: at the end of its script, or on drop.
struct EndReport {
    shared: Arc<Shared>,
    call: Option<CallId>,
    sent: u64,
}

impl EndReport {
    fn finish(&mut self, delivery: Delivery) {
        if let Some(call) = self.call.take() {
            self.shared
                .with(|providers, now_ms| providers.finished(now_ms, call, delivery));
        }
    }
}

impl Drop for EndReport {
    fn drop(&mut self) {
        let sent = self.sent;
        self.finish(Delivery::Bytes(sent));
    }
}

async fn shutdown(closed: &mut watch::Receiver<bool>) {
    if closed.wait_for(|closed| *closed).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn broken() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the simulated provider broke the connection",
    )
}
