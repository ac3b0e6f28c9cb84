//! Records between services: the implementations of the `Bus` port.
//!
//! [`Embedded`] lives in one process and forgets everything with it, which is allowed: rows are the truth,
//! and what the bus lost is sent again from them. `kafka::Kafka`, behind the feature `kafka`, carries the same
//! records between processes.

mod embedded;
#[cfg(feature = "kafka")]
pub mod kafka;

pub use embedded::Embedded;
