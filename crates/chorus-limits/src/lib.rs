//! Shared limiter state: the ledger of limits and leases, and the in-memory implementation of `LimitState`.
//!
//! `ledger` is pure arithmetic and the model that any other implementation is held against; `memory` puts it
//! behind a lock with a clock. Which call goes first, and where it may run, is decided in `chorus-pool`.

pub mod ledger;
mod memory;

pub use ledger::{Ledger, Level, Start};
pub use memory::Memory;
