//! `World` is a deterministic simulation of the services: processes, providers, clients and faults
//! from one seed.
//!
//! The services are the real ones; their ports are in-memory adapters behind [`crate::fault`]. A
//! run ends when every project has ended and nothing is held, at the first [`Violation`], or when
//! time is up.

mod client;
mod ending;
mod fixture;
mod processes;
mod safety_nets;

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_bus::Embedded;
use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::AttemptWait;
use chorus_core::id::{CredentialId, Pool, ProjectId};
use chorus_core::port::{Bus, Clock, Directory, Waits};
use chorus_core::time::{Millis, Timestamp};
use chorus_provider_sim::engine::Providers;
use chorus_store::memory::Store;
use futures_util::FutureExt;

use crate::clock::VirtualClock;
use crate::executor::{Executor, Step};
use crate::fault::{FaultInjector, FaultPlan, ProcessKind, SickAccounts};
use crate::faulty::BusFaults;
use crate::invariant::{Invariant, Monitor, Violation};
use crate::log::Log;
use crate::network::Network;
use crate::providers::SimulatedProviders;
use crate::watched::{WatchedLimits, WatchedStore};
use fixture::{Fixture, TightLimits};
use processes::ProcessBuilder;

pub use client::ClientScript;
pub use safety_nets::SafetyNets;

/// Start of every run: 2 March 2026, 00:00 UTC.
const START: Timestamp = Timestamp(1_772_409_600_000);
/// Time after the last fault within which every project ends.
const BOUND: Millis = Millis::from_secs(4 * 3600);
/// Time after the end of the last project during which leases may still be held.
const QUIET: Millis = Millis::from_secs(1_800);
/// Time between two readings of the reasons of waiting.
const REASONS_READ: Millis = Millis::from_secs(5);
/// Maximum number of reasons that are read of one project.
const MOST_WAITS: u32 = 100;
/// Maximum number of polls; more mean an endless loop.
const MOST_STEPS: u64 = 3_000_000;

/// Parameters of a run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Seed of all random streams.
    pub seed: u64,
    /// True if every line of the log is written to standard error.
    pub trace: bool,
    /// Name of the [`FaultPlan`]; drawn from the seed if `None`.
    pub faults: Option<String>,
    /// Safety nets that are active.
    pub nets: SafetyNets,
}

/// Result of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Seed of the run.
    pub seed: u64,
    /// Name of the fault plan.
    pub faults: &'static str,
    /// Hash of the event log and of the order of polls.
    pub hash: String,
    /// The broken invariant, if any.
    pub violation: Option<Violation>,
    /// Last lines of the event log.
    pub tail: Vec<String>,
    /// Virtual time that the run took.
    pub lasted: Millis,
    /// Number of polls.
    pub steps: u64,
    /// Final state of each project.
    pub ends: Vec<&'static str>,
    /// Defects of partial deliverables and reasons of failed projects.
    pub defects: Vec<String>,
    /// Number of calls that providers received.
    pub calls: usize,
    /// Plans and deliverables of completed projects.
    pub delivered: BTreeMap<ProjectId, Delivered>,
}

/// Plan and deliverable of a completed project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// Hash of the plan.
    pub plan: ArtifactHash,
    /// Rounds of rework; text written with feedback differs.
    pub rounds: u32,
    /// Hash of the deliverable.
    pub deliverable: ArtifactHash,
}

/// Runs the simulation of this seed. If its faults leave plans alone, its deliverables are compared
/// with those of the run without faults.
pub fn run(options: &Options) -> Outcome {
    let faults = match &options.faults {
        Some(name) => FaultPlan::named(name, options.seed, START),
        None => FaultPlan::from_seed(options.seed, START),
    };
    let disturbed = World::new(options, faults.clone()).run();
    if disturbed.violation.is_some() || disturbed.delivered.is_empty() || faults.provider > 0 {
        return disturbed;
    }
    let calm = World::new(options, FaultPlan::calm(START)).run();
    ending::compare(disturbed, &calm)
}

/// A run in progress.
struct World {
    seed: u64,
    faults: FaultPlan,
    executor: Executor,
    log: Arc<Log>,
    monitor: Arc<Monitor>,
    store: Store,
    limits: Arc<WatchedLimits>,
    simulated: Arc<SimulatedProviders>,
    clients: usize,
}

