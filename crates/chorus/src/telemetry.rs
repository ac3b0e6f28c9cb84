//! Figures of one process, for Prometheus: wrappers around the ports count what passes, and no service knows of it.
//!
//! Labels have few values: names of ports, topics, providers, models of the catalogue, outcomes; never an id, a tenant or
//! a text. What the figures mean for an operator is said in docs/operations.md.

mod attempts;
mod bus;
mod leaders;
mod limits;
mod process;
mod statements;
mod stopwatch;
mod upstream;

use std::sync::Arc;

use chorus_core::catalog::Catalog;
use chorus_core::port::{Attempts, Leaders, Ports};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use attempts::Queue;
use leaders::Leadership;
use limits::Reservations;
use statements::{Statements, Timed};

/// The figures of one process.
pub(crate) struct Telemetry {
    registry: Registry,
    statements: Arc<Statements>,
    queue: Arc<Queue>,
    leadership: Arc<Leadership>,
    records: Arc<bus::Records>,
    reservations: Arc<Reservations>,
    calls: Arc<upstream::Calls>,
    slots: Gauge,
}

impl Telemetry {
    /// Everything at zero.
    pub(crate) fn new(catalog: &Catalog) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(process::Process));
        let own = registry.sub_registry_with_prefix("chorus");
        let statements = Arc::new(Statements::register(own));
        let queue = Arc::new(Queue::register(own));
        let leadership = Arc::new(Leadership::register(own, Arc::clone(&queue)));
        let records = Arc::new(bus::Records::register(own));
        let reservations = Arc::new(Reservations::register(own));
        let calls = Arc::new(upstream::Calls::register(own, catalog));
        let slots = Gauge::default();
        own.register(
            "worker_slots",
            "Calls that the workers of this process may make at once",
            slots.clone(),
        );
        Self {
            registry,
            statements,
            queue,
            leadership,
            records,
            reservations,
            calls,
            slots,
        }
    }

    /// The same ports, measured.
    pub(crate) fn measure(&self, ports: Ports) -> Ports {
        let statements = || Arc::clone(&self.statements);
        let attempts = Arc::new(attempts::Counted {
            inner: ports.attempts,
            queue: Arc::clone(&self.queue),
        });
        let leaders = Arc::new(leaders::Noted {
            inner: ports.leaders,
            leadership: Arc::clone(&self.leadership),
        });
        Ports {
            projects: Arc::new(Timed {
                inner: ports.projects,
                statements: statements(),
            }),
            attempts: Arc::new(Timed {
                inner: attempts as Arc<dyn Attempts>,
                statements: statements(),
            }),
            deliveries: Arc::new(Timed {
                inner: ports.deliveries,
                statements: statements(),
            }),
            outbox: Arc::new(Timed {
                inner: ports.outbox,
                statements: statements(),
            }),
            waits: Arc::new(Timed {
                inner: ports.waits,
                statements: statements(),
            }),
            workers: Arc::new(Timed {
                inner: ports.workers,
                statements: statements(),
            }),
            leaders: Arc::new(Timed {
                inner: leaders as Arc<dyn Leaders>,
                statements: statements(),
            }),
            directory: Arc::new(Timed {
                inner: ports.directory,
                statements: statements(),
            }),
            audit: Arc::new(Timed {
                inner: ports.audit,
                statements: statements(),
            }),
            keys: Arc::new(Timed {
                inner: ports.keys,
                statements: statements(),
            }),
            artifacts: Arc::new(Timed {
                inner: ports.artifacts,
                statements: statements(),
            }),
            bus: Arc::new(bus::Counted {
                inner: ports.bus,
                records: Arc::clone(&self.records),
            }),
            limits: Arc::new(limits::Counted {
                inner: ports.limits,
                reservations: Arc::clone(&self.reservations),
            }),
            upstream: Arc::new(upstream::Counted {
                inner: ports.upstream,
                calls: Arc::clone(&self.calls),
            }),
            clock: ports.clock,
        }
    }

    /// Sets the maximum number of calls under way in this process.
    pub(crate) fn slots(&self, slots: u64) {
        self.slots.set(i64::try_from(slots).unwrap_or(i64::MAX));
    }

    /// All figures as Prometheus reads them, for the [health endpoints](crate::health).
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string does not fail");
        text
    }
}

#[cfg(test)]
mod tests;
