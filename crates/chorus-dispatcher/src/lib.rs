//! The dispatcher: the one queue of queued attempts, and the reconciler.
//!
//! One dispatcher is active at a time, under a leader's term; others stand by. It reads queued rows, has each
//! admitted by the pool's `Admission`, commits the dispatch with its outbox record, and publishes it. In the
//! same term it takes back what nobody claimed or whose worker fell silent, and sends again what the bus may
//! have lost. It may die at any await: rows, leases and records are such that the next term goes on.
//!
//! Deliberately absent: calls of models, results, decisions about projects.

mod book;
mod commit;
mod context;
mod dispatcher;
mod feed;
mod lessons;
mod reconciler;
mod settings;
mod term;
mod watch;

pub use dispatcher::Dispatcher;
pub use settings::Settings;

#[cfg(test)]
mod tests;
