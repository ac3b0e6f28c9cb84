//! The in-memory adapters with a [`Monitor`](crate::invariant::Monitor) that checks each operation
//! when it is applied.
//!
//! These adapters sit behind the faults, so the monitor also sees operations with a lost reply.

mod limits;
mod store;

pub use limits::WatchedLimits;
pub use store::WatchedStore;
