//! Shared limiter state: the ledger of limits and leases, and two implementations of
//! [`LimitState`](chorus_core::port::LimitState).
//!
//! [`Ledger`] is pure arithmetic and the model that other implementations are tested against.
//! [`Memory`] puts it behind a lock with a clock; `redis` (a feature) runs the same operations on a
//! server. Deliberately absent: the order of calls and the choice of accounts, which are
//! `chorus-pool`'s.

pub mod ledger;
mod memory;
#[cfg(feature = "redis")]
pub mod redis;

pub use ledger::{Ledger, Start};
pub use memory::Memory;
#[cfg(feature = "redis")]
pub use redis::Redis;
