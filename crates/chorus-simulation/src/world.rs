//! One world from one seed: processes, providers, clients, faults, and the verdict of the monitor.
//!
//! The services are the real ones; what they reach is in memory and behind their fate. A run ends when every
//! project is over and nothing is held any more, at the first violation, or when time is up.

mod client;
mod ending;
mod estate;
mod machines;
mod nets;

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_bus::Embedded;
use chorus_core::artifact::ArtifactHash;
use chorus_core::id::{Pool, ProjectId};
use chorus_core::port::{Bus, Clock, Directory};
use chorus_core::time::{Millis, Timestamp};
use chorus_provider_sim::engine::Providers;
use chorus_store::memory::Store;
use futures_util::FutureExt;

use crate::clock::VirtualClock;
use crate::executor::{Executor, Step};
use crate::fate::{Fate, Kind, Mix};
use crate::faulty::Courier;
use crate::invariant::{Invariant, Monitor, Violation};
use crate::log::Log;
use crate::network::Network;
use crate::providers::Simulated;
use crate::watched::{WatchedLimits, WatchedStore};
use estate::{Estate, Tight};
use machines::Works;

pub use client::Wish;
pub use nets::Nets;

/// When every world begins: 2 March 2026, 00:00 UTC.
const START: Timestamp = Timestamp(1_772_409_600_000);
/// How long after the last fault every project must be over.
const BOUND: Millis = Millis::from_secs(4 * 3600);
/// How long after the last project leases may still be held.
const QUIET: Millis = Millis::from_secs(1_800);
/// So many polls mean that something runs in circles.
const MOST_STEPS: u64 = 3_000_000;

/// What world is wanted.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The seed of everything.
    pub seed: u64,
    /// Show every line of the log.
    pub trace: bool,
    /// The mix of faults by its name; drawn from the seed when there is none.
    pub mix: Option<String>,
    /// Which safety nets are there.
    pub nets: Nets,
}

/// How a world ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// Its mix of faults.
    pub mix: &'static str,
    /// Hash of its log and its schedule.
    pub hash: String,
    /// The invariant that was broken, if one was.
    pub violation: Option<Violation>,
    /// The last lines of the log.
    pub tail: Vec<String>,
    /// How long it lasted.
    pub lasted: Millis,
    /// How many polls there were.
    pub steps: u64,
    /// How its projects ended, in a word each.
    pub ends: Vec<&'static str>,
    /// What is wrong with what was delivered, or why nothing was.
    pub defects: Vec<String>,
    /// Calls that providers saw.
    pub calls: usize,
    /// Plans and deliverables of the projects that are done.
    pub delivered: BTreeMap<ProjectId, Delivered>,
}

/// What a project delivered, and after which plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// The plan.
    pub plan: ArtifactHash,
    /// Rounds of rework: what was made with feedback is another text.
    pub rounds: u32,
    /// The deliverable.
    pub deliverable: ArtifactHash,
}

/// Runs the world of this seed and, when its faults left the plans alone, compares what it delivered with
/// the undisturbed run.
pub fn run(options: &Options) -> Outcome {
    let mix = match &options.mix {
        Some(name) => Mix::named(name, options.seed, START),
        None => Mix::drawn(options.seed, START),
    };
    let disturbed = World::new(options, mix.clone()).run();
    if disturbed.violation.is_some() || disturbed.delivered.is_empty() || mix.provider > 0 {
        return disturbed;
    }
    let calm = World::new(options, Mix::calm(START)).run();
    ending::compare(disturbed, &calm)
}

/// One world under way.
struct World {
    seed: u64,
    mix: Mix,
    executor: Executor,
    log: Arc<Log>,
    monitor: Arc<Monitor>,
    store: Store,
    limits: Arc<WatchedLimits>,
    simulated: Arc<Simulated>,
    clients: usize,
}

