//! Kafka and Redis, where this program was built with them.
//!
//! The configuration refuses what was not built in before anything comes here.

use std::sync::Arc;

use chorus_core::port::{Bus, LimitState};

use super::health::Dependency;

#[cfg(not(feature = "distributed"))]
mod absent;
#[cfg(feature = "distributed")]
mod present;

#[cfg(not(feature = "distributed"))]
pub(super) use absent::{kafka, redis};
#[cfg(feature = "distributed")]
pub(super) use present::{kafka, redis};

/// A bus between processes, and how to ask whether it is there.
pub(super) struct SharedBus {
    pub(super) bus: Arc<dyn Bus>,
    pub(super) dependency: Dependency,
}

/// A ledger between processes, and how to ask whether it is there.
pub(super) struct SharedLimits {
    pub(super) limits: Arc<dyn LimitState>,
    pub(super) dependency: Dependency,
}
