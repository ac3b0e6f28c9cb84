//! Calls to providers over HTTP; a provider is a row of the catalogue.
//!
//! [`Http`] implements the [`Upstream`](chorus_core::port::Upstream) port and the vault's
//! [`KeyChecker`](chorus_vault::KeyChecker) over any [`Transport`]; [`HttpTransport`] is the one with sockets.
//! Everything above the transport takes time from the `Clock` port alone, so that the simulation can run it.
//! [`catalog`] reads the catalogue's files. Deliberately absent: retries, choice of credentials, waiting for limits.

mod call;
pub mod catalog;
mod check_key;
mod codec;
mod failure;
mod http_transport;
mod limit_headers;
mod limits_api;
mod retry_after;
mod transport;

pub use call::{Http, Parts};
pub use http_transport::HttpTransport;
pub use transport::{BodyStream, Transport, TransportError};
