//! Ports as one process sees them: slow, failing, losing replies, and deadly at any await.
//!
//! Each wrapper only says what the call is about and how its reply reads in the log; what becomes of it is the
//! `injector`'s affair. What the operation really did is seen by the monitor, which stands behind these wrappers.

mod bus;
mod limits;
mod store;
mod work;

use std::sync::Arc;

pub use bus::{BusFaults, FaultyBus};

use crate::fault::FaultPoint;

/// A port behind the injector of one process.
pub struct Faulty<P: ?Sized> {
    inner: Arc<P>,
    point: FaultPoint,
}

impl<P: ?Sized> Faulty<P> {
    /// The port as the process at `point` sees it.
    pub const fn new(inner: Arc<P>, point: FaultPoint) -> Self {
        Self { inner, point }
    }
}

/// For replies that say nothing.
fn done(_: &()) -> String {
    "done".to_owned()
}

#[cfg(test)]
mod tests;
