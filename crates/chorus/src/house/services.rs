//! The services of one process as tasks of its runtime.

use std::sync::Arc;

use chorus_core::id::{BootId, Pool};
use chorus_core::time::Millis;
use chorus_dispatcher::Dispatcher;
use chorus_orchestrator::Orchestrator;
use chorus_worker::Worker;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::House;
use super::sizes::ByAccounts;

/// The pools that have workers here.
const POOLS: [&str; 5] = ["claude", "gpt", "deepseek", "gemini", "other"];

/// A leader's term: no other process can use the folder, so the one before is known to be gone.
const TERM: Millis = Millis::from_secs(3);

/// Running services. Dropping them without `stop` is a crash, as far as they can tell.
pub(crate) struct Services {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    workers: Vec<(Pool, JoinHandle<()>)>,
}

impl Services {
    /// Starts orchestrator, dispatcher and a worker for each pool.
    pub(crate) fn start(house: &House) -> Self {
        let (stop, _) = watch::channel(false);
        let orchestrator = orchestrator(house);
        let tasks = vec![tokio::spawn(orchestrator.run(stopped(&stop))), tokio::spawn(dispatcher(house).run(stopped(&stop)))];
        let mut services = Self { stop, tasks, workers: Vec::new() };
        for pool in POOLS {
            services.hire(house, &Pool::new(pool));
        }
        services
    }

    /// Starts one more worker of a pool.
    pub(crate) fn hire(&mut self, house: &House, pool: &Pool) {
        let running = worker(house, pool).run(stopped(&self.stop));
        self.workers.push((pool.clone(), tokio::spawn(running)));
    }

    /// Ends the first worker of a pool at once, in the middle of whatever it does; false when there is none.
    pub(crate) fn lose(&mut self, pool: &Pool) -> bool {
        let Some(at) = self.workers.iter().position(|(of, _)| of == pool) else { return false };
        self.workers.remove(at).1.abort();
        true
    }

    /// Ends all services at once, wherever they are: where nothing can be written, nothing can be handed back.
    pub(crate) async fn abandon(self) {
        for task in self.workers.into_iter().map(|(_, task)| task).chain(self.tasks) {
            task.abort();
            // It was aborted: there is nothing to learn from its end.
            let _ = task.await;
        }
    }

    /// Tells all services to stop and waits until they have.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.workers.into_iter().map(|(_, task)| task).chain(self.tasks) {
            // A service that panicked has said so; the others still stop in order.
            let _ = task.await;
        }
    }
}

/// Resolves when the services are told to stop.
fn stopped(stop: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + 'static {
    let mut told = stop.subscribe();
    async move {
        // A sender that is gone means stop, too.
        let _ = told.wait_for(|stop| *stop).await;
    }
}

fn boot(house: &House) -> BootId {
    BootId::new(house.clock.number())
}

fn orchestrator(house: &House) -> Orchestrator {
    let ports = chorus_orchestrator::Ports {
        projects: Arc::clone(&house.projects),
        outbox: Arc::clone(&house.outbox),
        deliveries: Arc::clone(&house.deliveries),
        artifacts: Arc::clone(&house.artifacts),
        bus: Arc::clone(&house.bus),
        clock: Arc::clone(&house.clock),
    };
    Orchestrator::new(ports, chorus_orchestrator::Settings::default(), Arc::new(ByAccounts::new(house)))
}

fn dispatcher(house: &House) -> Dispatcher {
    let ports = chorus_dispatcher::Ports {
        attempts: Arc::clone(&house.attempts),
        outbox: Arc::clone(&house.outbox),
        leaders: Arc::clone(&house.leaders),
        deliveries: Arc::clone(&house.deliveries),
        directory: Arc::clone(&house.directory),
        limits: Arc::clone(&house.limits),
        bus: Arc::clone(&house.bus),
        clock: Arc::clone(&house.clock),
    };
    let delivery = &house.config.delivery;
    let usual = chorus_dispatcher::Settings::default();
    let settings = chorus_dispatcher::Settings {
        term_lasts: TERM,
        beat_stale: delivery.silent_ms,
        admission: chorus_pool::admission::Settings { lease_lasts: delivery.unclaimed_ms, ..usual.admission },
        sweep: Millis(500),
        unfolded_after: Millis::from_secs(5),
        ..usual
    };
    Dispatcher::new(ports, settings, Arc::clone(&house.catalog), house.config.roles.lists(), boot(house))
}

fn worker(house: &House, pool: &Pool) -> Worker {
    let ports = chorus_worker::Ports {
        attempts: Arc::clone(&house.attempts),
        deliveries: Arc::clone(&house.deliveries),
        artifacts: Arc::clone(&house.artifacts),
        limits: Arc::clone(&house.limits),
        upstream: Arc::clone(&house.upstream),
        outbox: Arc::clone(&house.outbox),
        bus: Arc::clone(&house.bus),
        directory: Arc::clone(&house.directory),
        clock: Arc::clone(&house.clock),
    };
    let config = &house.config;
    let settings = chorus_worker::Settings {
        slots: config.worker.slots as usize,
        beat: config.delivery.beat_ms,
        call_timeout: config.worker.call_timeout(),
        max_retries: config.worker.max_retries,
        drain: Millis::from_secs(5),
        ..chorus_worker::Settings::of_pool(pool.clone())
    };
    Worker::new(ports, Arc::clone(&house.catalog), settings, boot(house))
}
