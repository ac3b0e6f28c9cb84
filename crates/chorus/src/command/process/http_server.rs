//! The HTTP server of one process: the gateway with the [health endpoints](crate::health), these alone, or none.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use axum::Router;
use futures_util::future::pending;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::app::App;
use crate::config::ProcessRole;
use crate::failure::{ErrorCode, Failure};
use crate::health::{self, Health};
use crate::stop::Stop;

/// A running HTTP server.
pub(super) struct HttpServer {
    /// Address that it listens on; none without a listener.
    pub(super) address: Option<SocketAddr>,
    task: JoinHandle<anyhow::Result<()>>,
    /// True for health endpoints alone, which answer until the process exits.
    outlives_stop: bool,
}

impl HttpServer {
    /// Starts the server that a process of this role needs.
    pub(super) async fn start(
        app: &App,
        role: &ProcessRole,
        health: &Arc<Health>,
        stop: &Stop,
    ) -> anyhow::Result<Self> {
        let routes = health::routes(Arc::clone(health));
        if matches!(role, ProcessRole::Gateway | ProcessRole::All) {
            return gateway(app, routes, stop).await;
        }
        let Some(place) = app.config.health.listen else {
            return Ok(Self {
                address: None,
                task: tokio::spawn(pending()),
                outlives_stop: true,
            });
        };
        let (listener, address) = listen(place, "probe.listen").await?;
        Ok(Self {
            address: Some(address),
            task: tokio::spawn(serve(listener, routes)),
            outlives_stop: true,
        })
    }

    /// Resolves with the reason when the server ends.
    pub(super) async fn ended(&mut self) -> anyhow::Error {
        match (&mut self.task).await {
            Ok(Ok(())) => anyhow!("the HTTP listener ended without a stop signal"),
            Ok(Err(error)) => error,
            Err(error) => error.into(),
        }
    }

    /// Waits until the gateway has answered the requests under way.
    pub(super) async fn stopped(self) {
        if !self.outlives_stop {
            // The gateway stops on the same signal; a failure to send its last reply is the client's to notice.
            let _ = self.task.await;
        }
    }
}

async fn gateway(app: &App, health: Router, stop: &Stop) -> anyhow::Result<HttpServer> {
    let (listener, address) = listen(app.config.gateway.listen, "gateway.listen").await?;
    let gateway = app.gateway().with_routes(health);
    let stopped = stop.requested();
    Ok(HttpServer {
        address: Some(address),
        task: tokio::spawn(async move { Ok(gateway.serve(listener, stopped).await?) }),
        outlives_stop: false,
    })
}

async fn serve(listener: TcpListener, routes: Router) -> anyhow::Result<()> {
    Ok(axum::serve(listener, routes).await?)
}

async fn listen(place: SocketAddr, key: &str) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(place).await.with_context(|| {
        Failure::new(
            ErrorCode::CannotListen,
            format!("cannot listen on {place} ({key})"),
        )
    })?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
