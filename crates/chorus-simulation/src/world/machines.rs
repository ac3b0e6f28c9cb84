//! The processes of a world: each service with its ports, behind the fate of its process.

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::catalog::Catalog;
use chorus_core::id::{BootId, CredentialId, Pool};
use chorus_core::port::{
    ArtifactStore, Attempts, Bus, Clock, Deliveries, Directory, Leaders, LimitState, Outbox,
    Projects,
};
use chorus_core::time::{Millis, Timestamp};
use chorus_dispatcher::Dispatcher;
use chorus_orchestrator::Orchestrator;
use chorus_pool::RoleModels;
use chorus_store::memory::Store;
use chorus_upstream::Http;
use chorus_upstream::address::AddressPolicy;
use chorus_worker::Worker;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending};

use super::client;
use super::nets::{Nets, NoResend, NoUnclaimed};
use crate::clock::VirtualClock;
use crate::executor::{Boot, Timeline};
use crate::fate::{Fate, Site};
use crate::faulty::{Courier, Faulty, FaultyBus};
use crate::network::{InProcess, Network};
use crate::providers::OpenKeys;
use crate::watched::{WatchedLimits, WatchedStore};

/// How often and after which time records are forgotten in a world: soon, but later than a frozen process or a late
/// record can bring one back.
const COLLECT: Millis = Millis::from_secs(30);
const KEEP_RECORDS: Millis = Millis::from_secs(600);

/// Everything that processes are made of.
pub(super) struct Works {
    pub(super) seed: u64,
    pub(super) timeline: Arc<Timeline>,
    pub(super) fate: Arc<Fate>,
    pub(super) store: Store,
    pub(super) watched: WatchedStore,
    pub(super) limits: Arc<WatchedLimits>,
    pub(super) bus: Arc<dyn Bus>,
    pub(super) courier: Arc<Courier>,
    pub(super) network: Arc<Network>,
    pub(super) keys: BTreeMap<CredentialId, (String, String)>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) roles: RoleModels,
    pub(super) nets: Nets,
}

/// The ports as one boot of one process sees them.
struct Desk {
    site: Site,
    clock: Arc<dyn Clock>,
    bus: Arc<dyn Bus>,
    attempts: Arc<dyn Attempts>,
    outbox: Arc<dyn Outbox>,
    deliveries: Arc<dyn Deliveries>,
    projects: Arc<dyn Projects>,
    artifacts: Arc<dyn ArtifactStore>,
    directory: Arc<dyn Directory>,
    leaders: Arc<dyn Leaders>,
    limits: Arc<dyn LimitState>,
}

impl Works {
    fn desk(&self, name: &str, boot: Boot, mortal: bool) -> Desk {
        let site = Site::new(name, boot.process, mortal, &self.fate);
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
        Desk {
            clock: Arc::new(clock),
            bus: Arc::new(FaultyBus::new(
                Arc::clone(&self.bus),
                site.clone(),
                Arc::clone(&self.courier),
            )),
            attempts: Arc::new(Faulty::<dyn Attempts>::new(attempts, site.clone())),
            outbox: Arc::new(Faulty::<dyn Outbox>::new(outbox, site.clone())),
            deliveries: Arc::new(Faulty::<dyn Deliveries>::new(watched(), site.clone())),
            projects: Arc::new(Faulty::<dyn Projects>::new(watched(), site.clone())),
            artifacts: Arc::new(Faulty::<dyn ArtifactStore>::new(store(), site.clone())),
            directory: Arc::new(Faulty::<dyn Directory>::new(store(), site.clone())),
            leaders: Arc::new(Faulty::<dyn Leaders>::new(store(), site.clone())),
            limits: Arc::new(Faulty::<dyn LimitState>::new(
                Arc::new(self.limits.beside()),
                site.clone(),
            )),
            site,
        }
    }

    /// An orchestrator's future.
    pub(super) fn orchestrator(
        &self,
        name: &str,
        boot: Boot,
        mortal: bool,
    ) -> BoxFuture<'static, ()> {
        let desk = self.desk(name, boot, mortal);
        let ports = chorus_orchestrator::Ports {
            projects: desk.projects,
            outbox: desk.outbox,
            deliveries: desk.deliveries,
            artifacts: desk.artifacts,
            bus: desk.bus,
            clock: desk.clock,
        };
        let sizes = Arc::new(chorus_orchestrator::SizeLimits::default());
        Orchestrator::new(ports, chorus_orchestrator::Settings::default(), sizes)
            .run(pending())
            .boxed()
    }

    /// A dispatcher's future.
    pub(super) fn dispatcher(
        &self,
        name: &str,
        boot: Boot,
        mortal: bool,
    ) -> BoxFuture<'static, ()> {
        let desk = self.desk(name, boot, mortal);
        let id = BootId::new(desk.clock.random_u128());
        let ports = chorus_dispatcher::Ports {
            attempts: desk.attempts,
            outbox: desk.outbox,
            leaders: desk.leaders,
            deliveries: desk.deliveries,
            directory: desk.directory,
            limits: desk.limits,
            bus: desk.bus,
            clock: desk.clock,
        };
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

    /// A worker's future.
    pub(super) fn worker(
        &self,
        name: &str,
        pool: &Pool,
        boot: Boot,
        mortal: bool,
    ) -> BoxFuture<'static, ()> {
        let desk = self.desk(name, boot, mortal);
        let id = BootId::new(desk.clock.random_u128());
        let upstream = Http::new(chorus_upstream::Parts {
            catalog: Arc::clone(&self.catalog),
            transport: Arc::new(InProcess::new(Arc::clone(&self.network), desk.site.clone())),
            secrets: Arc::new(OpenKeys::new(self.keys.clone(), desk.site)),
            clock: Arc::clone(&desk.clock),
            addresses: AddressPolicy::default(),
        });
        let ports = chorus_worker::Ports {
            attempts: desk.attempts,
            deliveries: desk.deliveries,
            outbox: desk.outbox,
            artifacts: desk.artifacts,
            limits: desk.limits,
            upstream: Arc::new(upstream),
            bus: desk.bus,
            directory: desk.directory,
            clock: desk.clock,
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

    /// Lets the limiter forget everything at these times.
    pub(super) async fn flush_limits(self: Arc<Self>, times: Vec<Timestamp>) {
        for at in times {
            self.timeline.sleep_until(at).await;
            self.limits.flush();
        }
    }

    /// The future of one client, who never dies.
    pub(super) fn client(
        &self,
        name: &str,
        wish: client::Wish,
        boot: Boot,
    ) -> BoxFuture<'static, ()> {
        let desk = self.desk(name, boot, false);
        let ports = client::Ports {
            projects: desk.projects,
            artifacts: desk.artifacts,
            outbox: desk.outbox,
            bus: desk.bus,
            clock: desk.clock,
        };
        client::serve(ports, wish).boxed()
    }
}
