//! Records between services: the implementations of the `Bus` port.
//!
//! [`Embedded`] lives in one process and forgets everything with it, which is allowed: rows are the truth,
//! and what the bus lost is sent again from them. Its neighbour over Kafka comes with the distributed release.

mod embedded;

pub use embedded::Embedded;
