//! The port over which a [`Client`](crate::Client) reaches a gateway.

use std::error::Error;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;

/// Bytes of a response body as they arrive; dropping the stream ends the exchange.
pub type Body = BoxStream<'static, Result<Bytes, TransportError>>;

/// Carries one request to a gateway and returns its response.
///
/// An implementation follows no redirects, repeats nothing and has no deadline: [`Client`](crate::Client) drops
/// the future or the body when its time is over.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends the request; returns once status and headers of the response are there.
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Body>, TransportError>;
}

/// Failure of an exchange before the whole response had arrived. The request may have been carried out.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    message: String,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl TransportError {
    /// Error with the text of its source.
    pub fn new(source: impl Error + Send + Sync + 'static) -> Self {
        Self {
            message: source.to_string(),
            source: Some(Box::new(source)),
        }
    }
}
