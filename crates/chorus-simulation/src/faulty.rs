//! Ports as one process sees them: slow, failing, losing replies, and crashing at any await.
//!
//! Each [`Faulty`] wrapper only names the call and formats its reply for the event log;
//! [`crate::fault`] decides the fault. The [`Monitor`](crate::invariant::Monitor) sits behind these
//! wrappers and sees the operations that were applied.

mod bus;
mod limits;
mod store;
mod waits;
mod work;

use std::sync::Arc;

pub use bus::{BusFaults, FaultyBus};

use crate::fault::FaultPoint;

/// A port behind the [`FaultPoint`] of one process.
pub struct Faulty<P: ?Sized> {
    inner: Arc<P>,
    point: FaultPoint,
}

impl<P: ?Sized> Faulty<P> {
    /// Wraps a port for the process of this fault point.
    pub const fn new(inner: Arc<P>, point: FaultPoint) -> Self {
        Self { inner, point }
    }
}

/// Log text of a reply without a value.
fn done(_: &()) -> String {
    "done".to_owned()
}

#[cfg(test)]
mod tests;
