//! Processes of a simulation: each service with its ports, behind the [`FaultPoint`] of its
//! process.

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::catalog::Catalog;
use chorus_core::id::{BootId, CredentialId, Pool};
use chorus_core::port::directory::CredentialState;
use chorus_core::port::upstream::NoProvider;
use chorus_core::port::{
    ArtifactStore, Attempts, Bus, Deliveries, Directory, Leaders, LimitState, Outbox, Ports,
    Projects, Waits, Workers,
};
use chorus_core::time::{Millis, Timestamp};
use chorus_dispatcher::Dispatcher;
use chorus_orchestrator::Orchestrator;
use chorus_pool::RoleModels;
use chorus_store::memory::Store;
use chorus_upstream::Http;
use chorus_vault::address::AddressPolicy;
use chorus_worker::Worker;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending};

use super::client;
use super::safety_nets::{NoResend, NoUnclaimed, SafetyNets};
use crate::clock::VirtualClock;
use crate::executor::{Boot, Timeline};
use crate::fault::{FaultInjector, FaultPoint};
use crate::faulty::{BusFaults, Faulty, FaultyBus};
use crate::network::{Network, SimulatedTransport};
use crate::providers::{OpenKeys, SimulatedProviders};
use crate::watched::{WatchedLimits, WatchedStore};

/// Interval and age for deleting records: short, but longer than any pause or late record.
const COLLECT: Millis = Millis::from_secs(30);
const KEEP_RECORDS: Millis = Millis::from_secs(600);

/// Shared parts from which processes are built.
pub(super) struct ProcessBuilder {
    pub(super) seed: u64,
    pub(super) timeline: Arc<Timeline>,
    pub(super) injector: Arc<FaultInjector>,
    pub(super) store: Store,
    pub(super) watched: WatchedStore,
    pub(super) limits: Arc<WatchedLimits>,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) bus_faults: Arc<BusFaults>,
    pub(super) network: Arc<Network>,
    pub(super) keys: BTreeMap<CredentialId, (String, String)>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) roles: RoleModels,
    pub(super) nets: SafetyNets,
}

impl ProcessBuilder {
    /// Returns the ports as one boot of one process sees them, and the point where its faults are injected.
    fn ports(&self, name: &str, boot: Boot, may_crash: bool) -> (Ports, FaultPoint) {
        let point = FaultPoint::new(name, boot.process, may_crash, &self.injector);
        let clock = VirtualClock::new(
            &self.timeline,
            self.seed,
            &format!("{name}/{}", boot.number),
        );
        let store = || Arc::new(self.store.clone());
        let watched = || Arc::new(self.watched.clone());
        let attempts: Arc<dyn Attempts> = if self.nets.unclaimed {
            watched()
        } else {
            Arc::new(NoUnclaimed(watched()))
        };
        let outbox: Arc<dyn Outbox> = if self.nets.resend {
            store()
        } else {
            Arc::new(NoResend(store()))
        };
        let ports = Ports {
            clock: Arc::new(clock),
            keys: store(),
            audit: store(),
            upstream: Arc::new(NoProvider),
            bus: Arc::new(FaultyBus::new(
                Arc::clone(&self.bus),
                point.clone(),
                Arc::clone(&self.bus_faults),
            )),
            attempts: Arc::new(Faulty::<dyn Attempts>::new(attempts, point.clone())),
            outbox: Arc::new(Faulty::<dyn Outbox>::new(outbox, point.clone())),
            deliveries: Arc::new(Faulty::<dyn Deliveries>::new(watched(), point.clone())),
            projects: Arc::new(Faulty::<dyn Projects>::new(watched(), point.clone())),
            artifacts: Arc::new(Faulty::<dyn ArtifactStore>::new(store(), point.clone())),
            directory: Arc::new(Faulty::<dyn Directory>::new(store(), point.clone())),
            waits: Arc::new(Faulty::<dyn Waits>::new(store(), point.clone())),
            workers: Arc::new(Faulty::<dyn Workers>::new(store(), point.clone())),
            leaders: Arc::new(Faulty::<dyn Leaders>::new(store(), point.clone())),
            limits: Arc::new(Faulty::<dyn LimitState>::new(
                Arc::new(self.limits.beside()),
                point.clone(),
            )),
        };
        (ports, point)
    }

    /// Future of an orchestrator.
    pub(super) fn orchestrator(
        &self,
        name: &str,
        boot: Boot,
        may_crash: bool,
    ) -> BoxFuture<'static, ()> {
        let (ports, _) = self.ports(name, boot, may_crash);
        let sizes = Arc::new(chorus_core::sizes::SizeLimits::default());
        Orchestrator::new(ports, chorus_orchestrator::Settings::default(), sizes)
            .run(pending())
            .boxed()
    }

    /// Future of a dispatcher.
    pub(super) fn dispatcher(
        &self,
        name: &str,
        boot: Boot,
        may_crash: bool,
    ) -> BoxFuture<'static, ()> {
        let (ports, _) = self.ports(name, boot, may_crash);
        let id = BootId::new(ports.clock.random_u128());
        let settings = chorus_dispatcher::Settings {
            collect: COLLECT,
            keep_records: KEEP_RECORDS,
            ..chorus_dispatcher::Settings::default()
        };
        Dispatcher::new(
            ports,
            settings,
            Arc::clone(&self.catalog),
            self.roles.clone(),
            id,
        )
        .run(pending())
        .boxed()
    }

    /// Future of a worker for one pool.
    pub(super) fn worker(
        &self,
        name: &str,
        pool: &Pool,
        boot: Boot,
        may_crash: bool,
    ) -> BoxFuture<'static, ()> {
        let (ports, point) = self.ports(name, boot, may_crash);
        let id = BootId::new(ports.clock.random_u128());
        let upstream = Http::new(chorus_upstream::Parts {
            catalog: Arc::clone(&self.catalog),
            transport: Arc::new(SimulatedTransport::new(
                Arc::clone(&self.network),
                point.clone(),
            )),
            secrets: Arc::new(OpenKeys::new(self.keys.clone(), point)),
            clock: Arc::clone(&ports.clock),
            addresses: AddressPolicy::default(),
        });
        let ports = Ports {
            upstream: Arc::new(upstream),
            ..ports
        };
        let settings = chorus_worker::Settings {
            slots: 12,
            call_timeout: Millis::from_secs(150),
            ..chorus_worker::Settings::of_pool(pool.clone())
        };
        Worker::new(ports, Arc::clone(&self.catalog), settings, id)
            .run(pending())
            .boxed()
    }

    /// Flushes the limiter at these times.
    pub(super) async fn flush_limits(self: Arc<Self>, times: Vec<Timestamp>) {
        for at in times {
            self.timeline.sleep_until(at).await;
            self.limits.flush();
        }
    }

    /// Ends the faults of all providers at this time, and makes every credential active, as an operator would who
    /// pays the bills and replaces the keys.
    pub(super) async fn restore_accounts(
        self: Arc<Self>,
        simulated: Arc<SimulatedProviders>,
        credentials: Vec<CredentialId>,
        at: Timestamp,
    ) {
        self.timeline.sleep_until(at).await;
        simulated.clear_faults();
        for credential in credentials {
            let active = self.store.set_state(credential, CredentialState::Active);
            active.await.expect("the store in memory takes states");
        }
    }

    /// Future of a client, which never crashes.
    pub(super) fn client(
        &self,
        name: &str,
        script: client::ClientScript,
        boot: Boot,
    ) -> BoxFuture<'static, ()> {
        let (ports, _) = self.ports(name, boot, false);
        client::run(ports, script).boxed()
    }
}
