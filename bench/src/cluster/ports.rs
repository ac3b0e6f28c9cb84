//! Free ports on the loopback, below the system's range for outgoing connections.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::Context;

/// First port to try; other processes start elsewhere.
const FIRST: u16 = 20_000;
/// Number of ports to try.
const MANY: u16 = 10_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// Returns an address on which no process listens now.
pub fn free() -> anyhow::Result<SocketAddr> {
    let offset = u16::try_from(std::process::id() % 90).unwrap_or(0) * 100;
    let addresses = (0..MANY).map(|_| {
        let port = FIRST + (offset + NEXT.fetch_add(1, Ordering::Relaxed)) % MANY;
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    });
    addresses
        .into_iter()
        .find(|address| TcpListener::bind(address).is_ok())
        .context("no port is free")
}
