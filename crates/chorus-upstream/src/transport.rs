//! The way of a request to a provider and of its reply back: sockets, or the simulation in process.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

/// Bytes of a reply as they arrive; dropping the stream closes the connection.
pub type BodyStream = BoxStream<'static, Result<Bytes, TransportError>>;

/// Carries one exchange, without redirects, retries and deadlines: the caller drops the future or the body at
/// its deadline.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends the request; returns when the reply's head has arrived.
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError>;
}

/// An exchange that failed on its way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection was made: nothing was sent.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection broke after something may have been sent.
    #[error("connection broke: {0}")]
    Broken(String),
}
