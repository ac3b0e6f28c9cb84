//! The gateway as a whole: its routes on a listener, until it is told to stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use chorus_core::port::Ports;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::desk::Desk;
use crate::routes::router;
use crate::settings::{Auth, Settings};

/// The gateway, not yet listening.
pub struct Gateway {
    ports: Ports,
    settings: Settings,
    beside: Router,
}

/// Why the gateway does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket failed.
    #[error("serve the gateway's socket")]
    Socket(#[from] io::Error),
    /// Without keys everybody who reaches the listener would be let in.
    #[error(
        "listen on {0} without keys: gateway.auth = \"open\" is for loopback addresses such as 127.0.0.1 only; use \"keys\""
    )]
    OpenToAll(SocketAddr),
}

impl Gateway {
    /// A gateway over these ports.
    pub fn new(ports: Ports, settings: Settings) -> Self {
        Self {
            ports,
            settings,
            beside: Router::new(),
        }
    }

    /// Routes of the caller's own, served beside the gateway's and without its keys: probes, metrics.
    #[must_use]
    pub fn beside(mut self, routes: Router) -> Self {
        self.beside = self.beside.merge(routes);
        self
    }

    /// Serves until `stop` resolves: then nothing new is taken, streams of events end (their clients go on elsewhere), and
    /// requests under way are answered. Whoever cannot wait that long drops the future.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        let address = listener.local_addr()?;
        if matches!(self.settings.auth, Auth::Open(_)) && !address.ip().is_loopback() {
            return Err(ServeError::OpenToAll(address));
        }
        let (close, closed) = watch::channel(false);
        let desk = Arc::new(Desk::new(self.ports, self.settings, closed));
        let tail =
            Arc::clone(&desk.hub).run(Arc::clone(&desk.ports.bus), Arc::clone(&desk.ports.clock));
        let told = async move {
            stop.await;
            close.send_replace(true);
        };
        let routes = router(desk).merge(self.beside);
        tokio::select! {
            biased;
            served = axum::serve(listener, routes).with_graceful_shutdown(told) => Ok(served?),
            () = tail => unreachable!("the tail never ends"),
        }
    }
}
