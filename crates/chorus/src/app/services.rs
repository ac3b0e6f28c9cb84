//! The services of one process as tasks of its runtime: [`ServiceSet`] names them, [`Services`] runs them.

use std::sync::Arc;

use chorus_core::id::{BootId, Pool};
use chorus_core::time::Millis;
use chorus_dispatcher::Dispatcher;
use chorus_orchestrator::Orchestrator;
use chorus_worker::Worker;
use futures_util::future::select_all;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::App;
use super::sizes::AccountSizePolicy;

/// Maximum time for calls under way where a person waits for the process to exit.
const SHORT_DRAIN: Millis = Millis::from_secs(5);

/// Which services a process has, and how they end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceSet {
    pub(crate) orchestrator: bool,
    pub(crate) dispatcher: bool,
    /// Pools that have a worker.
    pub(crate) pools: Vec<Pool>,
    /// Maximum time for calls and folds under way after a stop signal.
    pub(crate) drain: Millis,
}

impl ServiceSet {
    /// Every service, with a worker for each of these pools and the short drain of a person who waits.
    pub(crate) const fn all(pools: Vec<Pool>) -> Self {
        Self {
            orchestrator: true,
            dispatcher: true,
            pools,
            drain: SHORT_DRAIN,
        }
    }

    /// No service.
    pub(crate) const fn none(drain: Millis) -> Self {
        Self {
            orchestrator: false,
            dispatcher: false,
            pools: Vec::new(),
            drain,
        }
    }
}

/// Running services. Dropping them without [`stop`](Self::stop) is a crash, as far as they can tell.
pub(crate) struct Services {
    stop: watch::Sender<bool>,
    drain: Millis,
    tasks: Vec<JoinHandle<()>>,
    workers: Vec<(Pool, JoinHandle<()>)>,
}

impl Services {
    /// Starts these services.
    pub(crate) fn start(app: &App, set: &ServiceSet) -> Self {
        let (stop, _) = watch::channel(false);
        let mut services = Self {
            stop,
            drain: set.drain,
            tasks: Vec::new(),
            workers: Vec::new(),
        };
        if set.orchestrator {
            services.tasks.push(tokio::spawn(
                orchestrator(app, set.drain).run(stopped(&services.stop)),
            ));
        }
        if set.dispatcher {
            services
                .tasks
                .push(tokio::spawn(dispatcher(app).run(stopped(&services.stop))));
        }
        for pool in &set.pools {
            services.spawn_worker(app, pool);
        }
        services
    }

    /// Starts one more worker of a pool.
    pub(crate) fn spawn_worker(&mut self, app: &App, pool: &Pool) {
        let running = worker(app, pool, self.drain).run(stopped(&self.stop));
        self.workers.push((pool.clone(), tokio::spawn(running)));
    }

    /// Ends the first worker of a pool at once, in the middle of whatever it does; false when there is none.
    pub(crate) fn kill_worker(&mut self, pool: &Pool) -> bool {
        let Some(at) = self.workers.iter().position(|(of, _)| of == pool) else {
            return false;
        };
        self.workers.remove(at).1.abort();
        true
    }

    /// Ends all services at once, wherever they are: where nothing can be written, nothing can be handed back.
    pub(crate) async fn abandon(self) {
        for task in self
            .workers
            .into_iter()
            .map(|(_, task)| task)
            .chain(self.tasks)
        {
            task.abort();
            // The task was aborted, so its result has no information.
            let _ = task.await;
        }
    }

    /// Resolves when a service ends without a stop signal; never, if there is none.
    pub(crate) async fn ended(&mut self) {
        let tasks: Vec<_> = self
            .tasks
            .iter_mut()
            .chain(self.workers.iter_mut().map(|(_, task)| task))
            .collect();
        if tasks.is_empty() {
            return std::future::pending().await;
        }
        // A service that panicked has said so on standard error.
        let (_, at, _) = select_all(tasks).await;
        let of_all = self.tasks.len();
        if at < of_all {
            drop(self.tasks.remove(at));
        } else {
            drop(self.workers.remove(at - of_all));
        }
    }

    /// Tells all services to stop and waits until they have.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        for task in self
            .workers
            .into_iter()
            .map(|(_, task)| task)
            .chain(self.tasks)
        {
            // A service that panicked has said so; the others still stop in order.
            let _ = task.await;
        }
    }
}

/// Resolves when the services receive the stop signal.
fn stopped(stop: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + 'static {
    let mut stopping = stop.subscribe();
    async move {
        // A sender that is gone means stop, too.
        let _ = stopping.wait_for(|stop| *stop).await;
    }
}

/// Id of one start of a service. Rows name their holder by it, so it is logged with the service.
fn boot(app: &App, service: &str) -> BootId {
    let boot = BootId::new(app.clock.random_u128());
    tracing::info!(boot.id = %boot, service, "a service begins");
    boot
}

fn orchestrator(app: &App, drain: Millis) -> Orchestrator {
    let settings = chorus_orchestrator::Settings {
        drain,
        ..chorus_orchestrator::Settings::default()
    };
    Orchestrator::new(
        app.ports.clone(),
        settings,
        Arc::new(AccountSizePolicy::new(app)),
    )
}

fn dispatcher(app: &App) -> Dispatcher {
    Dispatcher::new(
        app.ports.clone(),
        pace(app),
        Arc::clone(&app.catalog),
        app.config.roles.lists(),
        boot(app, "dispatcher"),
    )
}

/// Short times: one process alone waits for no other, and processes that share the work should notice soon that one
/// of them is gone. What the bus may have lost is sent again less eagerly where it may only be late.
fn pace(app: &App) -> chorus_dispatcher::Settings {
    let delivery = &app.config.delivery;
    let usual = chorus_dispatcher::Settings::default();
    let paced = chorus_dispatcher::Settings {
        term_lasts: delivery.term_ms,
        renew: Millis(delivery.term_ms.0 / 3),
        stand_by: Millis(delivery.term_ms.0 / 6),
        beat_stale: delivery.silent_ms,
        alone_since: app.adapters.alone_since,
        admission: chorus_pool::admission::Settings {
            lease_lasts: delivery.unclaimed_ms,
            ..usual.admission
        },
        sweep: Millis(500),
        ..usual
    };
    let unfolded_after = if app.config.database.is_shared() {
        paced.unfolded_after
    } else {
        Millis::from_secs(5)
    };
    chorus_dispatcher::Settings {
        unfolded_after,
        ..paced
    }
}

fn worker(app: &App, pool: &Pool, drain: Millis) -> Worker {
    let config = &app.config;
    let settings = chorus_worker::Settings {
        slots: config.worker.slots as usize,
        beat: config.delivery.beat_ms,
        call_timeout: config.worker.call_timeout(),
        max_retries: config.worker.max_retries,
        drain,
        ..chorus_worker::Settings::of_pool(pool.clone())
    };
    Worker::new(
        app.ports.clone(),
        Arc::clone(&app.catalog),
        settings,
        boot(app, "worker"),
    )
}
