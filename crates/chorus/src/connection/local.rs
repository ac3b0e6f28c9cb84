//! The app of this process with its services, and a client of its own gateway.

use std::sync::Arc;

use anyhow::anyhow;
use chorus_client::{Client, Servers};
use chorus_core::id::Pool;
use chorus_core::time::Millis;
use futures_util::future::pending;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinHandle;

use super::Terminal;
use super::control::ControlSocket;
use super::in_process::InProcess;
use crate::app::{App, ServiceSet, Services};
use crate::failure::{ErrorCode, Failure};

/// Milliseconds between two looks for a call under way.
const POLL: Millis = Millis(100);

/// A running [`App`] with [`Services`], and a gateway for this process only, as the local tenant and without a key.
pub(crate) struct LocalServer {
    app: App,
    services: Services,
    client: Client,
    /// Task that wakes the gateway's event streams.
    waker: JoinHandle<()>,
    /// Socket for commands of other terminals, where this process makes calls.
    control: Option<ControlSocket>,
}

impl LocalServer {
    /// Starts these services and the gateway.
    pub(crate) fn start(app: App, services: &ServiceSet) -> Self {
        let (router, waker) = app.local_gateway();
        let makes_calls = services.dispatcher && app.may_serve();
        let control = makes_calls
            .then(|| ControlSocket::start(&app.config, router.clone()))
            .flatten();
        let client = Client::new(
            Arc::new(InProcess(router)),
            Servers::in_process(),
            None,
            Arc::clone(&app.clock),
            Arc::new(Terminal),
        );
        Self {
            services: Services::start(&app, services),
            client,
            waker: tokio::spawn(waker),
            control,
            app,
        }
    }

    /// Client of the gateway.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Resolves with the reason when the store can write no more.
    pub(crate) async fn failed(&self) -> anyhow::Error {
        Failure::new(ErrorCode::StoreFailed, self.app.trouble().await).into()
    }

    /// As [`failed`](Self::failed). Meanwhile ends one worker of the pool in the middle of a call and starts another,
    /// and sends a note about it.
    pub(crate) async fn failed_after_losing(
        &mut self,
        pool: Option<&Pool>,
        notes: &Sender<String>,
    ) -> anyhow::Error {
        let (app, services) = (&self.app, &mut self.services);
        tokio::select! {
            biased;
            reason = app.trouble() => Failure::new(ErrorCode::StoreFailed, reason).into(),
            error = lose_worker(app, services, pool, notes) => error,
        }
    }

    /// Stops the services: in order after a success, by [`Services::abandon`] where nothing can be written any more.
    pub(crate) async fn stop(self, in_order: bool) {
        drop(self.control);
        if in_order {
            self.services.stop().await;
        } else {
            self.services.abandon().await;
        }
        self.waker.abort();
        self.app.close().await;
    }
}

/// Replaces a worker of the pool while it holds a call. Returns only on failure.
async fn lose_worker(
    app: &App,
    services: &mut Services,
    pool: Option<&Pool>,
    notes: &Sender<String>,
) -> anyhow::Error {
    let Some(pool) = pool else {
        return pending().await;
    };
    loop {
        let open = match app.ports.deliveries.outstanding().await {
            Ok(open) => open,
            Err(error) => return anyhow!(error),
        };
        let pool_of = |model| app.catalog.model(model).map(|model| &model.pool);
        let is_calling = open
            .iter()
            .any(|call| call.sent_until.is_some() && pool_of(&call.model) == Some(pool));
        if is_calling && services.kill_worker(pool) {
            services.spawn_worker(app, pool);
            // A session that ended needs no note.
            let _ = notes.try_send(format!(
                "the worker of pool {pool} was ended on purpose in the middle of its calls; its calls are made again"
            ));
            return pending().await;
        }
        app.clock.sleep(POLL).await;
    }
}
