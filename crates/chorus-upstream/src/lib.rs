//! Calls to providers over HTTP; a provider is data.
//!
//! [`Http`] implements the `Upstream` port over any [`Transport`]; [`HttpTransport`] is the one with sockets.
//! Everything above the transport takes time from the `Clock` port alone, so that the test world can run it.
//! Deliberately absent: retries, choice of credentials, waiting for limits.

mod call;
pub mod catalog;
mod check_key;
mod codec;
mod failure;
mod http_transport;
mod limit_headers;
mod retry_after;
mod transport;

pub use call::{Http, Parts};
pub use http_transport::HttpTransport;
pub use transport::{BodyStream, Transport, TransportError};
