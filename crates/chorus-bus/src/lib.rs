//! Implementations of the [`Bus`](chorus_core::port::Bus) port, which carries records between services.
//!
//! [`Embedded`] lives in one process and loses everything with it; the outbox rows publish again what is still
//! needed. `kafka::Kafka`, behind the feature `kafka`, carries the same records between processes.

mod embedded;
#[cfg(feature = "kafka")]
pub mod kafka;

pub use embedded::Embedded;
