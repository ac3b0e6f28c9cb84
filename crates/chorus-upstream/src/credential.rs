//! Credentials before and beside the calls: sealing, telling duplicates, refusing what is not an official key,
//! and finding out whether one is alive.

mod consumer;
mod envelope;
mod fingerprint;
mod probe;

pub use consumer::{Refusal, refuse_consumer_token};
pub use envelope::{EnvelopeKey, KeyError, OpenError};
pub use fingerprint::fingerprint;
pub use probe::{Liveness, Probe};
