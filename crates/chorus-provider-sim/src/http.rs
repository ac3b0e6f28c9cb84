//! HTTP server of the simulated providers: plays scripts in real time and detects closed
//! connections.
//!
//! Besides the providers' own paths there are `/_sim/health`, `/_sim/journal`, `/_sim/limits` and
//! `/_sim/faults`. All decisions are made by [`crate::engine`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::Config;
use crate::engine::fault::FaultRule;
use crate::engine::provider::Count;
use crate::engine::{HttpRequest, Providers};
use shared::Shared;

mod play;
mod shared;

/// Maximum size of a body that is read, in bytes; the providers themselves refuse smaller ones.
const MOST_BYTES: usize = 64 << 20;

/// The simulated providers on a listening socket.
pub struct Server {
    listener: TcpListener,
    handle: ServerHandle,
}

/// Handle to a [`Server`] in the same process: reads its journal and counts, and sets faults.
#[derive(Clone)]
pub struct ServerHandle {
    shared: Arc<Shared>,
}

impl Server {
    /// Listens at an address. With port 0 a free port is chosen and returned.
    pub async fn bind(config: Config, address: SocketAddr) -> io::Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind(address).await?;
        let local = listener.local_addr()?;
        let shared = Shared::new(Providers::new(config.clone()), config.journal.as_deref())?;
        Ok((
            Self {
                listener,
                handle: ServerHandle {
                    shared: Arc::new(shared),
                },
            },
            local,
        ))
    }

    /// Returns a handle that stays valid while the server runs.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Serves until `shutdown` resolves; calls that still run are then closed.
    pub async fn serve(
        self,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let (close, closed) = watch::channel(false);
        let stop = async move {
            shutdown.await;
            close.send_replace(true);
        };
        let state = AppState {
            shared: self.handle.shared,
            closed,
        };
        axum::serve(self.listener, router(state))
            .with_graceful_shutdown(stop)
            .await
    }
}

impl ServerHandle {
    /// One JSON line for each call, in order of arrival.
    pub fn journal(&self) -> String {
        self.shared.with(|providers, _| providers.journal().lines())
    }

    /// The providers' own count of every limit.
    pub fn counts(&self) -> Vec<Count> {
        self.shared.with(|providers, _| providers.counts())
    }

    /// Replaces all fault rules.
    pub fn set_faults(&self, rules: Vec<FaultRule>) {
        self.shared.with(|providers, _| providers.set_faults(rules));
    }
}

/// State of the handlers.
#[derive(Clone)]
struct AppState {
    shared: Arc<Shared>,
    closed: watch::Receiver<bool>,
}

fn router(state: AppState) -> Router {
    Router::new()
        .route("/_sim/health", get(|| async { "ok\n" }))
        .route("/_sim/journal", get(journal))
        .route("/_sim/limits", get(limits))
        .route("/_sim/faults", post(faults))
        .fallback(provider)
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .with_state(state)
}

async fn provider(
    State(state): State<AppState>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = HttpRequest {
        method: method.to_string(),
        path: uri.path().to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect(),
        body,
    };
    let scripted = state
        .shared
        .with(|providers, now_ms| providers.handle(now_ms, &request));
    play::play(state.shared, state.closed, scripted).await
}

async fn journal(State(state): State<AppState>) -> impl IntoResponse {
    let lines = state
        .shared
        .with(|providers, _| providers.journal().lines());
    ([(header::CONTENT_TYPE, "application/jsonl")], lines)
}

async fn limits(State(state): State<AppState>) -> Json<Vec<Count>> {
    Json(state.shared.with(|providers, _| providers.counts()))
}

/// Replaces the fault rules; an empty list ends all faults.
async fn faults(State(state): State<AppState>, body: Bytes) -> (StatusCode, Json<Value>) {
    match serde_json::from_slice::<Vec<FaultRule>>(&body) {
        Ok(rules) => {
            let count = rules.len();
            state
                .shared
                .with(|providers, _| providers.set_faults(rules));
            (StatusCode::OK, Json(json!({"rules": count})))
        }
        Err(error) => (
            StatusCode::BAD_REQUEST,
            Json(json!({"error": error.to_string()})),
        ),
    }
}
