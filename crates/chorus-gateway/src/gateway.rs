//! The gateway as a whole: its routes on a listener until it is stopped.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use chorus_core::id::Tenant;
use chorus_core::port::Ports;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app_state::AppState;
use crate::routes::router;
use crate::settings::{Auth, Settings};

/// The gateway, not yet listening.
pub struct Gateway {
    ports: Ports,
    settings: Settings,
    extra_routes: Router,
}

/// Reason why the gateway does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket failed.
    #[error("serve the gateway's socket")]
    Socket(#[from] io::Error),
    /// [`Auth::Open`] on a listener that other machines can reach.
    #[error(
        "listen on {0} without keys: gateway.auth = \"open\" is for loopback addresses such as 127.0.0.1 only; use \"keys\""
    )]
    OpenListener(SocketAddr),
}

impl Gateway {
    /// A gateway over these ports.
    pub fn new(ports: Ports, settings: Settings) -> Self {
        Self {
            ports,
            settings,
            extra_routes: Router::new(),
        }
    }

    /// Adds routes that need no key, such as probes and metrics.
    #[must_use]
    pub fn with_routes(mut self, routes: Router) -> Self {
        self.extra_routes = self.extra_routes.merge(routes);
        self
    }

    /// Router for callers inside this process, and the task that wakes its event streams, which must run meanwhile.
    ///
    /// Each request acts as the operator: for `tenant`, or the one that it names, with all scopes and without a key.
    /// The router may serve the caller's own process and a socket that only the owner of the data folder can open.
    pub fn in_process(
        mut self,
        tenant: Tenant,
    ) -> (Router, impl Future<Output = ()> + Send + 'static) {
        self.settings.auth = Auth::Operator(tenant);
        let (close, closed) = watch::channel(false);
        let state = Arc::new(AppState::new(self.ports, self.settings, closed));
        let tail = Arc::clone(&state.hub)
            .run(Arc::clone(&state.ports.bus), Arc::clone(&state.ports.clock));
        let waker = async move {
            tail.await;
            drop(close);
        };
        (router(state), waker)
    }

    /// Serves until `stop` resolves. Then no connection is accepted any more, event streams end
    /// (their clients resume at another gateway), and requests under way are answered.
    ///
    /// The wait for those requests is bounded by [`Settings::deadline`]; a caller that cannot wait
    /// so long drops the future.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        let address = listener.local_addr()?;
        let is_open = match &self.settings.auth {
            Auth::Keys => false,
            Auth::Open(_) => !address.ip().is_loopback(),
            Auth::Operator(_) => true,
        };
        if is_open {
            return Err(ServeError::OpenListener(address));
        }
        let (close, closed) = watch::channel(false);
        let state = Arc::new(AppState::new(self.ports, self.settings, closed));
        let tail = Arc::clone(&state.hub)
            .run(Arc::clone(&state.ports.bus), Arc::clone(&state.ports.clock));
        let stopped = async move {
            stop.await;
            close.send_replace(true);
        };
        let routes = router(state).merge(self.extra_routes);
        tokio::select! {
            biased;
            served = axum::serve(listener, routes).with_graceful_shutdown(stopped) => Ok(served?),
            () = tail => unreachable!("the tail never ends"),
        }
    }
}
