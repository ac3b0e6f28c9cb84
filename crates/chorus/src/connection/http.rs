//! [`Transport`] to a server over HTTP.

use async_trait::async_trait;
use bytes::Bytes;
use chorus_client::{Body, Transport, TransportError};
use chorus_upstream::{HttpTransport, Transport as _};
use futures_util::StreamExt as _;

/// Connections to servers, kept alive between requests.
pub(super) struct HttpConnection(HttpTransport);

impl HttpConnection {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self(HttpTransport::new()?))
    }

    pub(super) const fn of(transport: HttpTransport) -> Self {
        Self(transport)
    }
}

#[async_trait]
impl Transport for HttpConnection {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Body>, TransportError> {
        let response = self.0.send(request).await.map_err(TransportError::new)?;
        Ok(response.map(|body| body.map(|chunk| chunk.map_err(TransportError::new)).boxed()))
    }
}