impl World {
    fn new(options: &Options, mix: Mix) -> Self {
        let seed = options.seed;
        let mut executor = Executor::new(seed, START);
        let timeline = Arc::clone(executor.timeline());
        let log = Log::new(&timeline, options.trace);
        let fate = Fate::new(seed, mix.clone(), &timeline, executor.control(), &log);
        let monitor = Monitor::new(&timeline, &log);
        let clock =
            |name: &str| -> Arc<dyn Clock> { Arc::new(VirtualClock::new(&timeline, seed, name)) };
        let store = Store::new(clock("store"));
        let tight = match (mix.store_only || !options.nets.expiry, mix.overtaken > 0) {
            (true, _) => Some(Tight::Slots),
            (false, true) => Some(Tight::Rates),
            (false, false) => None,
        };
        let estate = Estate::drawn(seed, START, mix.provider, tight);
        let limits = Arc::new(WatchedLimits::new(
            clock("limits"),
            Arc::clone(&monitor),
            options.nets.expiry,
        ));
        let keys = estate
            .keys
            .iter()
            .map(|(credential, (key, _))| (key.clone(), *credential))
            .collect();
        let simulated = Simulated::new(
            &timeline,
            &monitor,
            &store,
            keys,
            Providers::new(estate.simulated.clone()),
        );
        let network = Network::new(seed, &timeline, &simulated, mix.overtaken);
        let bus: Arc<dyn Bus> = Arc::new(Embedded::new());
        let courier = Courier::new(&timeline, &fate);
        let works = Arc::new(Works {
            seed,
            timeline: Arc::clone(&timeline),
            fate,
            store: store.clone(),
            watched: WatchedStore::new(store.clone(), Arc::clone(&monitor), options.nets.folded),
            limits: Arc::clone(&limits),
            bus: Arc::clone(&bus),
            courier: Arc::clone(&courier),
            network: Arc::clone(&network),
            keys: estate.keys.clone(),
            catalog: Arc::new(chorus_upstream::catalog::load()),
            roles: estate.roles.clone(),
            nets: options.nets,
        });
        executor.spawn(
            "courier",
            Box::new(move |_| vec![Arc::clone(&courier).run(Arc::clone(&bus)).boxed()]),
        );
        executor.spawn(
            "network",
            Box::new(move |_| vec![Arc::clone(&network).run().boxed()]),
        );
        import(&store, &estate);
        populate(&mut executor, &works, &estate.pools, &mix);
        if !mix.flushes.is_empty() {
            let (here, times) = (Arc::clone(&works), mix.flushes.clone());
            executor.spawn(
                "flusher",
                Box::new(move |_| vec![Arc::clone(&here).flush_limits(times.clone()).boxed()]),
            );
        }
        let wishes = Wish::drawn(seed, START, mix.name != "calm" && !mix.store_only);
        let clients = wishes.len();
        for (number, wish) in wishes.into_iter().enumerate() {
            let (works, name) = (Arc::clone(&works), format!("client-{number}"));
            executor.spawn(
                &name.clone(),
                Box::new(move |boot| vec![works.client(&name, wish.clone(), boot)]),
            );
        }
        Self {
            seed,
            mix,
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
        let timeline = Arc::clone(self.executor.timeline());
        while self.monitor.violation().is_none() {
            steps += 1;
            match self.executor.step() {
                Step::Polled(_) => {}
                Step::Advanced(now) => {
                    over_since = over_since.or_else(|| self.all_over().then_some(now));
                    let deadline = over_since.map_or(self.mix.until + BOUND, |since| since + QUIET);
                    if now > deadline || over_since.is_some() && self.is_quiet() {
                        break;
                    }
                }
                Step::Stuck => break,
            }
            if steps > MOST_STEPS {
                let what = format!("{MOST_STEPS} polls were not enough");
                self.monitor
                    .accuse(Violation::new(Invariant::NoProjectLost, what));
            }
        }
        let lasted = timeline.now().since(START);
        self.judge();
        self.outcome(steps, lasted)
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

/// The accounts are there before anybody asks.
fn import(store: &Store, estate: &Estate) {
    let imported = store.import(estate.accounts.clone()).now_or_never();
    assert!(
        matches!(imported, Some(Ok(_))),
        "the store in memory takes accounts at once"
    );
}

/// Starts the services: alone in a process each, or all in one where the world is one machine.
fn populate(executor: &mut Executor, works: &Arc<Works>, pools: &[Pool], mix: &Mix) {
    if mix.one_machine {
        let (works, pools) = (Arc::clone(works), pools.to_vec());
        let machine = move |boot: crate::executor::Boot| {
            if boot.number > 0 {
                works.limits.flush();
            }
            let mut futures = vec![
                works.orchestrator("serve/orch", boot, true),
                works.dispatcher("serve/disp", boot, true),
            ];
            futures.extend(
                pools
                    .iter()
                    .map(|pool| works.worker(&format!("serve/{pool}"), pool, boot, true)),
            );
            futures
        };
        executor.spawn("serve", Box::new(machine));
        return;
    }
    let mortal = |kind| mix.strikes(kind);
    let (orchestrators, dispatchers, workers) = (
        mortal(Kind::Orchestrator),
        mortal(Kind::Dispatcher),
        mortal(Kind::Worker),
    );
    for number in 0..2 {
        let (here, name) = (Arc::clone(works), format!("orch-{number}"));
        executor.spawn(
            &name.clone(),
            Box::new(move |boot| vec![here.orchestrator(&name, boot, orchestrators)]),
        );
        let (here, name) = (Arc::clone(works), format!("disp-{number}"));
        executor.spawn(
            &name.clone(),
            Box::new(move |boot| vec![here.dispatcher(&name, boot, dispatchers)]),
        );
    }
    for pool in pools {
        for number in 0..2 {
            let (here, pool, name) = (Arc::clone(works), pool.clone(), format!("{pool}-{number}"));
            executor.spawn(
                &name.clone(),
                Box::new(move |boot| vec![here.worker(&name, &pool, boot, workers)]),
            );
        }
    }
}
