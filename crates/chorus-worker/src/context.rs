//! State shared by all deliveries of one worker: ports, tables, settings, and what is in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chorus_call::{CallRunner, DEFAULT_ABORT_GRACE};
use chorus_core::catalog::Catalog;
use chorus_core::id::{BootId, EventId};
use chorus_core::port::{Clock, Ports};
use chorus_core::time::Millis;

use crate::Settings;
use crate::credential_watch::CredentialWatch;
use crate::in_flight::InFlight;

/// Context of one [`Worker`](crate::Worker).
pub(crate) struct Context {
    pub(crate) ports: Ports,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) settings: Settings,
    /// Start of the process, which makes its holders unlike those of every other start.
    pub(crate) boot: BootId,
    pub(crate) in_flight: InFlight,
    pub(crate) credentials: CredentialWatch,
    pub(crate) runner: CallRunner,
    draining: AtomicBool,
}

impl Context {
    pub(crate) fn new(
        ports: Ports,
        catalog: Arc<Catalog>,
        settings: Settings,
        boot: BootId,
    ) -> Self {
        let runner = CallRunner {
            limits: ports.limits.clone(),
            upstream: ports.upstream.clone(),
            directory: ports.directory.clone(),
            bus: ports.bus.clone(),
            clock: ports.clock.clone(),
            catalog: catalog.clone(),
            settings: chorus_call::Settings {
                chars_per_token: settings.chars_per_token,
            },
        };
        Self {
            ports,
            catalog,
            settings,
            boot,
            in_flight: InFlight::default(),
            credentials: CredentialWatch::default(),
            runner,
            draining: AtomicBool::new(false),
        }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.ports.clock
    }

    /// Returns the longest time for which any provider may go on after a call was cut.
    pub(crate) fn longest_grace(&self) -> Millis {
        self.catalog
            .providers
            .iter()
            .map(|provider| provider.abort_grace)
            .fold(DEFAULT_ABORT_GRACE, Millis::max)
    }

    pub(crate) fn event_id(&self) -> EventId {
        EventId::new(self.clock().random_u128())
    }

    /// Starts the drain: no call begins from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }
}
