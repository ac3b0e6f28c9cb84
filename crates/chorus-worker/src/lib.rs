//! One delivery: claim, call with the lease it was given, record.
//!
//! A worker takes dispatched attempts of one pool from the bus, makes one provider call for each under the
//! lease that the dispatcher reserved, and writes what came of it. It never queues, never chooses an account,
//! never makes a second call for one delivery; what must be tried again goes back to the dispatcher. It may
//! die at any await: rows and leases are such that others can clean up after it.
//!
//! Neighbours: `chorus-dispatcher` publishes what is taken here; everything outside is reached through the
//! ports of `chorus-core`.

mod beat;
mod call;
mod delivery;
mod estimate;
mod held;
mod intake;
mod judge;
mod progress;
mod reading;
mod refusal;
mod roster;
mod settings;
mod worker;
mod workshop;

pub use settings::{Settings, group};
pub use worker::Worker;

#[cfg(test)]
mod tests;
