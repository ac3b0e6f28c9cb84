//! The gateways of one installation ([`Servers`]), tried in turn.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::ServerListError;

/// Base addresses of the gateways of one installation. Clones share which server is tried next.
#[derive(Debug, Clone)]
pub struct Servers {
    addresses: Arc<[String]>,
    next: Arc<AtomicUsize>,
}

impl Servers {
    /// The gateway of this process; its transport ignores addresses.
    pub fn in_process() -> Self {
        Self::of(vec![String::new()])
    }

    fn of(addresses: Vec<String>) -> Self {
        Self {
            addresses: addresses.into(),
            next: Arc::new(AtomicUsize::new(0)),
        }
    }

    /// Address of the server that is tried now.
    pub(crate) fn current(&self) -> &str {
        &self.addresses[self.next.load(Ordering::Relaxed) % self.addresses.len()]
    }

    /// Moves on to the next server.
    pub(crate) fn advance(&self) {
        self.next.fetch_add(1, Ordering::Relaxed);
    }
}

impl FromStr for Servers {
    type Err = ServerListError;

    fn from_str(list: &str) -> Result<Self, ServerListError> {
        let addresses: Vec<String> = list
            .split(',')
            .map(|address| address.trim().trim_end_matches('/'))
            .filter(|address| !address.is_empty())
            .map(str::to_owned)
            .collect();
        let has_scheme =
            |address: &String| address.starts_with("http://") || address.starts_with("https://");
        if let Some(wrong) = addresses.iter().position(|address| !has_scheme(address)) {
            return Err(ServerListError::Scheme(wrong + 1));
        }
        if let Some(wrong) = addresses.iter().position(|address| address.contains('@')) {
            return Err(ServerListError::Adorned(wrong + 1));
        }
        if addresses.is_empty() {
            return Err(ServerListError::Empty);
        }
        Ok(Self::of(addresses))
    }
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.addresses.join(","))
    }
}
