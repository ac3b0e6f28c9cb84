//! One delivery: claim, call with the lease it was given, record.
//!
//! A worker takes dispatched attempts of one pool from the bus, makes one provider call for each
//! under the lease that the dispatcher reserved ([`chorus_call::CallRunner`]), reads the reply, and
//! records the attempt's next state. It never queues, never chooses an account, and never makes a
//! second call for one delivery: a call that must be repeated goes back to the dispatcher. It may
//! die at any await; rows and leases are such that other processes clean up after it.
//!
//! Neighbours: `chorus-dispatcher` publishes the dispatches; everything outside is reached through
//! the ports of `chorus-core`.

mod context;
mod credential_watch;
mod delivery;
mod disposition;
mod heartbeat;
mod in_flight;
mod intake;
mod pauses;
mod progress;
mod reading;
mod settings;
mod worker;

pub use settings::{Settings, group};
pub use worker::Worker;

#[cfg(test)]
mod tests;