impl World {
    fn new(options: &Options, faults: FaultPlan) -> Self {
        let seed = options.seed;
        let mut executor = Executor::new(seed, START);
        let timeline = Arc::clone(executor.timeline());
        let log = Log::new(&timeline, options.trace);
        let injector =
            FaultInjector::new(seed, faults.clone(), &timeline, executor.control(), &log);
        let monitor = Monitor::new(&timeline, &log);
        let clock =
            |name: &str| -> Arc<dyn Clock> { Arc::new(VirtualClock::new(&timeline, seed, name)) };
        let store = Store::new(clock("store"));
        let fixture = Fixture::from_seed(seed, START, &faults, tight_limits(options, &faults));
        // A paused process is no account's fault, and may be paused for longer than any bound.
        if faults.sick != SickAccounts::None || faults.is_gentle() {
            monitor.watch_accounts(fixture.serving(), !faults.is_gentle());
        }
        let limits = Arc::new(WatchedLimits::new(
            clock("limits"),
            Arc::clone(&monitor),
            options.nets.expiry,
        ));
        let keys = fixture
            .keys
            .iter()
            .map(|(credential, (key, _))| (key.clone(), *credential))
            .collect();
        let simulated = SimulatedProviders::new(
            &timeline,
            &monitor,
            &store,
            keys,
            Providers::new(fixture.simulated.clone()),
        );
        let network = Network::new(seed, &timeline, &simulated, faults.overtaken);
        let bus: Arc<dyn Bus> = Arc::new(Embedded::new());
        let bus_faults = BusFaults::new(&timeline, &injector);
        let builder = Arc::new(ProcessBuilder {
            seed,
            timeline: Arc::clone(&timeline),
            injector,
            store: store.clone(),
            watched: WatchedStore::new(store.clone(), Arc::clone(&monitor), options.nets.folded),
            limits: Arc::clone(&limits),
            bus,
            bus_faults,
            network,
            keys: fixture.keys.clone(),
            catalog: Arc::new(chorus_upstream::catalog::load()),
            roles: fixture.roles.clone(),
            nets: options.nets,
        });
        spawn_transport(&mut executor, &builder);
        import_accounts(&store, &fixture);
        spawn_services(&mut executor, &builder, &fixture.pools, &faults);
        spawn_flusher(&mut executor, &builder, &faults);
        spawn_operator(&mut executor, &builder, &simulated, &fixture, &faults);
        let clients = spawn_clients(&mut executor, &builder, &faults);
        Self {
            seed,
            faults,
            executor,
            log,
            monitor,
            store,
            limits,
            simulated,
            clients,
        }
    }

    fn run(mut self) -> Outcome {
        let mut steps = 0;
        let mut over_since = None;
        let mut read_at = START;
        let timeline = Arc::clone(self.executor.timeline());
        while self.monitor.violation().is_none() {
            steps += 1;
            match self.executor.step() {
                Step::Polled(_) => {}
                Step::Advanced(now) => {
                    self.store
                        .with_rows(|rows| self.monitor.check_liveness(rows));
                    if self.faults.sick != SickAccounts::None && now.since(read_at) > REASONS_READ {
                        read_at = now;
                        self.check_reasons();
                    }
                    over_since = over_since.or_else(|| self.all_over().then_some(now));
                    let deadline =
                        over_since.map_or(self.faults.until + BOUND, |since| since + QUIET);
                    if now > deadline || over_since.is_some() && self.is_quiet() {
                        break;
                    }
                }
                Step::Stuck => break,
            }
            if steps > MOST_STEPS {
                let what = format!("{MOST_STEPS} polls were not enough");
                self.monitor
                    .report(Violation::new(Invariant::NoProjectLost, what));
            }
        }
        let lasted = timeline.now().since(START);
        self.check_end();
        self.outcome(steps, lasted)
    }

    /// Reads the reasons of waiting as a client would, and checks them.
    fn check_reasons(&self) {
        let projects: Vec<ProjectId> = self
            .store
            .with_rows(|rows| rows.projects.keys().copied().collect());
        let waits: Vec<AttemptWait> = projects
            .into_iter()
            .filter_map(|project| self.store.waits_of(project, MOST_WAITS).now_or_never())
            .filter_map(Result::ok)
            .flatten()
            .collect();
        self.store
            .with_rows(|rows| self.monitor.check_reasons(rows, &waits));
    }

    fn all_over(&self) -> bool {
        self.store.with_rows(|rows| {
            rows.projects.len() == self.clients
                && rows
                    .projects
                    .values()
                    .all(|row| row.project.head.is_terminal())
        })
    }
}

/// Limits that a run fixes: exact ones where refusals are checked, rates where calls overtake.
fn tight_limits(options: &Options, faults: &FaultPlan) -> Option<TightLimits> {
    if faults.store_only || !options.nets.expiry {
        Some(TightLimits::Slots)
    } else if faults.overtaken > 0 {
        Some(TightLimits::Rates)
    } else {
        None
    }
}

