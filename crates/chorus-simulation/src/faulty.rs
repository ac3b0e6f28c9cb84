//! Ports as one process sees them: slow, failing, losing replies, and deadly at any await.
//!
//! Each wrapper only says what the call is about and how its reply reads in the log; what becomes of it is the
//! `fate`'s affair. What the deed really did is seen by the monitor, which stands behind these wrappers.

mod bus;
mod limits;
mod store;
mod work;

use std::sync::Arc;

pub use bus::{Courier, FaultyBus};

use crate::fate::Site;

/// A port behind the fate of one process.
pub struct Faulty<P: ?Sized> {
    inner: Arc<P>,
    site: Site,
}

impl<P: ?Sized> Faulty<P> {
    /// The port as the process at `site` sees it.
    pub const fn new(inner: Arc<P>, site: Site) -> Self {
        Self { inner, site }
    }
}

/// For replies that say nothing.
fn done(_: &()) -> String {
    "done".to_owned()
}

#[cfg(test)]
mod tests;
