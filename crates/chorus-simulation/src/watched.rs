//! The in-memory adapters with the monitor looking at each operation, at the moment it is done.
//!
//! These stand behind the faults: what the monitor sees is what was done, whether or not anybody was told.

mod limits;
mod store;

pub use limits::WatchedLimits;
pub use store::WatchedStore;
