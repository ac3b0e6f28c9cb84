//! One provider call under one lease, from `send` to `end`.
//!
//! [`CallRunner::run`] marks the lease as sent, makes the call, passes the reply on piece by piece
//! to a [`CallObserver`], cuts the call at its deadline or when it is cancelled, and returns a
//! [`CallReport`]: the reply as far as it came, usage and cost, the failure with its class, and
//! the changes for limits, lease and credential. [`CallRunner::observe`] and
//! [`CallRunner::end`] settle the report around the caller's own record, in this order:
//!
//! 1. `observe`: limit signals, then the state of the credential. They come first, or the next
//!    admission could choose the same credential again.
//! 2. the caller's record: an attempt's row, or the row of an interactive call.
//! 3. `end`: the lease.
//!
//! Reactions to failures are columns of [`chorus_core::failure::TABLE`]. The crate has no runtime:
//! everything outside is a port of `chorus-core`. Deliberately absent: the choice of an account
//! (`chorus-pool`), retries, claims and deliveries (`chorus-worker`), and the meaning of a reply.

#![warn(missing_docs)]

mod cut;
mod leased_call;
mod observer;
mod outcome;
mod report;
mod route_request;
mod runner;
mod settle;
mod stream;
pub mod usage;

pub use cut::{Cut, CutBy};
pub use leased_call::LeasedCall;
pub use observer::{CallObserver, Piece, Silent};
pub use report::{CallReport, Ending, PartialReply};
pub use route_request::{output_room, route_request};
pub use runner::{CallRunner, Settings};

use chorus_core::time::Millis;

/// Time for which a provider that is not in the catalogue may go on after a call was cut.
pub const DEFAULT_ABORT_GRACE: Millis = Millis::from_secs(10);

#[cfg(test)]
mod tests;
