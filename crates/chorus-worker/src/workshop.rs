//! What all deliveries of one worker share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chorus_core::catalog::Catalog;
use chorus_core::id::{BootId, EventId};
use chorus_core::port::{Clock, Ports};
use chorus_core::time::Millis;

use crate::Settings;
use crate::held::Held;
use crate::judge::USUAL_GRACE;
use crate::roster::Roster;

/// Ports, tables and the deliveries that are held now.
pub(crate) struct Workshop {
    pub(crate) ports: Ports,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) settings: Settings,
    pub(crate) boot: BootId,
    pub(crate) held: Held,
    pub(crate) roster: Roster,
    draining: AtomicBool,
}

impl Workshop {
    pub(crate) fn new(
        ports: Ports,
        catalog: Arc<Catalog>,
        settings: Settings,
        boot: BootId,
    ) -> Self {
        let roster = Roster::new(ports.directory.clone(), ports.clock.clone());
        Self {
            ports,
            catalog,
            settings,
            boot,
            held: Held::default(),
            roster,
            draining: AtomicBool::new(false),
        }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.ports.clock
    }

    /// The longest time for which any provider may go on after a call was cut.
    pub(crate) fn longest_grace(&self) -> Millis {
        self.catalog
            .providers
            .iter()
            .map(|provider| provider.abort_grace)
            .fold(USUAL_GRACE, Millis::max)
    }

    pub(crate) fn event_id(&self) -> EventId {
        EventId::new(self.clock().random_u128())
    }

    /// No call is begun from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    pub(crate) fn draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }
}
