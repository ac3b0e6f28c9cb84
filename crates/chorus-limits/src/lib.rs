//! Shared limiter state: the ledger of limits and leases, and the implementations of `LimitState`.
//!
//! `ledger` is pure arithmetic and the model that any other implementation is held against; `memory` puts it
//! behind a lock with a clock, `redis` (a feature) does the same deeds on a server. Which call goes first, and where it may run, is decided in `chorus-pool`.

pub mod ledger;
mod memory;
#[cfg(feature = "redis")]
pub mod redis;

pub use ledger::{Ledger, Level, Start};
pub use memory::Memory;
#[cfg(feature = "redis")]
pub use redis::Redis;