/// Starts the processes of the bus and the network, which never crash.
fn spawn_transport(executor: &mut Executor, builder: &ProcessBuilder) {
    let (bus, bus_faults) = (Arc::clone(&builder.bus), Arc::clone(&builder.bus_faults));
    executor.spawn(
        "bus_faults",
        Box::new(move |_| vec![Arc::clone(&bus_faults).run(Arc::clone(&bus)).boxed()]),
    );
    let network = Arc::clone(&builder.network);
    executor.spawn(
        "network",
        Box::new(move |_| vec![Arc::clone(&network).run().boxed()]),
    );
}

/// Starts the process that flushes the limiter at the times of the plan.
fn spawn_flusher(executor: &mut Executor, builder: &Arc<ProcessBuilder>, faults: &FaultPlan) {
    if faults.flushes.is_empty() {
        return;
    }
    let (here, times) = (Arc::clone(builder), faults.flushes.clone());
    executor.spawn(
        "flusher",
        Box::new(move |_| vec![Arc::clone(&here).flush_limits(times.clone()).boxed()]),
    );
}

/// Starts the process that ends the sickness of accounts when the faults end.
fn spawn_operator(
    executor: &mut Executor,
    builder: &Arc<ProcessBuilder>,
    simulated: &Arc<SimulatedProviders>,
    fixture: &Fixture,
    faults: &FaultPlan,
) {
    if faults.sick == SickAccounts::None {
        return;
    }
    let (here, simulated, until) = (Arc::clone(builder), Arc::clone(simulated), faults.until);
    let credentials: Vec<CredentialId> = fixture.keys.keys().copied().collect();
    executor.spawn(
        "operator",
        Box::new(move |_| {
            let restore = Arc::clone(&here).restore_accounts(
                Arc::clone(&simulated),
                credentials.clone(),
                until,
            );
            vec![restore.boxed()]
        }),
    );
}

/// Starts a process for each client of the seed; returns their number.
fn spawn_clients(
    executor: &mut Executor,
    builder: &Arc<ProcessBuilder>,
    faults: &FaultPlan,
) -> usize {
    let fickle = faults.name != "calm" && !faults.store_only;
    let scripts = ClientScript::from_seed(builder.seed, START, fickle);
    let clients = scripts.len();
    for (number, script) in scripts.into_iter().enumerate() {
        let (builder, name) = (Arc::clone(builder), format!("client-{number}"));
        executor.spawn(
            &name.clone(),
            Box::new(move |boot| vec![builder.client(&name, script.clone(), boot)]),
        );
    }
    clients
}

/// Imports the accounts before any process starts.
fn import_accounts(store: &Store, fixture: &Fixture) {
    let imported = store.import(fixture.accounts.clone()).now_or_never();
    assert!(
        matches!(imported, Some(Ok(_))),
        "the store in memory takes accounts at once"
    );
}

/// Starts the services: two processes of each kind, or one process with all of them for
/// [`FaultPlan::one_machine`].
fn spawn_services(
    executor: &mut Executor,
    builder: &Arc<ProcessBuilder>,
    pools: &[Pool],
    faults: &FaultPlan,
) {
    if faults.one_machine {
        let (builder, pools) = (Arc::clone(builder), pools.to_vec());
        let machine = move |boot: crate::executor::Boot| {
            if boot.number > 0 {
                builder.limits.flush();
            }
            let mut futures = vec![
                builder.orchestrator("serve/orch", boot, true),
                builder.dispatcher("serve/disp", boot, true),
            ];
            futures.extend(
                pools
                    .iter()
                    .map(|pool| builder.worker(&format!("serve/{pool}"), pool, boot, true)),
            );
            futures
        };
        executor.spawn("serve", Box::new(machine));
        return;
    }
    let may_crash = |kind| faults.affects(kind);
    let (orchestrators, dispatchers, workers) = (
        may_crash(ProcessKind::Orchestrator),
        may_crash(ProcessKind::Dispatcher),
        may_crash(ProcessKind::Worker),
    );
    for number in 0..2 {
        let (here, name) = (Arc::clone(builder), format!("orch-{number}"));
        executor.spawn(
            &name.clone(),
            Box::new(move |boot| vec![here.orchestrator(&name, boot, orchestrators)]),
        );
        let (here, name) = (Arc::clone(builder), format!("disp-{number}"));
        executor.spawn(
            &name.clone(),
            Box::new(move |boot| vec![here.dispatcher(&name, boot, dispatchers)]),
        );
    }
    for pool in pools {
        for number in 0..2 {
            let (here, pool, name) = (
                Arc::clone(builder),
                pool.clone(),
                format!("{pool}-{number}"),
            );
            executor.spawn(
                &name.clone(),
                Box::new(move |boot| vec![here.worker(&name, &pool, boot, workers)]),
            );
        }
    }
}
