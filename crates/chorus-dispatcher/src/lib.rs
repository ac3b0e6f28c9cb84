//! The dispatcher: one queue of queued attempts, and the reconciler.
//!
//! One [`Dispatcher`] is active at a time, under a leader's term; others stand by. It reads queued rows, has each
//! admitted by the pool's [`Admission`](chorus_pool::Admission), commits the dispatch with its outbox record, and
//! publishes it. In the same term it takes back deliveries that were not claimed or have lost their worker,
//! and publishes again what the bus may have lost. It may stop at any await: rows, leases and records are such
//! that the next term goes on.
//!
//! Deliberately absent: calls of models, results, decisions about projects.

mod accounts;
mod backlog;
mod commit;
mod context;
mod dispatcher;
mod feedback;
mod long_waits;
mod paces;
mod queue_reader;
mod reconciler;
mod record_tail;
mod restoration;
mod rotations;
mod route_durations;
mod settings;
mod store_health;
mod term;
mod wait_recorder;
mod worker_slots;

pub use dispatcher::Dispatcher;
pub use settings::Settings;

#[cfg(test)]
mod tests;
