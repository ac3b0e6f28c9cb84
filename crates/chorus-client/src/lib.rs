//! Client of the HTTP API: typed calls over a [`Transport`], retried until a deadline, and [events](EventStream) that
//! resume where a stream broke.
//!
//! The bodies are those of `chorus-api`. The caller supplies the transport: sockets to a gateway on another machine,
//! or the router of a gateway in the same process. Several servers of one installation may be named; a call that
//! fails at one is repeated at the next with the same Idempotency-Key, so nothing is submitted twice.
//!
//! Deliberately absent: sockets, files, terminals, and the clock, which is a [`Clock`](chorus_core::port::Clock).

mod call;
mod client;
mod error;
mod events;
mod listener;
mod multipart;
mod operator;
mod retry;
mod servers;
mod transport;

#[cfg(test)]
mod tests;

pub use client::{Client, Upload};
pub use error::{ClientError, ServerListError};
pub use events::{Event, EventStream};
pub use listener::ConnectionListener;
pub use operator::AuditQuery;
pub use servers::Servers;
pub use transport::{Body, Transport, TransportError};
