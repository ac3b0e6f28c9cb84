//! What carries a request to a provider and its answer back: sockets, or the test world in process.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

/// The bytes of an answer as they arrive; dropping it hangs up.
pub type BodyStream = BoxStream<'static, Result<Bytes, TransportError>>;

/// Carries one exchange. It follows no redirects, repeats nothing and knows no deadline: the caller drops
/// the future or the body when its time is over.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends the request; returns when the answer's head is there.
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError>;
}

/// The exchange broke on the way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// No connection came about: nothing was sent.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection broke after something may have been sent.
    #[error("connection broke: {0}")]
    Broken(String),
}
